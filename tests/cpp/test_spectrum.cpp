// diffusion_spectrum: from rows to eigenvalues.
#include <gtest/gtest.h>

#include <numeric>

#include "checkers.hpp"
#include "core/diffusion.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class DiffusionSpectrum : public ::testing::Test {};
TYPED_TEST_SUITE(DiffusionSpectrum, Precisions, PrecisionName);

template <class T>
Spectrum<T> spectrum_of(const Matrix<T>& Z, double sigma, double alpha = 0.5) {
  Control control;
  return diffusion_spectrum(center_rows<T, T>(Z.input(), 2), {sigma, alpha, true}, 2, control);
}

template <class T>
double tolerance_of(index_t n) {
  return by_precision<T>(1e-14, 1e-6) * static_cast<double>(n + 20);
}

std::vector<double> ones_then_zeros(index_t n, index_t ones) {
  std::vector<double> lambda(static_cast<std::size_t>(n), 0.0);
  std::fill_n(lambda.begin(), ones, 1.0);
  return lambda;
}

TYPED_TEST(DiffusionSpectrum, OfIdenticalRowsIsOneAndZeros) {
  for (const index_t n : sizes) {
    const auto spectrum = spectrum_of(Matrix<TypeParam>(n, 3, TypeParam(2)), 1.0);
    EXPECT_TRUE(all_near(spectrum.eigenvalues, ones_then_zeros(n, 1), tolerance_of<TypeParam>(n)));
    EXPECT_TRUE(near(spectrum.kernel_sum, static_cast<double>(n * n), 1e-6));
  }
}

// k groups of identical rows, far from each other.
TYPED_TEST(DiffusionSpectrum, OfKFarPointsIsKOnesAndZeros) {
  for (const index_t k : {2, 3, 7}) {
    const index_t n = 300;
    Matrix<TypeParam> Z(n, 2);
    for (index_t i = 0; i < n; ++i) Z(i, 0) = static_cast<TypeParam>(1000 * (i % k));
    const auto spectrum = spectrum_of(Z, 1.0);
    EXPECT_TRUE(all_near(spectrum.eigenvalues, ones_then_zeros(n, k), tolerance_of<TypeParam>(n)));
    EXPECT_TRUE(near(spectrum.trace, static_cast<double>(k), tolerance_of<TypeParam>(n)));
  }
}

TYPED_TEST(DiffusionSpectrum, OfDistinctRowsAndATinySigmaIsAllOnes) {
  for (const index_t n : sizes) {
    const auto spectrum = spectrum_of(gaussian_rows<TypeParam>(n, 3, 1), 1e-200);
    EXPECT_TRUE(all_near(spectrum.eigenvalues, ones_then_zeros(n, n), tolerance_of<TypeParam>(n)));
  }
}

// n points on a circle: the operator is a circulant, so that its spectrum is a Fourier transform.
TYPED_TEST(DiffusionSpectrum, OfARingIsTheFourierTransformOfItsFirstRow) {
  const index_t n = 61;
  const double pi = std::acos(-1.0), sigma = 0.5;
  Matrix<TypeParam> Z(n, 2);
  std::vector<double> g, expected;
  for (index_t i = 0; i < n; ++i) {
    const double angle = 2.0 * pi * static_cast<double>(i) / static_cast<double>(n);
    Z(i, 0) = static_cast<TypeParam>(std::cos(angle));
    Z(i, 1) = static_cast<TypeParam>(std::sin(angle));
    g.push_back(std::exp(-(1.0 - std::cos(angle)) / (sigma * sigma)));
  }
  const double q = std::accumulate(g.begin(), g.end(), 0.0);
  for (index_t k = 0; k < n; ++k) {
    double sum = 0.0;
    for (index_t i = 0; i < n; ++i) {
      sum += Oracle::at(g, i) / q *
             std::cos(2.0 * pi * static_cast<double>(i * k) / static_cast<double>(n));
    }
    expected.push_back(sum);
  }
  std::sort(expected.rbegin(), expected.rend());
  for (const double alpha : {0.0, 0.5, 1.0}) {
    EXPECT_TRUE(all_near(spectrum_of(Z, sigma, alpha).eigenvalues, expected,
                         by_precision<TypeParam>(1e-14, 1e-6) * 20.0));
  }
}

TYPED_TEST(DiffusionSpectrum, StartsWithOneDescendsAndAddsUpToItsTraces) {
  for (const index_t n : sizes) {
    const auto spectrum = spectrum_of(gaussian_rows<TypeParam>(n, 3, 1), 0.8);
    const auto lambda = as_doubles(spectrum.eigenvalues);
    const double tolerance = tolerance_of<TypeParam>(n);
    EXPECT_TRUE(near(lambda.front(), 1.0, tolerance));
    EXPECT_TRUE(std::is_sorted(lambda.rbegin(), lambda.rend()));
    EXPECT_GE(lambda.back(), -tolerance);
    double squares = 0.0;
    for (const double value : lambda) squares += value * value;
    EXPECT_TRUE(near(std::accumulate(lambda.begin(), lambda.end(), 0.0), spectrum.trace,
                     tolerance * spectrum.trace));
    EXPECT_TRUE(near(squares, spectrum.frobenius2, tolerance * spectrum.frobenius2));
  }
}

TYPED_TEST(DiffusionSpectrum, OfTheUnnormalizedKernelHasTheTraceN) {
  const index_t n = 300;
  Control control;
  const auto X = center_rows<TypeParam, TypeParam>(gaussian_rows<TypeParam>(n, 3, 1).input(), 2);
  const auto spectrum = diffusion_spectrum(X, {0.8, 0.5, false}, 2, control);
  const auto lambda = as_doubles(spectrum.eigenvalues);
  EXPECT_EQ(spectrum.trace, 300.0);
  EXPECT_TRUE(near(std::accumulate(lambda.begin(), lambda.end(), 0.0), 300.0,
                   300.0 * tolerance_of<TypeParam>(n)));
}

TEST(DiffusionSpectrumOfDoubles, StaysTheSameAtScale1e150) {
  const auto expected = spectrum_of(gaussian_rows<double>(61, 3, 1), 0.8);
  for (const double scale : {1e150, 1e-150}) {
    const auto spectrum = spectrum_of(gaussian_rows<double>(61, 3, 1, scale), 0.8 * scale);
    EXPECT_TRUE(all_near(spectrum.eigenvalues, expected.eigenvalues, 1e-12));
  }
}

}  // namespace
}  // namespace eigentropy::testing
