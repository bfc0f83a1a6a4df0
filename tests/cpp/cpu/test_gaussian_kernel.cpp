#include "cpu/kernel/gaussian_kernel.hpp"

#include <gtest/gtest.h>

#include "base/tiles.hpp"
#include "checkers.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/rows/distances.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class Kernel : public ::testing::Test {};
TYPED_TEST_SUITE(Kernel, Precisions, PrecisionName);

// Everything that the two passes give.
template <class T>
struct Result {
  Matrix<T> G, A;
  Buffer<double> q;
  DiffusionScaling scaling;
};

template <class T>
Result<T> compute(const CenteredRows<T>& X, double sigma, double alpha, int threads = 2) {
  const T unset = std::numeric_limits<T>::quiet_NaN();
  Matrix<T> G(X.n, X.n, unset);
  Control control;
  Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
  Buffer<double> q = gaussian_kernel(X, sigma, G.symmetric(), threads, stage);
  Matrix<T> A = G;
  DiffusionScaling scaling = diffusion_operator(A.symmetric(), q, alpha, threads);
  return {std::move(G), std::move(A), std::move(q), std::move(scaling)};
}
template <class T>
Result<T> compute(const Matrix<T>& Z, double sigma, double alpha, int threads = 2) {
  return compute(center_rows<T, T>(Z.input(), threads), sigma, alpha, threads);
}

template <class T>
void expect_oracle(const Matrix<T>& Z, double sigma, double alpha) {
  const Oracle oracle(Z, sigma, alpha);
  const Result<T> result = compute(Z, sigma, alpha);
  const index_t n = Z.rows();
  const double tolerance = by_precision<T>(2e-12, 3e-5);
  EXPECT_TRUE(all_near(upper_triangle<double>(result.G, n), upper_triangle<double>(oracle.G, n),
                       tolerance));
  EXPECT_TRUE(all_near(upper_triangle<double>(result.A, n), upper_triangle<double>(oracle.A, n),
                       tolerance));
  for (index_t i = 0; i < n; ++i) {
    const double q = Oracle::at(oracle.q, i), d = Oracle::at(oracle.d, i);
    EXPECT_TRUE(near(result.q[i], q, tolerance * q));
    EXPECT_TRUE(near(result.scaling.degrees[i], d, tolerance * d));
  }
  EXPECT_TRUE(near(result.scaling.trace, oracle.trace, tolerance * oracle.trace));
  EXPECT_TRUE(near(result.scaling.frobenius2, oracle.frobenius2, tolerance * oracle.frobenius2));
}

TYPED_TEST(Kernel, AndOperatorFollowTheirFormulasAtEverySize) {
  for (const index_t n : sizes) {
    SCOPED_TRACE(n);
    expect_oracle(gaussian_rows<TypeParam>(n, 4, 1), 1.5, 0.5);
  }
}

TYPED_TEST(Kernel, AndOperatorFollowTheirFormulasAtEveryAlpha) {
  for (const double alpha : {0.0, 0.25, 0.5, 1.0, 2.0}) {
    SCOPED_TRACE(alpha);
    expect_oracle(clusters<TypeParam>(83, 4, 3, 8.0, 1), 1.5, alpha);
  }
}

TYPED_TEST(Kernel, FollowsItsFormulaInManyDimensions) {
  expect_oracle(gaussian_rows<TypeParam>(67, 2000, 1), std::sqrt(2000.0), 0.5);
}

// In blocks of 32 columns: one, and several with a remainder.
TYPED_TEST(Kernel, OfLongRowsFollowsItsFormula) {
  using T = TypeParam;
  for (const index_t d : {1, 31, 32, 33, 101, 499}) {
    SCOPED_TRACE(d);
    const auto Z = gaussian_rows<T>(tile_size + 5, d, 1);
    const double sigma = std::sqrt(static_cast<double>(d));
    auto X = center_rows<T, T>(Z.input(), 2);
    X.block_columns = 32;
    const auto result = compute(X, sigma, 0.5);
    const Oracle oracle(Z, sigma, 0.5);
    const double tolerance = by_precision<T>(2e-12, 3e-5);
    EXPECT_TRUE(all_near(upper_triangle<double>(result.G, X.n),
                         upper_triangle<double>(oracle.G, X.n), tolerance));
    EXPECT_TRUE(near(result.scaling.trace, oracle.trace, tolerance * oracle.trace));
  }
}

