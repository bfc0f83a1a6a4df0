#include "cpu/gradient/entropy_gradient.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "checkers.hpp"
#include "cpu/simd/gradient_kernels.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

// A function with a pole; how near it is to the logarithm does not matter here. The Python tests
// compare gradients with those of eigenvectors and of autograd.
const std::vector<double> shifts{0.1}, weights{-0.35};
const RationalFunction function{-0.5, 1.5, shifts.data(), weights.data(), 1};

template <class T>
struct Solved {
  double nats;
  std::vector<T> gradient;
};

enum class Entropy { diffusion, von_neumann, order_two };

constexpr Entropy entropies[] = {Entropy::diffusion, Entropy::von_neumann, Entropy::order_two};

template <class T>
Solved<T> solve(const Matrix<T>& Z, int threads, EntropyGradient<T>& batch,
                Entropy entropy = Entropy::diffusion) {
  Control control;
  const auto X = center_rows<T, T>(Z.input(), threads);
  batch.build(X, {4.0, 0.5, entropy == Entropy::diffusion}, threads, control);
  if (entropy == Entropy::von_neumann) batch.bulk_interval(10, threads);
  Solved<T> found{0.0, std::vector<T>(static_cast<std::size_t>(X.n * X.d))};
  const MatrixView<T> gradient{found.gradient.data(), X.n, X.d, X.d};
  found.nats = entropy == Entropy::order_two
                   ? batch.solve_order_two(gradient, threads, control)
                   : batch.solve(function, -1.0, gradient, threads, control);
  return found;
}

template <class T>
class EntropyGradients : public ::testing::Test {};
TYPED_TEST_SUITE(EntropyGradients, Precisions, PrecisionName);

TYPED_TEST(EntropyGradients, OperatorsHaveTheKnownEigenvector) {
  const auto Z = gaussian_rows<TypeParam>(70, 20, 1);
  EntropyGradient<TypeParam> batch;
  solve(Z, 2, batch);
  const auto A = batch.A();
  for (index_t i = 0; i < A.rows; ++i) {
    double sum = 0.0;
    for (index_t j = 0; j < A.cols; ++j) {
      sum += static_cast<double>(A.row(i)[j]) * std::sqrt(batch.degrees()[j]);
    }
    EXPECT_NEAR(sum, std::sqrt(batch.degrees()[i]), 1e-5);
  }
}

TYPED_TEST(EntropyGradients, ThreadsAndEarlierBatchesChangeNothing) {
  EntropyGradient<TypeParam> kept;
  for (const index_t n : {70, 33, 130, 1, 2, 70}) {
    SCOPED_TRACE(n);
    const auto Z = gaussian_rows<TypeParam>(n, 20, 1);
    for (const Entropy entropy : entropies) {
      SCOPED_TRACE(static_cast<int>(entropy));
      EntropyGradient<TypeParam> fresh;
      const auto expected = solve(Z, 1, fresh, entropy);
      for (const int threads : {2, 5}) {
        const auto found = solve(Z, threads, kept, entropy);
        EXPECT_EQ(found.nats, expected.nats);
        EXPECT_EQ(found.gradient, expected.gradient);
      }
    }
  }
}

TYPED_TEST(EntropyGradients, AMovedSetOfRowsHasTheSameGradientAndItsSumIsZero) {
  const auto Z = gaussian_rows<TypeParam>(70, 20, 1);
  for (const Entropy entropy : entropies) {
    SCOPED_TRACE(static_cast<int>(entropy));
    EntropyGradient<TypeParam> batch;
    const auto found = solve(Z, 2, batch, entropy);
    const TypeParam largest = *std::max_element(found.gradient.begin(), found.gradient.end());
    for (std::size_t c = 0; c < 20; ++c) {
      double sum = 0.0;
      for (std::size_t i = 0; i < 70; ++i) sum += static_cast<double>(found.gradient[i * 20 + c]);
      EXPECT_NEAR(sum, 0.0, 1e-4 * static_cast<double>(largest));
    }
  }
}

// The eigenvalues of rho are (1 +- g) / 2. With g = exp(-x^2 / 32) of rows 0 and x,
//   S_2 = 2 log 2 - log(2 + 2 g^2),  dS_2/dx = 2 g^2 / (1 + g^2) x / 16.
TYPED_TEST(EntropyGradients, OrderTwoOfTwoRowsIsTheClosedForm) {
  using T = TypeParam;
  const double x = 3.0, g2 = std::exp(-x * x / 16.0);
  Matrix<T> Z(2, 1);
  Z.data()[0] = T(0);
  Z.data()[1] = static_cast<T>(x);
  EntropyGradient<T> batch;
  const auto found = solve(Z, 1, batch, Entropy::order_two);
  const double tolerance = 8.0 * static_cast<double>(std::numeric_limits<T>::epsilon());
  EXPECT_NEAR(found.nats, 2.0 * std::log(2.0) - std::log(2.0 + 2.0 * g2), tolerance);
  const double slope = 2.0 * g2 / (1.0 + g2) * x / 16.0;
  EXPECT_NEAR(static_cast<double>(found.gradient[1]), slope, tolerance);
  EXPECT_NEAR(static_cast<double>(found.gradient[0]), -slope, tolerance);
}

