// How exact products are, which pairs of tiles are products, and which are left out.
#include "cuda/kernel/precision.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "cuda/kernel/gaussian_sweep.hpp"
#include "cuda/kernel/sweep_plan.hpp"
#include "cuda/kernel/warpgroup_sweep.hpp"
#include "cuda/kernel/written_tiles.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::bitwise_equal;
using testing::by_precision;
using testing::gaussian_rows;

template <class T>
class Precision : public ::testing::Test {};
TYPED_TEST_SUITE(Precision, testing::Precisions, testing::PrecisionName);

template <class T>
constexpr T far_away = std::numeric_limits<T>::infinity();

template <class T>
Matrix<T> scaled_rows(Matrix<T> Z, const std::vector<double>& lengths) {
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t k = 0; k < Z.cols(); ++k) {
      Z(i, k) = static_cast<T>(static_cast<double>(Z(i, k)) * lengths[static_cast<std::size_t>(i)]);
    }
  }
  return Z;
}

// G as it is written, and the rows in its order.
template <class T>
struct Written {
  Matrix<T> G, rows;
  double exponent_scale;
};

template <class T>
Written<T> written(const Queue& queue, const PackedRows<T>& X) {
  const DeviceBuffer<T> there(queue, X.n * X.stride);
  Control control;
  Stage stage(control, 0.0, 1.0, sweep_launches(queue, X, 0));
  write_gaussian(queue, X, there.data(), stage);
  const auto G = to_host(queue, there.data(), there.size());
  const auto x = to_host(queue, X.x.data(), X.x.size());
  Written<T> result{Matrix<T>(X.n, X.n), Matrix<T>(X.n, X.depth),
                    static_cast<double>(X.exponent_scale)};
  for (index_t i = 0; i < X.n; ++i) {
    for (index_t j = 0; j < X.n; ++j) result.G(i, j) = G[i * X.stride + j];
    for (index_t k = 0; k < X.depth; ++k) result.rows(i, k) = x[k * X.stride + i];
  }
  return result;
}

// The entries of G as the path's sweep has them: its products with the columns of the identity.
template <class T>
Written<T> multiplied(const Queue& queue, const PackedRows<T>& X) {
  const index_t n = X.n;
  Matrix<T> V(n, n);
  for (index_t i = 0; i < n; ++i) {
    for (index_t c = 0; c < n; ++c) V(i, c) = i == c ? T(1) : T(0);
  }
  const auto there = to_device(queue, V.data(), n * n);
  const std::vector<double> ones(static_cast<std::size_t>(n), 1.0);
  const auto factors = to_device(queue, ones.data(), n);
  const DeviceBuffer<double> out(queue, n * n);
  Control control;
  Stage stage(control, 0.0, 1.0, sweep_launches(queue, X, n));
  gaussian_sweep<T, double>(queue, X, Entries::plain, factors.data(), there.data(), n, out.data(),
                            stage);
  Written<T> result = written(queue, X);  // whose rows are packed
  const auto G = to_host(queue, out.data(), n * n);
  std::vector<int> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  if (X.order.size() > 0) {
    const auto packed = to_host(queue, X.order.data(), n);
    std::copy(packed.begin(), packed.end(), order.begin());
  }
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) {
      const auto row = order[static_cast<std::size_t>(i)], col = order[static_cast<std::size_t>(j)];
      result.G(i, j) = static_cast<T>(G[row * n + col]);
    }
  }
  return result;
}

// The largest error of an exponent in units of eps (|x|^2 + |y|^2) and eps |x||y|, by the rule's
// weights, beside that of the exponential itself.
struct ErrorOfExponents {
  double of_rule = 0.0, of_one_direction = 0.0;
};

