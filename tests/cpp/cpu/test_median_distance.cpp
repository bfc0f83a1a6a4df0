#include "cpu/rows/median_distance.hpp"
#include "cpu/rows/median_in_single.hpp"

#include <gtest/gtest.h>

#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

double median_of(const Matrix<double>& Z, int threads = 3) {
  Control control;
  return median_distance(center_rows<double, double>(Z.input(), threads), threads, control);
}

// From the whole matrix of distances, sorted.
double expected_median(const Matrix<double>& Z) {
  const auto X = center_rows<double, double>(Z.input(), 1);
  Matrix<double> r2(X.n, X.n);
  Control control;
  squared_distances(X, r2.view(), 1, control);
  std::vector<double> sorted, positive;
  for (index_t i = 0; i < X.n; ++i) {
    for (index_t j = i + 1; j < X.n; ++j) {
      sorted.push_back(std::sqrt(r2(i, j)));
      if (r2(i, j) > 0.0) positive.push_back(sorted.back());
    }
  }
  const auto middle = [](std::vector<double>& values) {
    std::sort(values.begin(), values.end());
    const std::size_t n = values.size();
    return n == 0 ? 0.0 : 0.5 * (values[(n - 1) / 2] + values[n / 2]);
  };
  const double median = middle(sorted);
  return median > 0.0 ? median : middle(positive);
}

TEST(MedianDistance, IsThatOfAllPairs) {
  for (const index_t n : sizes) {
    for (const index_t d : {1, 2, 40}) {
      const auto Z = gaussian_rows<double>(n, d, 1);
      const double expected = expected_median(Z);
      EXPECT_NEAR(median_of(Z), expected, 1e-14 * expected) << n << " x " << d;
    }
  }
}

TEST(MedianDistance, OfAPairIsItsDistanceAndOfThreeTheMiddleOne) {
  Matrix<double> Z(3, 1);
  Z(1, 0) = 3.0;
  Z(2, 0) = 10.0;  // distances 3, 7, 10
  const auto X = center_rows<double, double>(Z.input(), 1);
  EXPECT_DOUBLE_EQ(X.scale * median_of(Z), 7.0);
  Matrix<double> pair(2, 1);
  pair(1, 0) = 4.0;
  const auto Y = center_rows<double, double>(pair.input(), 1);
  EXPECT_DOUBLE_EQ(Y.scale * median_of(pair), 4.0);
}

TEST(MedianDistance, OfOneRowAndOfEqualRowsIsZero) {
  for (const index_t n : {1, 2, 3, 300}) EXPECT_EQ(median_of(Matrix<double>(n, 4, 1.5)), 0.0) << n;
}

TEST(MedianDistance, ManyTiesAreCounted) {
  for (const index_t n : {5, 61, 300}) {
    for (const index_t values : {2, 3, 7}) {
      Matrix<double> Z(n, 1);
      for (index_t i = 0; i < n; ++i) Z(i, 0) = static_cast<double>((i * i) % values);
      EXPECT_EQ(median_of(Z), expected_median(Z)) << n << ", " << values;
    }
  }
}

TEST(MedianDistance, OthersDecideWhereMostPairsAreDuplicates) {
  for (const index_t n : {6, 61, 523}) {
    auto Z = gaussian_rows<double>(n, 3, 2);
    for (index_t i = n / 5; i < n; ++i) {
      for (index_t c = 0; c < 3; ++c) Z(i, c) = 1.0;
    }
    ASSERT_GT(expected_median(Z), 0.0);
    EXPECT_EQ(median_of(Z), expected_median(Z)) << n;
  }
}

TEST(MedianDistance, HalfOfTheRowsMayBeDuplicates) {
  auto Z = gaussian_rows<double>(400, 3, 3);
  for (index_t i = 0; i < 200; ++i) {
    for (index_t c = 0; c < 3; ++c) Z(2 * i, c) = Z(0, c);
  }
  EXPECT_EQ(median_of(Z), expected_median(Z));
}

TEST(MedianDistance, LongRowsAreReadInBlocksOfColumns) {
  const auto Z = gaussian_rows<double>(tile_size + 5, 2 * widest_block + 3, 4);
  EXPECT_EQ(median_of(Z), expected_median(Z));
}

TEST(MedianDistance, DoesNotDependOnTheNumberOfThreads) {
  for (const index_t d : {9, 64}) {
    const auto Z = gaussian_rows<double>(700, d, 5);
    const double alone = median_of(Z, 1);
    for (const int threads : {2, 3, 8}) EXPECT_EQ(median_of(Z, threads), alone) << threads;
  }
}

using Pairs = std::vector<std::pair<index_t, index_t>>;

double quick_median(const Matrix<double>& Z, const Pairs& sample) {
  Control control;
  SingleDistances distances(center_rows<double, float>(Z.input(), 1), false, 2, control);
  return median_in_single(center_rows<double, double>(Z.input(), 1), distances, sample, 2, control);
}