// All eigenvalues are 1. One of them is set aside and has the right logarithm, 0; the others have
// what the function is at 1.
TYPED_TEST(EntropyGradients, FarRowsHaveOneEigenvalueAndNoGradient) {
  using T = TypeParam;
  Matrix<T> Z(40, 40);
  std::fill_n(Z.data(), 1600, T(0));
  for (index_t i = 0; i < 40; ++i) Z.data()[41 * i] = T(1e4);
  EntropyGradient<T> batch;
  const auto found = solve(Z, 2, batch, Entropy::von_neumann);
  const double at_one = function.constant + function.linear + weights[0] / (1.0 + shifts[0]);
  EXPECT_NEAR(found.nats, std::log(40.0) - at_one * 39.0 / 40.0, 1e-5);
  for (const T slope : found.gradient) EXPECT_EQ(slope, T(0));
}

TYPED_TEST(EntropyGradients, OrderTwoIsOfTheKernelItself) {
  const auto Z = gaussian_rows<TypeParam>(40, 5, 1);
  EntropyGradient<TypeParam> batch;
  auto found = solve(Z, 1, batch);
  Control control;
  const MatrixView<TypeParam> gradient{found.gradient.data(), 40, 5, 5};
  EXPECT_THROW(batch.solve_order_two(gradient, 1, control), std::invalid_argument);
}

TYPED_TEST(EntropyGradients, ARequestToStopIsHeard) {
  const auto Z = gaussian_rows<TypeParam>(70, 20, 1);
  const auto X = center_rows<TypeParam, TypeParam>(Z.input(), 1);
  EntropyGradient<TypeParam> batch;
  Control control;
  control.cancel();
  EXPECT_THROW(batch.build(X, {4.0, 0.5}, 2, control), Interrupted);
}

TEST(EntropyGradientIntervals, AreAPointWhereAllRowsAreEqual) {
  Matrix<double> Z(40, 3);
  std::fill_n(Z.data(), 120, 0.5);
  EntropyGradient<double> batch;
  Control control;
  for (const bool normalized : {true, false}) {
    batch.build(center_rows<double, double>(Z.input(), 1), {1.0, 0.5, normalized}, 1, control);
    const Interval found = batch.bulk_interval(10, 1);
    EXPECT_LE(found.lower, 1e-12);
  }
}

// By every instruction set that this machine has.
TYPED_TEST(EntropyGradients, KernelsOfAllInstructionSetsAgree) {
  using T = TypeParam;
  constexpr index_t n = 37;
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const auto rows = gaussian_rows<T>(8, n, 3);
  const auto row = [&](index_t i) { return rows.const_view().row(i); };
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    SCOPED_TRACE(simd::name_of(set));
    const auto& kernels = simd::kernels_of<simd::GradientKernels<T>>(set);
    double dot = 0.0, sum = 0.0;
    std::vector<T> scaled(row(0), row(0) + n), l(row(1), row(1) + n);
    kernels.add_scaled(T(0.5), row(1), scaled.data(), n);
    const double found =
        kernels.slope_row(row(0), l.data(), 5, n, T(-2), {row(2), row(3), row(4), row(5)});
    for (index_t j = 0; j < n; ++j) {
      const auto at = [&](index_t i, index_t c) { return static_cast<double>(row(i)[c]); };
      dot += at(0, j) * at(1, j);
      EXPECT_NEAR(static_cast<double>(scaled[static_cast<std::size_t>(j)]),
                  at(0, j) + 0.5 * at(1, j), 8 * eps);
      const double slope = at(0, j) * (-2.0 * at(1, j) + at(2, 5) * at(3, j) + at(3, 5) * at(2, j) +
                                       at(4, 5) * at(5, j) + at(5, 5) * at(4, j));
      EXPECT_NEAR(static_cast<double>(l[static_cast<std::size_t>(j)]), slope, 100 * eps);
      sum += slope;
    }
    EXPECT_NEAR(kernels.dot(row(0), row(1), n), dot, 1e-12);
    EXPECT_NEAR(found, sum, 1e3 * eps);
  }
}

}  // namespace
}  // namespace eigentropy::testing
