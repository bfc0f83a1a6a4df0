#include "core/distances.hpp"

#include <gtest/gtest.h>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class Distances : public ::testing::Test {};
TYPED_TEST_SUITE(Distances, Precisions, PrecisionName);

template <class T>
Matrix<T> distances_of(InputView<T> Z, int threads = 2) {
  const auto X = center_rows<T, T>(Z, threads);
  Matrix<T> r2(Z.rows, Z.rows, std::numeric_limits<T>::quiet_NaN());
  Control control;
  squared_distances(X, r2.view(), threads, control);
  return r2;
}

// Rounding the rows moves each by eps |x|, which changes r2 by 2 r eps |x|; the product is wrong
// by some eps |x|^2, and r2 >= |x|^2 / 1000 wherever it is used.
template <class T>
::testing::AssertionResult are_distances_of(const Matrix<T>& Z, const Matrix<T>& r2) {
  double radius2 = 0.0;
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.rows(); ++j) {
      radius2 = std::max(radius2, exact_squared_distance(Z, i, j));
    }
  }
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.rows(); ++j) {
      const double exact = exact_squared_distance(Z, i, j);
      const double allowed =
          epsilon<T> * (8.0 * std::sqrt(exact) * std::sqrt(radius2) + 4000.0 * exact);
      auto result = near(static_cast<double>(r2(i, j)), exact, allowed);
      if (!result) return result << " in row " << i << ", column " << j;
    }
  }
  return ::testing::AssertionSuccess();
}

TYPED_TEST(Distances, AreSumsOfSquaredDifferencesAtEverySize) {
  for (const index_t n : sizes) {
    const index_t d = n < 100 ? 17 : 3;
    const auto Z = gaussian_rows<TypeParam>(n, d, 1);
    EXPECT_TRUE(are_distances_of(Z, distances_of(Z.input()))) << n;
  }
}

TYPED_TEST(Distances, AreSumsOfSquaredDifferencesAtEveryDimension) {
  for (const index_t d : {1, 2, 3, 61, 255, 256, 257, 3001}) {
    const auto Z = gaussian_rows<TypeParam>(19, d, 1);
    EXPECT_TRUE(are_distances_of(Z, distances_of(Z.input()))) << d;
  }
}

TYPED_TEST(Distances, KeepTheirDigitsFarFromTheOrigin) {
  auto Z = gaussian_rows<TypeParam>(67, 5, 1);
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.cols(); ++j) Z(i, j) += static_cast<TypeParam>(1000 * (j + 1));
  }
  EXPECT_TRUE(are_distances_of(Z, distances_of(Z.input())));
}

TYPED_TEST(Distances, KeepTheirDigitsBetweenNearPointsOfAWideCloud) {
  const auto Z = clusters<TypeParam>(67, 5, 3, 1e5, 1);
  EXPECT_TRUE(are_distances_of(Z, distances_of(Z.input())));
}

TYPED_TEST(Distances, AreSymmetricToTheLastBitWithZerosOnTheDiagonal) {
  const index_t n = tile_size + 5;
  const auto r2 = distances_of(gaussian_rows<TypeParam>(n, 7, 1).input());
  for (index_t i = 0; i < n; ++i) {
    EXPECT_EQ(r2(i, i), 0);
    for (index_t j = 0; j < i; ++j) ASSERT_EQ(r2(i, j), r2(j, i));
  }
}

TYPED_TEST(Distances, OfIdenticalRowsAreZero) {
  const index_t n = tile_size + 5;
  auto Z = gaussian_rows<TypeParam>(n, 61, 1);
  for (index_t j = 0; j < Z.cols(); ++j) Z(n - 1, j) = Z(1, j) = Z(0, j);
  const auto r2 = distances_of(Z.input());
  EXPECT_EQ(r2(0, 1), 0);
  EXPECT_EQ(r2(0, n - 1), 0);
  EXPECT_EQ(r2(n - 1, 1), 0);
}

TYPED_TEST(Distances, OfAConstantMatrixAreZero) {
  const auto r2 = distances_of(Matrix<TypeParam>(61, 3, static_cast<TypeParam>(0.1)).input());
  EXPECT_TRUE(bitwise_equal(r2, Matrix<TypeParam>(61, 61)));
}