template <class T>
ErrorOfExponents error_of_exponents(const Written<T>& found, index_t d, Path path) {
  const double eps = testing::epsilon<T>;
  const SumOfProducts sum = sum_of_products(path);
  const Chains chains(d, sum);
  ErrorOfExponents worst;
  for (index_t i = 0; i < found.G.rows(); ++i) {
    for (index_t j = 0; j < i; ++j) {
      long double r2 = 0, x2 = 0, y2 = 0;  // float64 would be no more exact than what is tested
      for (index_t k = 0; k < found.rows.cols(); ++k) {
        const long double x = found.rows(i, k), y = found.rows(j, k);
        r2 += (x - y) * (x - y);
        x2 += x * x;
        y2 += y * y;
      }
      const long double exact = found.exponent_scale * r2;
      // Halves have smaller entries with an absolute error.
      if (exact < -16.0) continue;
      const double rounding = 4.0 * eps * (1.0 + static_cast<double>(std::abs(exact)));
      const auto entry = static_cast<long double>(found.G(i, j));
      const double error = static_cast<double>(std::abs(std::log2(entry) - exact)) - rounding;
      const auto squares = static_cast<double>(x2 + y2), xy = static_cast<double>(sqrtl(x2 * y2));
      const auto share = [&](double of_products) {
        return error /
               (-found.exponent_scale * eps * (error_of_norms<T> * squares + of_products * xy));
      };
      worst.of_rule = std::max(worst.of_rule, share(chains.error() + sum.others));
      worst.of_one_direction =
          std::max(worst.of_one_direction,
                   share(chains.error_of_one_direction() + sum.others_of_one_direction));
    }
  }
  return worst;
}

// Clusters of rows so near each other that their products hardly differ: errors of x.y are the
// largest there.
template <class T>
Matrix<T> near_rows(index_t n, index_t d) {
  const auto centers = gaussian_rows<T>(n, d, 1), noise = gaussian_rows<T>(n, d, 2);
  Matrix<T> Z(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < d; ++k) Z(i, k) = centers(i % 7, k) + T(1e-3) * noise(i, k);
  }
  return Z;
}

// |x|^2 times the scale of the exponent is a few, so that no exponential is small.
template <class T>
PackedRows<T> products_of(const Queue& queue, const Matrix<T>& Z) {
  double longest = 0.0;
  for (index_t i = 0; i < Z.rows(); ++i) {
    double norm = 0.0;
    for (index_t k = 0; k < Z.cols(); ++k) {
      norm += static_cast<double>(Z(i, k)) * static_cast<double>(Z(i, k));
    }
    longest = std::max(longest, norm);
  }
  PackedRows<T> X = pack_rows(queue, rows_on_device(queue, Z), 0.3 * std::sqrt(longest));
  X.rule.of_squares = X.rule.of_products = 0;
  return X;
}

template <class T>
std::vector<Path> paths() {
  if (sizeof(T) == sizeof(double)) return {Path::threads};
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  if (properties.major < 8) return {Path::threads};
  std::vector<Path> found{Path::threads, Path::registers};
  if (has_warpgroups(Queue(0, nullptr))) found.push_back(Path::warpgroups);
  return found;
}

template <class T, class Body>
void for_each_path(const Body& body) {
  for (const Path path : paths<T>()) {
    SCOPED_TRACE(path == Path::threads     ? "threads"
                 : path == Path::registers ? "registers"
                                           : "warpgroups");
    sweep_override().path = path;
    body(path);
    sweep_override().path.reset();
  }
}

TYPED_TEST(Precision, OfRowsNearEachOtherIsThatOfTheRule) {
  const Queue queue(0, nullptr);
  for_each_path<TypeParam>([&](Path path) {
    double largest = 0.0;
    for (const index_t d : {8, 16, 128, 129, 784, 3000}) {
      SCOPED_TRACE(d);
      for (const auto& Z : {near_rows<TypeParam>(60, d), gaussian_rows<TypeParam>(60, d, 3)}) {
        const auto worst = error_of_exponents(multiplied(queue, products_of(queue, Z)), d, path);
        EXPECT_LE(worst.of_rule, 1.0);
        largest = std::max(largest, worst.of_rule);
      }
    }
    EXPECT_GE(largest, 0.4);  // the rule asks for no more than it must
  });
}