TYPED_TEST(Kernel, OfLongRowsSeesNearPointsOfAVeryWideCloud) {
  using T = TypeParam;
  for (const double apart : {1e2, 1e6, 1e12}) {
    SCOPED_TRACE(apart);
    const auto Z = clusters<T>(tile_size + 30, 101, 3, apart, 1);
    auto X = center_rows<T, T>(Z.input(), 2);
    X.block_columns = 32;
    const Oracle oracle(rows_of(X), 8.0 / X.scale, 0.5);
    EXPECT_TRUE(all_near(upper_triangle<double>(compute(X, 8.0, 0.5).G, X.n),
                         upper_triangle<double>(oracle.G, X.n), by_precision<T>(2e-12, 3e-5)));
  }
}

TYPED_TEST(Kernel, OfLongRowsDoesNotDependOnTheNumberOfThreads) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(2 * tile_size + 7, 101, 1);
  auto X = center_rows<T, T>(Z.input(), 2);
  X.block_columns = 32;
  const auto one = compute(X, 10.0, 0.5, 1);
  for (const int threads : {2, 5}) {
    const auto many = compute(X, 10.0, 0.5, threads);
    EXPECT_TRUE(bitwise_equal(upper_triangle<T>(many.A, X.n), upper_triangle<T>(one.A, X.n)));
    EXPECT_TRUE(bitwise_equal(many.q, one.q));
  }
}

TYPED_TEST(Kernel, FollowsItsFormulaFarFromTheOrigin) {
  auto Z = gaussian_rows<TypeParam>(67, 3, 1);
  for (index_t i = 0; i < Z.rows(); ++i) Z(i, 1) += static_cast<TypeParam>(1e4);
  expect_oracle(Z, 1.0, 0.5);
}

// sigma is far below the width of the cloud, and near points still see each other. What a float
// can hold of the rows is taken for granted: the oracle gets the rounded ones.
TYPED_TEST(Kernel, SeesNearPointsOfAVeryWideCloud) {
  using T = TypeParam;
  for (const double apart : {1e2, 1e4, 1e6, 1e9, 1e12}) {
    SCOPED_TRACE(apart);
    const auto Z = clusters<T>(90, 3, 3, apart, 1);
    const auto X = center_rows<T, T>(Z.input(), 2);
    const double sigma = 1.5;
    const Oracle oracle(rows_of(X), sigma / X.scale, 0.5);
    const auto result = compute(X, sigma, 0.5);
    EXPECT_TRUE(all_near(upper_triangle<double>(result.G, X.n),
                         upper_triangle<double>(oracle.G, X.n), by_precision<T>(2e-12, 3e-5)));
  }
}

TYPED_TEST(Kernel, IsOneBetweenIdenticalRowsHoweverWideTheCloud) {
  using T = TypeParam;
  for (const double sigma : {1.0, 1e-3, 1e-6, 1e-12, 1e-30}) {
    SCOPED_TRACE(sigma);
    auto Z = gaussian_rows<T>(60, 31, 1);
    for (index_t i = 0; i < 30; ++i) {
      for (index_t j = 0; j < Z.cols(); ++j) Z(30 + i, j) = Z(i, j);
    }
    const auto G = compute(Z, sigma, 0.5).G;
    for (index_t i = 0; i < 30; ++i) {
      EXPECT_TRUE(near(static_cast<double>(G(i, 30 + i)), 1.0, by_precision<T>(2e-12, 3e-5)));
    }
  }
}

