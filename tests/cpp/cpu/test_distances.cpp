#include "cpu/rows/distances.hpp"

#include <gtest/gtest.h>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class Distances : public ::testing::Test {};
TYPED_TEST_SUITE(Distances, Precisions, PrecisionName);

// In units of the input.
template <class T>
Matrix<T> distances_of(const CenteredRows<T>& X, int threads = 2) {
  Matrix<T> r2(X.n, X.n, std::numeric_limits<T>::quiet_NaN());
  Control control;
  squared_distances(X, r2.view(), threads, control);
  for (index_t i = 0; i < X.n; ++i) {
    for (index_t j = 0; j < X.n; ++j) r2(i, j) *= static_cast<T>(X.scale * X.scale);
  }
  return r2;
}
template <class T>
Matrix<T> distances_of(InputView<T> Z, int threads = 2) {
  return distances_of(center_rows<T, T>(Z, threads), threads);
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
  const auto Z = gaussian_rows<TypeParam>(n, 7, 1);
  const auto r2 = distances_of(Z.input());
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
  const Matrix<TypeParam> Z(61, 3, static_cast<TypeParam>(0.1));
  const auto r2 = distances_of(Z.input());
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
        r2(i, j) *= static_cast<TypeParam>(X.scale * X.scale);
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

TEST(DistancesOfDoubles, AreNumbersWhereTheirSquaresWouldOverflowOrVanish) {
  for (const double unit : {1e200, 1e-200}) {
    Matrix<double> Z(3, 2);
    Z(0, 0) = Z(1, 0) = unit;
    Z(2, 0) = -unit;
    const auto X = center_rows<double, double>(Z.input(), 2);
    Matrix<double> r2(3, 3);
    Control control;
    squared_distances(X, r2.view(), 2, control);
    EXPECT_EQ(r2(0, 1), 0.0);
    EXPECT_TRUE(near(std::sqrt(r2(0, 2)) * (X.scale / unit), 2.0, 1e-14));
  }
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
    for (const double x : rows_of(X)) EXPECT_TRUE(std::isfinite(x)) << value;
    EXPECT_GT(X.scale, 0.0);
    EXPECT_TRUE(std::isfinite(X.scale));
  }
}

TEST(CenteredRows, AreFiniteWhereTheSumOfAColumnOverflows) {
  Matrix<double> Z(4, 1, 1.5e308);
  Z(0, 0) = 1.2e308;
  const auto X = center_rows<double, double>(Z.input(), 2);
  for (const double x : rows_of(X)) EXPECT_TRUE(std::isfinite(x));
}

TEST(CenteredRows, OfFloatsAreTheSameThroughEitherPrecisionOfInput) {
  const auto Z = gaussian_rows<float>(61, 5, 1);
  Matrix<double> wide(61, 5);
  for (index_t i = 0; i < 61; ++i) {
    for (index_t j = 0; j < 5; ++j) wide(i, j) = static_cast<double>(Z(i, j));
  }
  EXPECT_TRUE(bitwise_equal(rows_of(center_rows<float, float>(Z.input(), 2)),
                            rows_of(center_rows<double, float>(wide.input(), 2))));
}

TEST(CenteredRows, LieAboutTheOriginWithinTwo) {
  const auto rows = rows_of(centered(clusters<double>(300, 4, 2, 1e6, 1)));
  double largest = 0.0;
  for (const double x : rows) largest = std::max(largest, std::abs(x));
  EXPECT_LT(largest, 2.0);
  EXPECT_GE(largest, 1.0);
}

// Of 40 rows, 15 hold a fill value in some columns.
template <class T>
Matrix<T> with_fill_values(double fill) {
  auto Z = gaussian_rows<T>(40, 6, 11);
  for (index_t i = 0; i < 15; ++i) {
    for (index_t j = i % 3; j < 6; j += 1 + i % 2) Z(i, j) = static_cast<T>(fill);
  }
  return Z;
}

