// diffusion_spectrum: from rows to eigenvalues.
#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <string>

#include "base/errors.hpp"
#include "checkers.hpp"
#include "cpu/operator/diffusion.hpp"
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

// Where clusters are far from each other, distances inside of them are refined: of many clusters by
// differences, of two by products in double.
TEST(DiffusionSpectrumOfDistances, IsThatOfTheRows) {
  Control control;
  for (const index_t clusters : {1, 2, 40}) {
    auto Z = gaussian_rows<float>(601, 40, 11);
    for (index_t i = 0; i < Z.rows(); ++i) Z(i, 0) += 1e3F * static_cast<float>(i % clusters);
    const auto X = center_rows<float, float>(Z.input(), 2);
    for (const bool normalized : {true, false}) {
      SingleDistances distances(X, true, 2, control);
      EXPECT_FALSE(distances.are_kept());
      distances.compute(2, control, [](const Tile&, const float*, index_t, int) {});
      EXPECT_TRUE(distances.are_kept());
      const OperatorOptions options{3.0, 0.5, normalized};
      const auto expected = diffusion_spectrum(X, options, 2, control);
      const auto found = diffusion_spectrum(distances, options, 3, control);
      EXPECT_FALSE(distances.are_kept());
      for (index_t i = 0; i < Z.rows(); ++i) {
        ASSERT_EQ(found.eigenvalues[i], expected.eigenvalues[i]) << clusters << ", " << i;
      }
      EXPECT_EQ(found.kernel_sum, expected.kernel_sum);
      EXPECT_EQ(found.reach, expected.reach);
    }
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
  const auto X = centered(gaussian_rows<TypeParam>(n, 3, 1));
  const auto spectrum = diffusion_spectrum(X, {0.8, 0.5, false}, 2, control);
  const auto lambda = as_doubles(spectrum.eigenvalues);
  EXPECT_EQ(spectrum.trace, 300.0);
  EXPECT_TRUE(near(std::accumulate(lambda.begin(), lambda.end(), 0.0), 300.0,
                   300.0 * tolerance_of<TypeParam>(n)));
}

template <class Run>
std::string refusal(const Run& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no refusal";
}

TYPED_TEST(DiffusionSpectrum, OfARowThatIsNotFiniteIsRefused) {
  constexpr auto infinity = std::numeric_limits<TypeParam>::infinity();
  for (const auto bad : {std::numeric_limits<TypeParam>::quiet_NaN(), infinity, -infinity}) {
    for (const index_t n : {1, 50, 600}) {
      auto Z = gaussian_rows<TypeParam>(n, 3, 1);
      Z(n / 2, 1) = bad;
      const std::string message = refusal([&] { spectrum_of(Z, 0.8); });
      EXPECT_NE(message.find(" of " + std::to_string(n) + " has entries that are NaN or infinite"),
                std::string::npos)
          << message;
    }
  }
}

// q is 1 for the first row and 20 for the others, and 20^-1000 is 0.
TYPED_TEST(DiffusionSpectrum, OfAnAlphaBeyondTheNumbersIsRefused) {
  Matrix<TypeParam> Z(21, 1, TypeParam(100));
  Z(0, 0) = 0;
  EXPECT_EQ(refusal([&] { spectrum_of(Z, 0.8, 1000.0); }),
            std::string("the operator of 21 rows has entries that are not finite: (q_i q_j)^alpha "
                        "is beyond ") +
                (sizeof(TypeParam) == 4 ? "float32" : "float64") + " for alpha = 1000.000000");
}

// As spectra of the operator, and of the kernel, of two rows.
TYPED_TEST(DiffusionSpectrum, IsCheckedAgainstItsTracesAndBounds) {
  const auto passes = [](std::vector<TypeParam> w, bool normalized) {
    double trace = 0.0, squares = 0.0;
    for (const TypeParam value : w) {
      trace += static_cast<double>(value);
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
    try {
      check_spectrum(w.data(), 2, {1.0, 0.5, normalized}, trace, squares);
    } catch (const SolverError&) {
      return false;
    }
    return true;
  };
  const auto tiny = static_cast<TypeParam>(by_precision<TypeParam>(1e-12, 1e-5));
  EXPECT_TRUE(passes({0, 1}, true));
  EXPECT_TRUE(passes({-tiny, 1}, true));  // the rounding of distances
  EXPECT_FALSE(passes({TypeParam(-0.01), 1}, true));
  EXPECT_FALSE(passes({0, TypeParam(1.01)}, true));
  EXPECT_TRUE(passes({0, 2}, false));
  EXPECT_FALSE(passes({TypeParam(-0.01), 2}, false));
  EXPECT_FALSE(passes({0, TypeParam(2.01)}, false));
}

// Distances of a very wide cloud keep the kernel positive to rounding: no false alarm.
TYPED_TEST(DiffusionSpectrum, OfNearlyEqualRowsInAWideCloudPassesItsCheck) {
  for (const double apart : {1e-3, 1.0, 1e3, 1e5, 1e7}) {
    for (const double sigma : {1e-6, 1e-2, 1.0, 1e2}) {
      for (const index_t n : {3, 30, 200}) {
        auto Z = gaussian_rows<TypeParam>(n, 3, 1, 1e-4);
        for (index_t i = 0; i < n; i += 2) Z(i, 0) += static_cast<TypeParam>(apart);
        for (const bool normalized : {true, false}) {
          Control control;
          const auto X = center_rows<TypeParam, TypeParam>(Z.input(), 2);
          EXPECT_NO_THROW(diffusion_spectrum(X, {sigma, 0.5, normalized}, 2, control))
              << apart << " " << sigma << " " << n;
        }
      }
    }
  }
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