// Most distances would lose digits to cancellation that the exponent needs, in tiles on and off the
// diagonal; duplicates lie in both.
TYPED_TEST(Kernel, KeepsItsDigitsWhereAllRowsOfAWideCloudAreNear) {
  using T = TypeParam;
  const index_t n = tile_size + 60;
  auto Z = gaussian_rows<T>(n, 64, 1);
  for (const index_t copy : {index_t{7}, n - 1}) {
    for (index_t j = 0; j < Z.cols(); ++j) Z(copy, j) = Z(3, j);
  }
  const auto X = center_rows<T, T>(Z.input(), 2);
  const double sigma = 2.0;
  const Oracle oracle(rows_of(X), sigma / X.scale, 0.5);
  const auto G = compute(X, sigma, 0.5).G;
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) {
      const double g = static_cast<double>(oracle.G(i, j));
      ASSERT_TRUE(near(static_cast<double>(G(i, j)), g, by_precision<T>(1e-12, 4e-6) * g));
    }
  }
  EXPECT_EQ(G(3, 7), 1);
  EXPECT_EQ(G(3, n - 1), 1);
}

TYPED_TEST(Kernel, HasOnesOnItsDiagonalToTheLastBit) {
  for (const double sigma : {1e-3, 1.0, 1e3}) {
    const auto G = compute(gaussian_rows<TypeParam>(300, 61, 1), sigma, 0.5).G;
    for (index_t i = 0; i < 300; ++i) ASSERT_EQ(G(i, i), 1);
  }
}

TYPED_TEST(Kernel, DoesNotDependOnTheNumberOfThreads) {
  const auto Z = gaussian_rows<TypeParam>(3 * tile_size + 7, 5, 1);
  const index_t n = Z.rows();
  const auto one = compute(Z, 1.5, 0.5, 1);
  for (const int threads : {2, 5}) {
    const auto many = compute(Z, 1.5, 0.5, threads);
    EXPECT_TRUE(
        bitwise_equal(upper_triangle<TypeParam>(many.G, n), upper_triangle<TypeParam>(one.G, n)));
    EXPECT_TRUE(
        bitwise_equal(upper_triangle<TypeParam>(many.A, n), upper_triangle<TypeParam>(one.A, n)));
    EXPECT_TRUE(bitwise_equal(many.q, one.q));
    EXPECT_TRUE(bitwise_equal(many.scaling.degrees, one.scaling.degrees));
    EXPECT_EQ(many.scaling.trace, one.scaling.trace);
    EXPECT_EQ(many.scaling.frobenius2, one.scaling.frobenius2);
  }
}

TYPED_TEST(Kernel, StaysTheSameWhenRowsAndSigmaAreScaledByAPowerOfTwo) {
  const auto Z = gaussian_rows<TypeParam>(61, 5, 1);
  const auto expected = compute(Z, 1.5, 0.5).A;
  for (const int exponent : {20, -20}) {
    auto scaled = Z;
    for (index_t i = 0; i < Z.rows(); ++i) {
      for (index_t j = 0; j < Z.cols(); ++j) scaled(i, j) = std::ldexp(Z(i, j), exponent);
    }
    const auto A = compute(scaled, std::ldexp(1.5, exponent), 0.5).A;
    EXPECT_TRUE(
        bitwise_equal(upper_triangle<TypeParam>(A, 61), upper_triangle<TypeParam>(expected, 61)));
  }
}

TEST(KernelOfDoubles, IsThatOfUnitScaleAtScale1e150) {
  const auto Z = gaussian_rows<double>(61, 5, 1);
  const auto expected = compute(Z, 1.5, 0.5);
  for (const double scale : {1e150, 1e-150, 1e300, 1e-300}) {
    SCOPED_TRACE(scale);
    const auto result = compute(gaussian_rows<double>(61, 5, 1, scale), 1.5 * scale, 0.5);
    EXPECT_TRUE(all_near(upper_triangle<double>(result.A, 61),
                         upper_triangle<double>(expected.A, 61), 1e-12));
    EXPECT_TRUE(near(result.scaling.trace, expected.scaling.trace, 1e-12 * expected.scaling.trace));
  }
}