// All rounding errors of a sum have one direction.
TYPED_TEST(Precision, OfRowsOfOneNumberRepeatedIsTheWorstCase) {
  const Queue queue(0, nullptr);
  for_each_path<TypeParam>([&](Path path) {
    double worst = 0.0;
    for (const index_t d : {8, 16, 128, 784, 3000}) {
      SCOPED_TRACE(d);
      const auto Z = repeated_numbers<TypeParam>(60, d);
      const auto errors = error_of_exponents(multiplied(queue, products_of(queue, Z)), d, path);
      EXPECT_LE(errors.of_one_direction, 1.0);
      worst = std::max(worst, errors.of_one_direction);
    }
    EXPECT_GE(worst, 0.2);
  });
}

// Lengths are those of the exact rows or outside them.
TYPED_TEST(Precision, LengthsOfTilesEncloseThoseOfTheirRows) {
  using T = TypeParam;
  std::vector<double> lengths;
  for (int i = 0; i < 300; ++i) lengths.push_back(std::pow(1.05, i % 150));
  const Queue queue(0, nullptr);
  const auto Z = scaled_rows(gaussian_rows<T>(300, 5, 1), lengths);
  const auto X = pack_rows(queue, rows_on_device(queue, Z), 1.0);
  ASSERT_GT(X.order.size(), 0);
  const auto ranges = to_host(queue, X.lengths.data(), X.tiles());
  const auto x = to_host(queue, X.x.data(), X.x.size());
  double before = 0.0;
  for (index_t i = 0; i < X.n; ++i) {
    double norm = 0.0;
    for (index_t k = 0; k < X.depth; ++k) {
      norm += std::pow(static_cast<double>(x[k * X.stride + i]), 2);
    }
    const double length = std::sqrt(norm);
    EXPECT_LE(static_cast<double>(ranges[i / X.side].shortest), length);
    EXPECT_GE(static_cast<double>(ranges[i / X.side].longest), length);
    EXPECT_GE(length, before * (1.0 - 2.0 * testing::epsilon<T>));  // sorted
    before = length;
  }
}

TYPED_TEST(Precision, RowsThatAreAllProductsStayWhereTheyAre) {
  const Queue queue(0, nullptr);
  const auto X = pack_rows(queue, rows_on_device(queue, gaussian_rows<TypeParam>(300, 50, 1)), 5.0);
  EXPECT_EQ(X.order.size(), 0);
  const auto ways = count_tile_ways(queue, X);
  EXPECT_EQ(ways.products, X.tiles() * X.tiles());
}

// Long rows that were in every tile are in the last one.
TYPED_TEST(Precision, FewLongRowsMakeFewPairsOfDifferences) {
  using T = TypeParam;
  std::vector<double> lengths(640, 1.0);
  for (std::size_t i = 0; i < lengths.size(); i += 40) lengths[i] = by_precision<T>(2000.0, 60.0);
  const Queue queue(0, nullptr);
  const auto Z = scaled_rows(gaussian_rows<T>(640, 100, 1), lengths);
  // So wide a kernel that no distance is too large to matter.
  const auto X = pack_rows(queue, rows_on_device(queue, Z), by_precision<T>(100.0, 30.0));
  const auto ways = count_tile_ways(queue, X);
  EXPECT_EQ(ways.differences, 2 * X.tiles() - 1);
  EXPECT_EQ(ways.products, (X.tiles() - 1) * (X.tiles() - 1));
  EXPECT_EQ(ways.nothing, 0);
}

// Rows on shells that are further apart than G reaches, in the middle of their tiles or not.
template <class T>
Matrix<T> shells(index_t n) {
  std::vector<double> lengths;
  for (index_t i = 0; i < n; ++i) {
    lengths.push_back(by_precision<T>(45.0, 16.0) * static_cast<double>(i % 7));
  }
  auto Z = gaussian_rows<T>(n, 5, 1);
  for (index_t i = 0; i < n; ++i) {
    double norm = 0.0;
    for (index_t k = 0; k < 5; ++k) norm += std::pow(static_cast<double>(Z(i, k)), 2);
    lengths[static_cast<std::size_t>(i)] /= std::sqrt(norm);
  }
  return scaled_rows(Z, lengths);
}