TYPED_TEST(Distances, AcrossWhichGIsZeroMayBeShortenedAndOthersStay) {
  using T = TypeParam;
  const Control unused;
  for (const double fill : {1e4, 1e20, 9.97e36, -3e38}) {
    const auto Z = with_fill_values<T>(fill);
    const auto X = center_rows<T, T>(Z.input(), {10.0, false}, 2, unused);
    ASSERT_EQ(X.centers->closed.size(), 6U);
    EXPECT_LT(X.scale, 64.0);
    const auto r2 = distances_of(X, 2);
    for (index_t i = 0; i < 40; ++i) {
      for (index_t j = 0; j < 40; ++j) {
        const double exact = exact_squared_distance(Z, i, j);
        const double found = static_cast<double>(r2(i, j));
        if (exact >= 100.0) {
          EXPECT_GE(found, 99.9);
        } else {
          EXPECT_NEAR(found, exact, by_precision<T>(1e-12, 1e-3));
        }
      }
    }
  }
}

TEST(DistancesOfDoubles, WhoseRowsKeepTheirDigitsAreExactBesideFillValues) {
  const Control unused;
  for (const double fill : {1e4, 1e16, 1e20, 1e100}) {
    const auto Z = with_fill_values<double>(fill);
    const auto X = center_rows<double, double>(Z.input(), centering_for_distances(), 2, unused);
    const auto r2 = distances_of(X, 2);
    for (index_t i = 0; i < 40; ++i) {
      for (index_t j = 0; j < 40; ++j) {
        const double exact = exact_squared_distance(Z, i, j);
        EXPECT_NEAR(r2(i, j), exact, 1e-12 * exact);
      }
    }
  }
}

TEST(DistancesOfDoubles, OfRowsThatDifferAreNotZeroWhereTheirSquaresVanish) {
  const Control unused;
  Matrix<double> Z(3, 2, 1.0);
  Z(1, 0) = 2.0;
  Z(2, 0) = 1e300;
  const auto X = center_rows<double, double>(Z.input(), centering_for_distances(), 1, unused);
  Matrix<double> r2(3, 3);  // in units of 1e600, nearly
  Control control;
  squared_distances(X, r2.view(), 1, control);
  EXPECT_GT(r2(0, 1), 0.0);
  EXPECT_LT(r2(0, 1), 1e-300);
  EXPECT_EQ(r2(0, 0), 0.0);
}

// Rows of few kinds, in turns; kinds differ by what vanishes beside 1e300.
TEST(DistancesOfDoubles, AreZeroBetweenDuplicatesAndNowhereElse) {
  const Control unused;
  for (const index_t d : {3, 2000}) {  // in one block of columns, and in blocks
    Matrix<double> Z(300, d, 1.0);
    for (index_t i = 0; i < 300; ++i) Z(i, d - 1) = i == 299 ? 1e300 : static_cast<double>(i % 5);
    const auto X = center_rows<double, double>(Z.input(), centering_for_distances(), 1, unused);
    std::vector<index_t> all(300);
    for (index_t i = 0; i < 300; ++i) all[static_cast<std::size_t>(i)] = i;
    Matrix<double> r2(300, 300), from(300, 300);
    Control control;
    squared_distances(X, r2.view(), 2, control);
    squared_distances_from(X, all.data(), 300, from.view(), 2, control);
    for (index_t i = 0; i < 300; ++i) {
      for (index_t j = 0; j < 300; ++j) {
        const bool equal = Z(i, d - 1) == Z(j, d - 1);
        EXPECT_EQ(r2(i, j) == 0.0, equal);
        EXPECT_EQ(from(i, j) == 0.0, equal);
      }
    }
  }
}

TEST(CenteredRows, OfAColumnThatIsNotFiniteHaveNoSegments) {
  const Control unused;
  auto Z = with_fill_values<double>(1e20);
  Z(3, 0) = std::numeric_limits<double>::quiet_NaN();
  const auto X = center_rows<double, double>(Z.input(), {10.0, false}, 1, unused);
  EXPECT_EQ(X.centers->closed.size(), 5U);
}

TEST(CenteredRows, SayHowFarTheFarthestIs) {
  const Control unused;
  Matrix<double> Z(4, 2, 0.0);
  Z(0, 0) = 8;  // centre (2, 0)
  const auto X = center_rows<double, double>(Z.input(), 1);
  EXPECT_EQ(largest_norm(X, 1, unused) * X.scale, 6.0);
}