TYPED_TEST(Kernel, IsTheIdentityForATinySigmaAndDistinctRows) {
  for (const double sigma : {1e-10, 1e-30, 1e-200, 5e-324}) {
    SCOPED_TRACE(sigma);
    const index_t n = 90;
    const auto result = compute(gaussian_rows<TypeParam>(n, 7, 1), sigma, 0.5);
    Matrix<double> identity(n, n);
    for (index_t i = 0; i < n; ++i) identity(i, i) = 1.0;
    EXPECT_TRUE(
        all_near(upper_triangle<double>(result.G, n), upper_triangle<double>(identity, n), 0));
    EXPECT_TRUE(
        all_near(upper_triangle<double>(result.A, n), upper_triangle<double>(identity, n), 0));
    EXPECT_EQ(result.scaling.trace, static_cast<double>(n));
    EXPECT_EQ(result.scaling.frobenius2, static_cast<double>(n));
  }
}

TYPED_TEST(Kernel, IsAllOnesForAHugeSigma) {
  for (const double sigma : {1e12, 1e200, 1e308}) {
    SCOPED_TRACE(sigma);
    const index_t n = 90;
    const auto result = compute(gaussian_rows<TypeParam>(n, 7, 1), sigma, 0.5);
    EXPECT_TRUE(all_near(upper_triangle<double>(result.G, n),
                         std::vector<double>(static_cast<std::size_t>(n * (n + 1) / 2), 1.0),
                         1e-12));
    EXPECT_TRUE(near(result.scaling.trace, 1.0, by_precision<TypeParam>(1e-12, 1e-5)));
  }
}

TYPED_TEST(Kernel, OfIdenticalRowsGivesTheOperatorOfOneOverN) {
  const index_t n = 300;
  const auto result = compute(Matrix<TypeParam>(n, 3, static_cast<TypeParam>(0.7)), 0.1, 0.5);
  const double eps = static_cast<double>(n) * epsilon<TypeParam>;
  EXPECT_TRUE(all_near(
      upper_triangle<double>(result.A, n),
      std::vector<double>(static_cast<std::size_t>(n * (n + 1) / 2), 1.0 / static_cast<double>(n)),
      eps));
  EXPECT_TRUE(near(result.scaling.trace, 1.0, eps));
  EXPECT_TRUE(near(result.scaling.frobenius2, 1.0, eps));
}

TYPED_TEST(Kernel, OfOneRowGivesTheOperatorOne) {
  const auto result = compute(gaussian_rows<TypeParam>(1, 4, 1), 0.1, 0.5);
  EXPECT_EQ(result.A(0, 0), 1);
  EXPECT_EQ(result.q[0], 1.0);
  EXPECT_EQ(result.scaling.degrees[0], 1.0);
}

TYPED_TEST(Kernel, GivesAnIsolatedPointTheDiagonalEntryOne) {
  for (const double alpha : {0.0, 0.5, 1.0}) {
    auto Z = gaussian_rows<TypeParam>(50, 3, 1);
    Z(7, 0) = TypeParam(1000);
    const auto result = compute(Z, 1.0, alpha);
    EXPECT_TRUE(near(static_cast<double>(result.A(7, 7)), 1.0, 4.0 * epsilon<TypeParam>));
    EXPECT_EQ(result.q[7], 1.0);
  }
}

TYPED_TEST(Kernel, StaysWithinTheRowsOfAWiderMatrix) {
  const index_t n = 61, stride = n + 9;
  const auto X = centered(gaussian_rows<TypeParam>(n, 3, 1));
  Matrix<TypeParam> G(n, n, stride, TypeParam(-1));
  Control control;
  Stage stage(control, 0.0, 1.0, upper_tile_count(n));
  const auto q = gaussian_kernel(X, 1.5, G.symmetric(), 2, stage);
  diffusion_operator(G.symmetric(), q, 0.5, 2);
  EXPECT_TRUE(bitwise_equal(upper_triangle<TypeParam>(G, n),
                            upper_triangle<TypeParam>(compute(X, 1.5, 0.5).A, n)));
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = n; j < stride; ++j) ASSERT_EQ(G.data()[i * stride + j], -1);
  }
}