TYPED_TEST(Distances, OfIntegersAreExactIntegers) {
  std::mt19937_64 generator(1);
  Matrix<TypeParam> Z(61, 5);
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.cols(); ++j) Z(i, j) = static_cast<TypeParam>(generator() % 17);
  }
  const auto r2 = distances_of(Z.input());
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.rows(); ++j) ASSERT_EQ(r2(i, j), exact_squared_distance(Z, i, j));
  }
}

TYPED_TEST(Distances, OfEveryViewOfTheSameMatrixAreTheSame) {
  using T = TypeParam;
  const index_t n = 71, d = 5;
  const auto Z = gaussian_rows<T>(n, d, 1);
  const auto expected = distances_of(Z.input());

  Matrix<T> columns(d, n), sparse(2 * n, 3 * d), mirrored(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < d; ++j) {
      columns(j, i) = sparse(2 * i, 3 * j) = mirrored(n - 1 - i, d - 1 - j) = Z(i, j);
    }
  }
  const InputView<T> column_major{columns.data(), n, d, 1, n};
  const InputView<T> every_other{sparse.data(), n, d, 2 * 3 * d, 3};
  const InputView<T> backwards{mirrored.data() + n * d - 1, n, d, -d, -1};
  for (const auto& view : {column_major, every_other, backwards}) {
    EXPECT_TRUE(bitwise_equal(distances_of(view), expected));
  }
}

TYPED_TEST(Distances, OfABroadcastRowAreZero) {
  const auto Z = gaussian_rows<TypeParam>(1, 5, 1);
  const auto r2 = distances_of(InputView<TypeParam>{Z.data(), 9, 5, 0, 1});
  EXPECT_TRUE(bitwise_equal(r2, Matrix<TypeParam>(9, 9)));
}

TYPED_TEST(Distances, DoNotDependOnTheNumberOfThreads) {
  const auto Z = gaussian_rows<TypeParam>(2 * tile_size + 3, 7, 1);
  const auto expected = distances_of(Z.input(), 1);
  for (const int threads : {2, 5}) {
    EXPECT_TRUE(bitwise_equal(distances_of(Z.input(), threads), expected));
  }
}

TYPED_TEST(Distances, StayWithinTheRowsOfAWiderMatrix) {
  const index_t n = 61;
  const auto Z = gaussian_rows<TypeParam>(n, 3, 1);
  Matrix<TypeParam> r2(n, n, n + 7, TypeParam(-1));
  Control control;
  squared_distances(center_rows<TypeParam, TypeParam>(Z.input(), 2), r2.view(), 2, control);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = n; j < n + 7; ++j) ASSERT_EQ(r2.data()[i * (n + 7) + j], -1);
  }
}

TYPED_TEST(Distances, FromChosenRowsAreTheRowsOfTheWholeMatrix) {
  for (const index_t n : {1, 2, 61, 257, 600}) {
    const auto Z = gaussian_rows<TypeParam>(n, 7, 1);
    const auto X = center_rows<TypeParam, TypeParam>(Z.input(), 2);
    const auto all = distances_of(Z.input());
    const std::vector<index_t> query{n - 1, 0, n / 2, 0};
    Matrix<TypeParam> r2(4, n, std::numeric_limits<TypeParam>::quiet_NaN());
    Control control;
    squared_distances_from(X, query.data(), 4, r2.view(), 2, control);
    for (index_t i = 0; i < 4; ++i) {
      for (index_t j = 0; j < n; ++j) {
        const auto expected = static_cast<double>(all(query[static_cast<std::size_t>(i)], j));
        ASSERT_TRUE(
            near(static_cast<double>(r2(i, j)), expected, 4e3 * epsilon<TypeParam> * expected));
      }
    }
  }
}

// 2^500 is about 1e150: every squared distance is still a number, its square is not.
TEST(DistancesOfDoubles, ScaleWithThePowerOfTwoThatScalesTheRows) {
  const auto Z = gaussian_rows<double>(61, 5, 1);
  const auto expected = distances_of(Z.input());
  for (const int exponent : {500, -500, 10}) {
    Matrix<double> scaled = Z;
    for (index_t i = 0; i < Z.rows(); ++i) {
      for (index_t j = 0; j < Z.cols(); ++j) scaled(i, j) = std::ldexp(Z(i, j), exponent);
    }
    auto r2 = distances_of(scaled.input());
    for (index_t i = 0; i < Z.rows(); ++i) {
      for (index_t j = 0; j < Z.rows(); ++j) r2(i, j) = std::ldexp(r2(i, j), -2 * exponent);
    }
    EXPECT_TRUE(bitwise_equal(r2, expected)) << exponent;
  }
}