TEST(SelectedRows, AreThoseThatWereChosen) {
  const auto Z = gaussian_rows<double>(61, 5, 1);
  for (const auto& X : {center_rows<double, double>(Z.input(), 1), centered(Z)}) {
    const auto all = rows_of(X);
    const std::vector<index_t> indices{60, 0, 0, 7}, again{3, 1};
    const auto chosen = select_rows(X, indices.data(), 4);
    const auto two = select_rows(chosen, again.data(), 2);  // rows 7 and 0
    EXPECT_EQ(chosen.n, 4);
    EXPECT_EQ(chosen.scale, X.scale);
    const auto four_rows = rows_of(chosen), two_rows = rows_of(two);
    for (index_t j = 0; j < 5; ++j) {
      for (index_t i = 0; i < 4; ++i) {
        EXPECT_EQ(four_rows(i, j), all(indices[static_cast<std::size_t>(i)], j));
      }
      EXPECT_EQ(two_rows(0, j), all(7, j));
      EXPECT_EQ(two_rows(1, j), all(0, j));
    }
  }
}

// Rows cut into blocks of at most this many columns.
template <class T>
CenteredRows<T> in_blocks(const Matrix<T>& Z, index_t columns) {
  auto X = center_rows<T, T>(Z.input(), 2);
  X.block_columns = columns;
  return X;
}

constexpr index_t narrow = 32;
const std::vector<index_t> long_dimensions{1,          2,          narrow - 1, narrow,
                                           narrow + 1, 2 * narrow, 101,        499};

TEST(ColumnBlocks, CoverTheColumnsOnceAndAreNoWiderThanAllowed) {
  for (const index_t d : long_dimensions) {
    const Matrix<double> Z(3, d);
    const auto X = in_blocks(Z, narrow);
    index_t next = 0;
    for (index_t b = 0; b < X.blocks(); ++b) {
      EXPECT_EQ(X.block(b).begin, next);
      EXPECT_GT(X.block(b).count(), 0);
      EXPECT_LE(X.block(b).count(), narrow);
      next = X.block(b).end;
    }
    EXPECT_EQ(next, d);
    EXPECT_EQ(X.fit_one_block(), X.blocks() == 1);
  }
}

TEST(ColumnBlocks, HoldTheCentredRowsAndTheirNorms) {
  const auto Z = gaussian_rows<double>(tile_size + 3, 101, 1);
  const auto X = in_blocks(Z, narrow);
  const auto rows = rows_of(X);
  ColumnBlock<double> block(X);
  for (index_t b = 0; b < X.blocks(); ++b) {
    block.load(b, 2, Control());
    const Columns columns = X.block(b);
    EXPECT_EQ(block.first(), b == 0);
    EXPECT_EQ(block.last(), b == X.blocks() - 1);
    for (index_t i = 0; i < X.n; ++i) {
      for (index_t j = 0; j < columns.count(); ++j) {
        ASSERT_EQ(block.row(i)[j], rows(i, columns.begin + j));
      }
    }
  }
  double largest = 0.0;
  for (index_t i = 0; i < X.n; ++i) {
    long double norm = 0;
    for (index_t j = 0; j < X.d; ++j) norm += static_cast<long double>(rows(i, j)) * rows(i, j);
    EXPECT_TRUE(near(block.norm(i), static_cast<double>(norm), 1e-14 * block.norm(i)));
    largest = std::max(largest, block.norm(i));
  }
  EXPECT_EQ(block.max_norm(), largest);
}

TEST(ColumnBlocks, AreNotReadOnceTheCallIsCancelled) {
  const auto Z = gaussian_rows<double>(3, 5, 1);
  Control cancelled;
  cancelled.cancel();
  EXPECT_THROW((center_rows<double, double>(Z.input(), {}, 2, cancelled)), Interrupted);
  EXPECT_THROW(find_nonfinite_rows(Z.input(), 2, cancelled), Interrupted);
  const auto X = in_blocks(Z, 2);
  ColumnBlock<double> block(X);
  EXPECT_THROW(block.load(0, 2, cancelled), Interrupted);
}