TYPED_TEST(Kernel, OperatorHasTheEigenvectorSqrtDToTheEigenvalueOne) {
  const index_t n = tile_size + 11;
  auto result = compute(clusters<TypeParam>(n, 3, 3, 6.0, 1), 1.0, 0.5);
  mirror(result.A.symmetric(), 2);
  for (index_t i = 0; i < n; ++i) {
    double sum = 0.0;
    for (index_t j = 0; j < n; ++j) {
      sum += static_cast<double>(result.A(i, j)) * std::sqrt(result.scaling.degrees[j]);
    }
    EXPECT_TRUE(
        near(sum, std::sqrt(result.scaling.degrees[i]), by_precision<TypeParam>(1e-13, 1e-5)));
  }
}

TYPED_TEST(Kernel, OperatorWithoutItsTrivialPairMapsSqrtDToZero) {
  const index_t n = tile_size + 11;
  auto result = compute(clusters<TypeParam>(n, 3, 3, 6.0, 1), 1.0, 0.5);
  remove_trivial_pair(result.A.symmetric(), result.scaling.degrees, 2);
  mirror(result.A.symmetric(), 2);
  for (index_t i = 0; i < n; ++i) {
    double sum = 0.0;
    for (index_t j = 0; j < n; ++j) {
      sum += static_cast<double>(result.A(i, j)) * std::sqrt(result.scaling.degrees[j]);
    }
    EXPECT_TRUE(near(sum, 0.0, by_precision<TypeParam>(1e-13, 1e-5)));
  }
}

TYPED_TEST(Kernel, MirrorCopiesTheUpperTriangleBelow) {
  for (const index_t n : sizes) {
    Matrix<TypeParam> A(n, n, std::numeric_limits<TypeParam>::quiet_NaN());
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = i; j < n; ++j) A(i, j) = static_cast<TypeParam>(1000 * i + j);
    }
    mirror(A.symmetric(), 2);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < n; ++j) {
        ASSERT_EQ(A(i, j), static_cast<TypeParam>(1000 * std::min(i, j) + std::max(i, j)));
      }
    }
  }
}

TYPED_TEST(Kernel, FrobeniusNormOfTheUpperTriangleCountsTheLowerOne) {
  for (const index_t n : sizes) {
    Matrix<TypeParam> A(n, n, std::numeric_limits<TypeParam>::quiet_NaN());
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = i; j < n; ++j) A(i, j) = 2;
    }
    for (const int threads : {1, 2, 5}) {
      EXPECT_EQ(frobenius2(A.symmetric(), threads), static_cast<double>(4 * n * n));
    }
  }
}

// What frobenius2 needs of diffusion_operator: off-diagonal tiles count twice.
TYPED_TEST(Kernel, BuildMatrixOfTheUnnormalizedKernelGivesItsOwnTraces) {
  const index_t n = tile_size + 11;
  const auto Z = gaussian_rows<TypeParam>(n, 4, 1);
  const Oracle oracle(Z, 1.5, 0.0);
  Control control;
  const auto X = center_rows<TypeParam, TypeParam>(Z.input(), 2);
  const auto matrix = build_matrix(X, {1.5, 0.0, false}, 2, control, 0.0, 1.0);
  const double tolerance = by_precision<TypeParam>(1e-12, 1e-5);
  double kernel_sum = 0.0, squares = 0.0;
  for (const double q : oracle.q) kernel_sum += q;
  for (const double g : oracle.G) squares += g * g;
  EXPECT_EQ(matrix.trace, static_cast<double>(n));
  EXPECT_TRUE(near(matrix.frobenius2, squares, tolerance * squares));
  EXPECT_TRUE(near(matrix.kernel_sum, kernel_sum, tolerance * kernel_sum));
  for (index_t i = 0; i < n; ++i) {
    const double q = Oracle::at(oracle.q, i);
    EXPECT_TRUE(near(matrix.degrees[i], q, tolerance * q));
  }
}

}  // namespace
}  // namespace eigentropy::testing