TEST(DistancesOfDoubles, AreInfiniteAndNotNaNWhereTheyOverflow) {
  Matrix<double> Z(3, 2);
  Z(0, 0) = Z(1, 0) = 1e200;
  Z(2, 0) = -1e200;
  const auto r2 = distances_of(Z.input());
  EXPECT_EQ(r2(0, 1), 0.0);
  EXPECT_EQ(r2(0, 2), std::numeric_limits<double>::infinity());
}

TEST(CenteredRows, AreFiniteForTheLargestAndTheSmallestNumbers) {
  const double largest = std::numeric_limits<double>::max();
  const double smallest = std::numeric_limits<double>::denorm_min();
  for (const double value : {largest, 1e308, 1e-308, smallest}) {
    Matrix<double> Z(4, 2);
    Z(0, 0) = Z(1, 0) = Z(0, 1) = value;
    Z(2, 0) = value / 2;
    Z(2, 1) = -value;
    Z(3, 1) = -value;
    const auto X = center_rows<double, double>(Z.input(), 2);
    for (const double x : X.rows) EXPECT_TRUE(std::isfinite(x)) << value;
    EXPECT_GT(X.scale, 0.0);
    EXPECT_TRUE(std::isfinite(X.scale));
  }
}

TEST(CenteredRows, AreFiniteWhereTheSumOfAColumnOverflows) {
  Matrix<double> Z(4, 1, 1.5e308);
  Z(0, 0) = 1.2e308;
  const auto X = center_rows<double, double>(Z.input(), 2);
  for (const double x : X.rows) EXPECT_TRUE(std::isfinite(x));
}

TEST(CenteredRows, OfFloatsAreTheSameThroughEitherPrecisionOfInput) {
  const auto Z = gaussian_rows<float>(61, 5, 1);
  Matrix<double> wide(61, 5);
  for (index_t i = 0; i < 61; ++i) {
    for (index_t j = 0; j < 5; ++j) wide(i, j) = static_cast<double>(Z(i, j));
  }
  EXPECT_TRUE(bitwise_equal(center_rows<float, float>(Z.input(), 2).rows,
                            center_rows<double, float>(wide.input(), 2).rows));
}

TEST(CenteredRows, LieAboutTheOriginWithinTwo) {
  const auto X = center_rows<double, double>(clusters<double>(300, 4, 2, 1e6, 1).input(), 2);
  for (const double x : X.rows) EXPECT_LE(std::abs(x), 2.0);
  EXPECT_LE(X.max_norm, 4.0 * 4.0);
}

TEST(SelectedRows, AreThoseThatWereChosen) {
  const auto Z = gaussian_rows<double>(61, 5, 1);
  const auto X = center_rows<double, double>(Z.input(), 1);
  const std::vector<index_t> indices{60, 0, 0, 7};
  const auto chosen = select_rows(X, indices.data(), 4);
  EXPECT_EQ(chosen.n, 4);
  EXPECT_EQ(chosen.scale, X.scale);
  double max_norm = 0.0;
  for (index_t i = 0; i < 4; ++i) {
    const index_t source = indices[static_cast<std::size_t>(i)];
    for (index_t j = 0; j < 5; ++j) EXPECT_EQ(chosen.row(i)[j], X.row(source)[j]);
    EXPECT_EQ(chosen.norms[i], X.norms[source]);
    max_norm = std::max(max_norm, X.norms[source]);
  }
  EXPECT_EQ(chosen.max_norm, max_norm);
}

TYPED_TEST(Distances, NonFiniteRowsAreCountedAndTheFirstIsNamed) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  for (const int threads : {1, 2, 5}) {
    auto Z = gaussian_rows<T>(200, 3, 1);
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads).count, 0);
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads).first, -1);
    Z(199, 2) = nan;
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads).first, 199);
    Z(64, 0) = infinity;
    Z(64, 1) = nan;
    Z(65, 1) = -infinity;
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads).count, 3);
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads).first, 64);
    Z(0, 0) = nan;
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads).first, 0);
  }
}

}  // namespace
}  // namespace eigentropy::testing