TYPED_TEST(Distances, OfLongRowsAreThoseOfShortOnes) {
  for (const index_t d : long_dimensions) {
    SCOPED_TRACE(d);
    const auto Z = gaussian_rows<TypeParam>(67, d, 1);
    EXPECT_TRUE(are_distances_of(Z, distances_of(in_blocks(Z, narrow))));
  }
}

TYPED_TEST(Distances, OfRowsOverTheDefaultBlockAreSumsOfSquaredDifferences) {
  for (const index_t d : {widest_block - 1, widest_block, widest_block + 1, index_t{5003}}) {
    SCOPED_TRACE(d);
    const auto Z = clusters<TypeParam>(tile_size + 5, d, 3, 10.0, 1);
    EXPECT_TRUE(are_distances_of(Z, distances_of(Z.input())));
  }
}

TYPED_TEST(Distances, OfNearLongRowsOfAWideCloudKeepTheirDigits) {
  using T = TypeParam;
  auto Z = clusters<T>(tile_size + 40, 499, 3, 1e5, 1);
  const index_t n = Z.rows();
  for (index_t j = 0; j < Z.cols(); ++j) {
    Z(n - 1, j) = Z(0, j);  // equal in every column, and in all but the last
    Z(n - 2, j) = Z(1, j);
  }
  Z(n - 2, 498) += T(0.5);
  const auto r2 = distances_of(in_blocks(Z, narrow));
  EXPECT_EQ(r2(0, n - 1), 0);
  EXPECT_EQ(r2(n - 1, 0), 0);
  EXPECT_GT(r2(1, n - 2), 0);
  EXPECT_TRUE(are_distances_of(Z, r2));
}

TYPED_TEST(Distances, OfLongRowsDoNotDependOnTheNumberOfThreads) {
  const auto Z = gaussian_rows<TypeParam>(2 * tile_size + 3, 101, 1);
  const auto expected = distances_of(in_blocks(Z, narrow), 1);
  for (const int threads : {2, 5}) {
    EXPECT_TRUE(bitwise_equal(distances_of(in_blocks(Z, narrow), threads), expected));
  }
}

TYPED_TEST(Distances, OfLongRowsAreTheSameFromACopyAndFromEveryView) {
  using T = TypeParam;
  const index_t n = 71, d = 101;
  const auto Z = gaussian_rows<T>(n, d, 1);
  const auto expected = distances_of(in_blocks(Z, narrow));
  EXPECT_TRUE(bitwise_equal(distances_of(in_memory(in_blocks(Z, narrow), 2)), expected));
  Matrix<T> columns(d, n);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < d; ++j) columns(j, i) = Z(i, j);
  }
  auto X = center_rows<T, T>(InputView<T>{columns.data(), n, d, 1, n}, 2);
  X.block_columns = narrow;
  EXPECT_TRUE(bitwise_equal(distances_of(X), expected));
}

TYPED_TEST(Distances, OfAChoiceOfLongRowsAreThoseOfTheWholeSet) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(67, 101, 1);
  const auto X = in_blocks(Z, narrow);
  const auto all = distances_of(X);
  const std::vector<index_t> indices{66, 0, 7, 0};
  for (const auto& whole : {X, in_memory(X, 2)}) {
    const auto r2 = distances_of(select_rows(whole, indices.data(), 4));
    for (index_t i = 0; i < 4; ++i) {
      for (index_t j = 0; j < 4; ++j) {
        const auto expected = static_cast<double>(
            all(indices[static_cast<std::size_t>(i)], indices[static_cast<std::size_t>(j)]));
        EXPECT_TRUE(near(static_cast<double>(r2(i, j)), expected, 4e3 * epsilon<T> * expected));
      }
    }
  }
}

