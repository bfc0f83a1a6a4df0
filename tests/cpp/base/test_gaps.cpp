#include "base/gaps.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace eigentropy {
namespace {

ClosedColumn closed(std::vector<double> values, double separation, std::size_t most = 255) {
  std::sort(values.begin(), values.end());
  return {0, close_gaps(values.data(), values.size(), {separation, most})};
}

// Values in groups that are 10^0 .. 10^300 from each other, of both signs, and copies of them.
std::vector<double> far_values(unsigned seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> exponent(0.0, 300.0);
  std::vector<double> values;
  while (values.size() < count) {
    const double place = (random() % 2 == 0 ? 1.0 : -1.0) * std::pow(10.0, exponent(random));
    values.push_back(random() % 3 == 0 ? place : normal(random));
    if (random() % 4 == 0) values.push_back(values[random() % values.size()]);
  }
  return values;
}

TEST(Gaps, ThatAreNarrowLeaveAColumnAlone) {
  EXPECT_TRUE(closed({0.0, 3.0, 1.0, 2.0}, 1.0).segments.empty());
  EXPECT_TRUE(closed({5.0}, 1.0).segments.empty());
  EXPECT_TRUE(closed({0.0, 1e300}, std::numeric_limits<double>::infinity()).segments.empty());
  EXPECT_TRUE(closed({0.0, 1e300}, 0.0).segments.empty());
}

TEST(Gaps, ThatAreWideAreLeftBetweenOneAndThreeSeparations) {
  const auto column = closed({0.0, 1.0, 1e20, 1e20, -1e36}, 10.0);
  EXPECT_EQ(column(1.0) - column(0.0), 1.0);
  EXPECT_EQ(column.segments.size(), 3U);
  for (const double gap : {column(1e20) - column(1.0), column(0.0) - column(-1e36)}) {
    EXPECT_GE(gap, 10.0);
    EXPECT_LE(gap, 30.0);
  }
}

// What G needs: a difference below the separation stays, and a wider one stays wider.
TEST(Gaps, KeepEveryDifferenceOrItsWidth) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto values = far_values(seed, 60);
    const double separation = std::ldexp(1.0, static_cast<int>(seed % 40) - 20);
    const auto column = closed(values, separation);
    if (column.segments.empty()) continue;
    for (const double x : values) {
      EXPECT_LT(std::abs(column(x)), separation * 1e4) << "around 0";
      for (const double y : values) {
        const double before = y - x, after = column(y) - column(x);
        if (std::abs(before) <= separation) {
          EXPECT_NEAR(after, before, 1e-11 * separation);
        } else {
          EXPECT_GE(std::abs(after), separation * (1.0 - 1e-11));
          EXPECT_EQ(std::signbit(after), std::signbit(before));
        }
      }
    }
  }
}

TEST(Gaps, KeepIntegersExact) {
  const auto column = closed({-7.0, 3.0, 4.0, 1e6, 1e6 + 1.0, 4e6}, 40.0);
  EXPECT_EQ(column.segments.size(), 3U);
  for (const double z : {-7.0, 3.0, 4.0, 1e6, 1e6 + 1.0, 4e6}) {
    EXPECT_EQ(column(z), std::nearbyint(column(z)));
  }
}

TEST(Gaps, BeyondTheMostAreTheNarrowestAndStay) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1e3 * i + (i >= 500 ? 1e9 : 0.0));
  const auto column = closed(values, 1.0, 100);
  EXPECT_EQ(column.segments.size(), 101U);
  EXPECT_LT(column(values[500]) - column(values[499]), 4.0);
}

TEST(Gaps, AreAllClosedUnlessColumnsAreVeryMany) {
  EXPECT_EQ(most_closed_gaps(1), std::size_t{1} << 24);
  EXPECT_EQ(most_closed_gaps(1000), 16777U);
  EXPECT_EQ(most_closed_gaps(1000000), 255U);
}

TEST(Gaps, OfManyColumnsAreClosedInTheirOrder) {
  constexpr index_t rows = (index_t{1} << 21) + 1;  // columns of this length are read one by one
  std::vector<index_t> read;
  const auto closed = close_columns({2, 5, 7}, rows, {10.0, 255}, 2, Control(),
                                    [&](const std::vector<index_t>& some, double* values) {
                                      for (const index_t j : some) {
                                        std::fill(values, values + rows, 1.0);
                                        values[rows / 2] =
                                            j == 5 ? 2.0 : 1e20 * static_cast<double>(j);
                                        values += rows;
                                        read.push_back(j);
                                      }
                                    });
  EXPECT_EQ(read, (std::vector<index_t>{2, 5, 7}));
  ASSERT_EQ(closed.size(), 2U);
  EXPECT_EQ(closed[0].column, 2);
  EXPECT_EQ(closed[0].segments.back().begin, 2e20);
  EXPECT_EQ(closed[1].column, 7);
  EXPECT_EQ(closed[1].segments.back().begin, 7e20);
}

TEST(Gaps, OfMoreThanADoubleHoldsAreLeft) {
  EXPECT_TRUE(closed({-1.7e308, -0.6e308, 0.2e308, 1e308, 1.7e308}, 0x1p1021).segments.empty());
}

TEST(Gaps, ThatAreTooManyAreRefusedWhereDigitsAreLost) {
  std::vector<double> values;
  for (int i = 0; i < 300; ++i) values.push_back(std::pow(10.0, i));
  EXPECT_EQ(closed(values, 1.0, 299).segments.size(), 300U);
  EXPECT_THROW(closed(values, 1.0, 255), std::invalid_argument);
  for (double& value : values) value = std::min(value, 1e7);
  EXPECT_EQ(closed(values, 1.0, 2).segments.size(), 3U);
}

}  // namespace
}  // namespace eigentropy
