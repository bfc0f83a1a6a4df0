#include "cuda/rows/centered_rows.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "checkers.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::bitwise_equal;
using testing::by_precision;
using testing::near;

template <class T>
class Rows : public ::testing::Test {};
TYPED_TEST_SUITE(Rows, testing::Precisions, testing::PrecisionName);

template <class T>
std::string message_of_centering(const Queue& queue, const Matrix<T>& Z) {
  try {
    rows_on_device(queue, Z);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

// What the host makes of the same rows.
template <class T>
void expect_as_on_the_host(const DeviceRows<T>& X, const CenteredRows<T>& expected,
                           const Queue& queue, const std::string& name) {
  EXPECT_EQ(X.n, expected.n) << name;
  EXPECT_EQ(X.d, expected.d) << name;
  EXPECT_EQ(X.scale, expected.scale) << name;
  EXPECT_TRUE(bitwise_equal(to_host(queue, X.x.data(), X.n * X.d), *expected.copy)) << name;
  const auto norms = to_host(queue, X.norms.data(), X.n);
  const auto largest = static_cast<double>(X.max_norm);
  EXPECT_TRUE(all_near(norms, *expected.norms, by_precision<T>(1e-13, 1e-6) * largest));
  EXPECT_EQ(X.max_norm, *std::max_element(norms.begin(), norms.end())) << name;
}

TYPED_TEST(Rows, AreCenteredAsOnTheHost) {
  const Queue queue(0, nullptr);
  for (const auto& [name, Z, sigma] : cases<TypeParam>()) {
    expect_as_on_the_host(rows_on_device(queue, Z), testing::centered(Z), queue, name);
  }
}

TYPED_TEST(Rows, ThatAreManyAreSharedOut) {
  const Queue queue(0, nullptr);
  const auto Z = shifted(integer_grid<TypeParam>(1000, 33), 500.0);
  expect_as_on_the_host(rows_on_device(queue, Z), testing::centered(Z), queue, "many");
}

TYPED_TEST(Rows, WithWideGapsAreClosedAsOnTheHost) {
  const Queue queue(0, nullptr);
  const Control unused;
  auto Z = testing::gaussian_rows<TypeParam>(70, 40, 5);
  for (index_t i = 0; i < 30; ++i) {
    for (index_t j = i % 5; j < 40; j += 5) Z(i, j) = static_cast<TypeParam>(i % 2 ? 1e20 : -1e36);
  }
  Z(69, 1) = 1e4;
  for (const double separation : {1.0, 40.0}) {
    const auto expected =
        eigentropy::center_rows<TypeParam, TypeParam>(Z.input(), {separation, false}, 1, unused);
    ASSERT_EQ(expected.centers->closed.size(), 40U);
    expect_as_on_the_host(
        center_rows<TypeParam>(queue, upload(queue, Z).source, {separation, false}),
        in_memory(expected, 1), queue, "closed");
  }
}

TYPED_TEST(Rows, MayBeChosenAndHaveStrides) {
  const Queue queue(0, nullptr);
  // Two rows apart and every third number of them.
  const auto wide = testing::gaussian_rows<TypeParam>(60, 15, 8);
  const std::vector<index_t> chosen{4, 0, 29, 4, 17};
  const auto there = upload(queue, wide);
  const auto choice = to_device(queue, chosen.data(), 5);
  const Source source{there.memory.data(), type_of<TypeParam>, 5, 5, 30, 3, choice.data()};
  Matrix<TypeParam> Z(5, 5);
  for (index_t i = 0; i < 5; ++i) {
    for (index_t j = 0; j < 5; ++j) Z(i, j) = wide(2 * chosen[static_cast<std::size_t>(i)], 3 * j);
  }
  expect_as_on_the_host(center_rows<TypeParam>(queue, source), testing::centered(Z), queue,
                        "chosen");
  const std::vector<index_t> wanted{3, 0};
  const auto taken = take_rows<TypeParam>(queue, source, wanted.data(), 2);
  for (index_t j = 0; j < 5; ++j) {
    EXPECT_EQ(taken[j], Z(3, j));
    EXPECT_EQ(taken[5 + j], Z(0, j));
  }
}

TYPED_TEST(Rows, WithNaNOrInfinityAreFound) {
  const Queue queue(0, nullptr);
  auto Z = testing::gaussian_rows<TypeParam>(40, 70, 9);
  auto found = find_nonfinite_rows(queue, upload(queue, Z).source);
  EXPECT_EQ(found.count, 0);
  EXPECT_EQ(found.first, -1);
  Z(7, 69) = std::numeric_limits<TypeParam>::quiet_NaN();
  Z(39, 0) = -std::numeric_limits<TypeParam>::infinity();
  found = find_nonfinite_rows(queue, upload(queue, Z).source);
  EXPECT_EQ(found.count, 2);
  EXPECT_EQ(found.first, 7);
}

TYPED_TEST(Rows, ThatAreNotFiniteAreNamed) {
  const Queue queue(0, nullptr);
  auto Z = testing::gaussian_rows<TypeParam>(40, 3, 9);
  Z(12, 1) = std::numeric_limits<TypeParam>::quiet_NaN();
  EXPECT_EQ(message_of_centering(queue, Z), "row 12 of 40 has entries that are NaN or infinite");
}

TYPED_TEST(Rows, LargestDistanceFromTheCenterIsThatOfTheFarthest) {
  const Queue queue(0, nullptr);
  Matrix<TypeParam> Z(4, 2, TypeParam(0));
  Z(0, 0) = 8;  // mean (2, 0); the distances are 6, 2, 2, 2
  EXPECT_EQ(largest_distance_from_center(queue, upload(queue, Z).source), 6.0);
  EXPECT_EQ(largest_distance_from_center(queue, upload(queue, Matrix<TypeParam>(9, 3, 5)).source),
            0.0);
}

TEST(RowsOfDoubles, DistancesWhoseSquaresOverflowAreFound) {
  const Queue queue(0, nullptr);
  Matrix<double> Z(2, 1, 1e300);
  Z(1, 0) = -1e300;
  EXPECT_TRUE(
      near(largest_distance_from_center(queue, upload(queue, Z).source) / 1e300, 1.0, 1e-15));
}

TEST(RowsOfDoubles, BecomeFloatsOnceTheyAreCentered) {
  const Queue queue(0, nullptr);
  const auto Z = shifted(testing::gaussian_rows<double>(20, 4, 3), 1e9);
  const auto X = center_rows<float>(queue, upload(queue, Z).source);
  const auto expected = in_memory(eigentropy::center_rows<double, float>(Z.input(), 1), 1);
  expect_as_on_the_host(X, expected, queue, "floats");
}

// All 65 536 of each type, against an arithmetic of their bits.
double half_of(unsigned bits, int exponent_bits, int fraction_bits) {
  const unsigned fraction = bits & ((1U << fraction_bits) - 1);
  const int exponent = static_cast<int>(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = (bits >> 15) == 0 ? 1.0 : -1.0;
  if (exponent == (1 << exponent_bits) - 1) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  const double size = exponent == 0 ? fraction : fraction + (1U << fraction_bits);
  return sign * std::ldexp(size, std::max(1, exponent) - bias - fraction_bits);
}

TEST(RowsOfHalves, AreDecoded) {
  const Queue queue(0, nullptr);
  std::vector<std::uint16_t> bits(1 << 16);
  for (unsigned i = 0; i < 1 << 16; ++i) bits[i] = static_cast<std::uint16_t>(i);
  const auto there = to_device(queue, bits.data(), 1 << 16);
  const index_t all_rows = 0;
  struct Format {
    Type type;
    int exponent_bits, fraction_bits;
  };
  for (const Format& format : {Format{Type::float16, 5, 10}, Format{Type::bfloat16, 8, 7}}) {
    const Source source{there.data(), format.type, 1, 1 << 16, 1 << 16, 1};
    const auto values = take_rows<float>(queue, source, &all_rows, 1);
    for (unsigned i = 0; i < 1 << 16; ++i) {
      const double expected = half_of(i, format.exponent_bits, format.fraction_bits);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(values[i])) << i;
      } else {
        ASSERT_EQ(static_cast<double>(values[i]), expected) << i;
        ASSERT_EQ(std::signbit(values[i]), std::signbit(expected)) << i;
      }
    }
    EXPECT_EQ(
        find_nonfinite_rows(queue, {there.data(), format.type, 1 << 8, 1 << 8, 1 << 8, 1}).first,
        format.type == Type::float16 ? 0x7c : 0x7f);
  }
}

}  // namespace
}  // namespace eigentropy::cuda