template <class T>
Matrix<T> swept(const Queue& queue, const PackedRows<T>& X, Entries entries, index_t m) {
  const auto V = gaussian_rows<T>(X.n, m, 2);
  const auto there = to_device(queue, V.data(), static_cast<index_t>(V.size()));
  const std::vector<double> ones(static_cast<std::size_t>(X.n), 1.0);
  const auto factors = to_device(queue, ones.data(), X.n);
  const DeviceBuffer<T> out(queue, there.size());
  Control control;
  Stage stage(control, 0.0, 1.0, sweep_launches(queue, X, m));
  gaussian_sweep<T, T>(queue, X, entries, factors.data(), there.data(), m, out.data(), stage);
  const auto values = to_host(queue, out.data(), out.size());
  Matrix<T> result(X.n, m);
  std::copy(values.begin(), values.end(), result.data());
  return result;
}

TYPED_TEST(Precision, TilesThatAreLeftOutChangeNoBit) {
  using T = TypeParam;
  const Queue queue(0, nullptr);
  for_each_path<T>([&](Path) {
    for (const index_t blocks : {1, 100}) {
      sweep_override().blocks = blocks;
      auto X = pack_rows(queue, rows_on_device(queue, shells<T>(700)), 1.0);
      EXPECT_GT(count_tile_ways(queue, X).nothing, 0);
      const auto G = written(queue, X).G;
      const auto plain = swept(queue, X, Entries::plain, 20);
      const auto squared = swept(queue, X, Entries::squared, 3);
      X.rule.nothing = far_away<T>;
      EXPECT_EQ(count_tile_ways(queue, X).nothing, 0);
      EXPECT_TRUE(bitwise_equal(G, written(queue, X).G));
      EXPECT_TRUE(bitwise_equal(plain, swept(queue, X, Entries::plain, 20)));
      EXPECT_TRUE(bitwise_equal(squared, swept(queue, X, Entries::squared, 3)));
      sweep_override().blocks = 0;
    }
  });
}

// The least distance whose exponential is left out, and what is a little less.
TYPED_TEST(Precision, WhatIsLeftOutIsZero) {
  using T = TypeParam;
  const auto rule = precision_rule<T>(Path::threads, 10, -0.5);
  const T reach = std::sqrt(rule.nothing);
  EXPECT_EQ(std::exp2(static_cast<T>(-0.5 * 1.4426950408889634) * rule.nothing), T(0));
  EXPECT_GT(std::exp2(static_cast<T>(-0.5 * 1.4426950408889634) * (T(0.96) * rule.nothing)), T(0));
  const LengthRange<T> near{0, 1};
  EXPECT_EQ(rule.way(near, {T(1.01) * reach + 1, 2 * reach}), TileWay::nothing);
  EXPECT_NE(rule.way(near, {T(0.99) * reach + 1, 2 * reach}), TileWay::nothing);
  EXPECT_NE(rule.way({0, 2 * reach}, {0, 2 * reach}), TileWay::nothing);
}

// Long rows whose distance is so large that G is below 1e-20 need no differences.
TYPED_TEST(Precision, OnlyDistancesThatMatterAreDifferences) {
  using T = TypeParam;
  const auto rule = precision_rule<T>(Path::threads, 10, -0.5);
  const T far = by_precision<T>(1e6, 1e3);
  EXPECT_EQ(rule.way({far, far}, {far, far}), TileWay::differences);
  EXPECT_EQ(rule.way({far, far}, {far + 5, far + 5}), TileWay::differences);
  EXPECT_EQ(rule.way({far, far}, {far + 12, far + 12}), TileWay::products);
}

}  // namespace
}  // namespace eigentropy::cuda