TYPED_TEST(Distances, FromChosenLongRowsAreTheRowsOfTheWholeMatrix) {
  using T = TypeParam;
  const index_t n = tile_size + 5;
  const auto Z = clusters<T>(n, 101, 3, 1e4, 1);
  const auto X = in_blocks(Z, narrow);
  const std::vector<index_t> query{n - 1, 0, n / 2, 0};
  Matrix<T> r2(4, n, std::numeric_limits<T>::quiet_NaN());
  Control control;
  squared_distances_from(X, query.data(), 4, r2.view(), 2, control);
  EXPECT_NEAR(control.progress(), 1.0, 1e-9);
  const auto all = distances_of(X);
  for (index_t i = 0; i < 4; ++i) {
    for (index_t j = 0; j < n; ++j) {
      const auto expected = static_cast<double>(all(query[static_cast<std::size_t>(i)], j));
      r2(i, j) *= static_cast<T>(X.scale * X.scale);
      ASSERT_TRUE(near(static_cast<double>(r2(i, j)), expected, 4e3 * epsilon<T> * expected));
    }
  }
}

// The largest error of a squared distance of long rows that are not refined, in units of
// eps max |x|^2.
double error_of_products(const CenteredRows<float>& X) {
  const auto rows = rows_of(X);
  Matrix<float> r2(X.n, X.n);
  double unit = 0.0, worst = 0.0;
  for_each_column_block(X, 1, Control(), [&](const ColumnBlock<float>& block) {
    squared_distance_tile(block, upper_tile(X.n, 0), Refinement{}, r2.data(), X.n);
    if (block.last()) unit = epsilon<float> * static_cast<double>(block.max_norm());
  });
  for (index_t i = 0; i < X.n; ++i) {
    for (index_t j = 0; j < X.n; ++j) {
      const double exact = exact_squared_distance(rows, i, j);
      worst = std::max(worst, std::abs(static_cast<double>(r2(i, j)) - exact));
    }
  }
  return worst / unit;
}

// Random rows, and the worst case of a sum: one number repeated, where every rounding of the sum
// over blocks goes the same way.
TEST(DistancesOfFloats, OfLongRowsAreWithinTheErrorThatIsExpectedOfThem) {
  for (const index_t d : {4096, 30'000, 500'000}) {
    for (const bool repeated : {false, true}) {
      auto Z = gaussian_rows<float>(12, d, 1);
      for (index_t i = 0; repeated && i < Z.rows(); ++i) {
        for (index_t j = 1; j < d; ++j) Z(i, j) = Z(i, 0);
      }
      const auto X = center_rows<float, float>(Z.input(), 1);
      const double error = error_of_products(X);
      const double expected = repeated ? 32.0 + 0.25 * static_cast<double>(X.blocks())
                                       : distance_error_factor(X.d, X.blocks());
      std::cout << "d = " << d << (repeated ? ", repeated" : ", random") << ": error " << error
                << ", expected " << expected << std::endl;
      EXPECT_TRUE(near(error, 0.0, expected));
    }
  }
}

TYPED_TEST(Distances, NonFiniteRowsOfLongRowsAreFoundAtEveryPlace) {
  using T = TypeParam;
  const index_t n = 9, d = 300'001;  // fewer than one row at a time would be, were rows not whole
  auto Z = gaussian_rows<T>(n, d, 1);
  EXPECT_EQ(find_nonfinite_rows(Z.input(), 2, Control()).count, 0);
  Z(8, d - 1) = std::numeric_limits<T>::infinity();
  Z(3, 0) = std::numeric_limits<T>::quiet_NaN();
  for (const int threads : {1, 5}) {
    const auto found = find_nonfinite_rows(Z.input(), threads, Control());
    EXPECT_EQ(found.count, 2);
    EXPECT_EQ(found.first, 3);
  }
}

TYPED_TEST(Distances, NonFiniteRowsAreCountedAndTheFirstIsNamed) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  for (const int threads : {1, 2, 5}) {
    auto Z = gaussian_rows<T>(200, 3, 1);
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads, Control()).count, 0);
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads, Control()).first, -1);
    Z(199, 2) = nan;
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads, Control()).first, 199);
    Z(64, 0) = infinity;
    Z(64, 1) = nan;
    Z(65, 1) = -infinity;
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads, Control()).count, 3);
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads, Control()).first, 64);
    Z(0, 0) = nan;
    EXPECT_EQ(find_nonfinite_rows(Z.input(), threads, Control()).first, 0);
  }
}

}  // namespace
}  // namespace eigentropy::testing