TEST(MedianInSingle, IsTheMedianInDouble) {
  for (const index_t n : {258, 601}) {  // even and odd numbers of pairs
    for (const index_t d : {32, 300}) {
      auto Z = gaussian_rows<double>(n, d, 8);
      for (index_t j = 0; j < d; ++j) Z(n / 2, j) += 3.0;  // one row beside the others
      const double expected = expected_median(Z);
      EXPECT_NEAR(quick_median(Z, sampled_pairs(n)), expected, 1e-14 * expected) << n << ", " << d;
    }
  }
}

TEST(MedianInSingle, GivesUpWhereItCannotTell) {
  const index_t n = 300;
  auto Z = gaussian_rows<double>(n, 40, 9);
  EXPECT_FALSE(std::isnan(quick_median(Z, sampled_pairs(n))));
  EXPECT_TRUE(std::isnan(quick_median(Z, {{3, 4}})));  // no room around one pair
  Z(7, 1) = 1e9;  // norms of which single precision leaves no distance
  EXPECT_TRUE(std::isnan(quick_median(Z, sampled_pairs(n))));
  EXPECT_TRUE(std::isnan(quick_median(Matrix<double>(n, 40, 1.5), sampled_pairs(n))));
}

// The centre of the distances in single precision need not be that of the others.
TEST(MedianDistance, IsTheSameBesideDistancesThatAreKept) {
  for (const double offset : {0.0, 3.0, 1e6}) {
    auto Z = gaussian_rows<double>(601, 40, 10);
    for (index_t i = 0; i < Z.rows(); ++i) Z(i, 5) += offset;
    Control control;
    auto X = center_rows<double, double>(Z.input(), centering_for_distances(), 2, control);
    SingleDistances kept(center_rows<double, float>(Z.input(), 2), true, 2, control);
    EXPECT_EQ(median_distance(X, kept, 2, control), median_distance(X, 2, control)) << offset;
    EXPECT_TRUE(kept.are_kept()) << offset;
  }
}

TEST(MedianDistance, IsFoundWhereDistancesInSinglePrecisionDoNotServe) {
  const Matrix<double> equal(300, 40, 1.5);
  Control control;
  auto X = center_rows<double, double>(equal.input(), centering_for_distances(), 2, control);
  SingleDistances kept(center_rows<double, float>(equal.input(), 2), true, 2, control);
  EXPECT_EQ(median_distance(X, kept, 2, control), 0.0);
  EXPECT_FALSE(kept.are_kept());
}

TEST(MedianDistance, IsNotMisledByNormsFarAboveTheDistances) {
  auto Z = gaussian_rows<double>(300, 40, 9);
  for (index_t i = 0; i < 300; ++i) Z(i, 0) += i % 2 == 0 ? 3e4 : 0.0;  // two clusters
  for (index_t i = 0; i < 300; ++i) Z(i, 1) += i < 60 ? 3e4 : 0.0;
  const double expected = expected_median(Z);
  EXPECT_NEAR(median_of(Z), expected, 1e-12 * expected);
}

TEST(MedianDistance, ManyTiesInManyColumnsAreCounted) {
  const index_t n = 400, d = 64;
  Matrix<double> Z(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < d; ++j) Z(i, j) = static_cast<double>((i * (j + 3)) % 3);
  }
  EXPECT_EQ(median_of(Z), expected_median(Z));
}

// Rows x with |x|^2 = 1 and x_i.x_j = -0.005 for each pair in the sample, else 0: the distances of
// the sample are the largest ones, and the median is not among them. L L^T = the products.
Matrix<double> rows_that_the_sample_misjudges(index_t n) {
  Matrix<double> products(n, n), L(n, n);
  for (const auto& [i, j] : sampled_pairs(n)) products(i, j) = products(j, i) = -0.005;
  for (index_t j = 0; j < n; ++j) {
    products(j, j) = 1.0;
    for (index_t i = j; i < n; ++i) {
      double rest = products(i, j);
      for (index_t k = 0; k < j; ++k) rest -= L(i, k) * L(j, k);
      L(i, j) = i == j ? std::sqrt(rest) : rest / L(j, j);
    }
  }
  return L;
}

TEST(MedianDistance, ASampleThatMisleadsCostsTimeOnly) {
  const auto Z = rows_that_the_sample_misjudges(150);
  const double median = median_of(Z);
  EXPECT_EQ(median, expected_median(Z));
  const auto X = center_rows<double, double>(Z.input(), 1);
  EXPECT_NEAR(X.scale * median, std::sqrt(2.0), 1e-12);
}

TEST(MedianDistance, ARowThatIsNotFiniteIsNamed) {
  for (const double value : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    for (const auto& [n, d] : {std::pair(20, 3), std::pair(300, 40)}) {  // in double, and in single
      auto Z = gaussian_rows<double>(n, d, 6);
      Z(7, 1) = value;
      try {
        median_of(Z);
        FAIL() << value << ", " << n;
      } catch (const std::invalid_argument& error) {
        EXPECT_NE(std::string(error.what()).find("row 7"), std::string::npos) << error.what();
      }
    }
  }
}

TEST(MedianDistance, StopsWhenAskedTo) {
  const auto Z = gaussian_rows<double>(600, 3, 7);
  const auto X = center_rows<double, double>(Z.input(), 2);
  Control control;
  control.cancel();
  EXPECT_THROW(median_distance(X, 2, control), Interrupted);
}

}  // namespace
}  // namespace eigentropy::testing
