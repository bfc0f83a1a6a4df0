// Rows and vectors as the sums of two halves.
#include "cuda/kernel/packed_halves.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cuda/kernel/split_vectors.hpp"
#include "matrices.hpp"

namespace eigentropy::cuda {
namespace {

double number(__half x) { return static_cast<double>(__half2float(x)); }

// Columns of `stride` rows, of which n are there, and each tile of rows is 1e3 times the one
// before.
TEST(PackedHalves, AreTheRowsTo22Bits) {
  constexpr index_t n = 300, d = 70, stride = 384;
  const auto numbers = testing::gaussian_rows<float>(n, d, 1);
  std::vector<float> x(static_cast<std::size_t>(d * stride), 5.0F);
  for (index_t i = 0; i < n; ++i) {
    for (index_t k = 0; k < d; ++k) {
      x[static_cast<std::size_t>(k * stride + i)] =
          numbers(i, k) * std::pow(1e3F, static_cast<float>(i / halves_side));
    }
  }
  const Queue queue(0, nullptr);
  const auto there = to_device(queue, x.data(), d * stride);
  const PackedHalves packed = pack_halves(queue, there.data(), n, d, stride);
  ASSERT_EQ(packed.rows, 384);
  ASSERT_EQ(packed.depth, 128);
  const auto high = to_host(queue, packed.high.data(), packed.high.size());
  const auto low = to_host(queue, packed.low.data(), packed.low.size());
  const auto scales = to_host(queue, packed.tile_scales.data(), 3);
  for (index_t tile = 0; tile < 3; ++tile) {
    double largest = 0.0;
    for (index_t i = tile * halves_side; i < (tile + 1) * halves_side; ++i) {
      for (index_t k = 0; k < packed.depth; ++k) {
        const index_t place = i * packed.depth + k;
        const double sum = number(high[place]) + number(low[place]);
        const bool is_there = i < n && k < d;
        const double expected =
            is_there ? static_cast<double>(x[static_cast<std::size_t>(k * stride + i)]) /
                           static_cast<double>(scales[tile])
                     : 0.0;
        EXPECT_LE(std::abs(sum - expected),
                  std::max(std::ldexp(std::abs(expected), -22), std::ldexp(1.0, -25)));
        largest = std::max(largest, std::abs(expected));
      }
    }
    EXPECT_GE(largest, std::ldexp(1.0, 14));
    EXPECT_LT(largest, std::ldexp(1.0, 15));
  }
}

// Rows that differ by 2^40 within a tile, as weights may.
TEST(SplitVectors, KeepFiveDigitsOfRowsOfEverySize) {
  constexpr index_t rows = 128, m = 5;
  const auto numbers = testing::gaussian_rows<float>(rows, m, 1);
  std::vector<float> V(static_cast<std::size_t>(rows * m)), norms(static_cast<std::size_t>(rows));
  for (index_t j = 0; j < rows; ++j) {
    norms[static_cast<std::size_t>(j)] = static_cast<float>(j);
    for (index_t c = 0; c < m; ++c) {
      const float value = (numbers(j, c) > 0 ? 1.0F : -1.0F) * (1.0F + std::abs(numbers(j, c)));
      V[static_cast<std::size_t>(j * m + c)] = std::ldexp(value, -static_cast<int>(j % 41));
    }
  }
  const Queue queue(0, nullptr);
  const auto there = to_device(queue, V.data(), rows * m);
  const auto norms_there = to_device(queue, norms.data(), rows);
  const SplitVectors split = split_vectors(queue, there.data(), rows, m, norms_there.data(), -0.5F);
  ASSERT_EQ(split.width, 32);
  const auto high = to_host(queue, split.high.data(), rows * 32);
  const auto low = to_host(queue, split.low.data(), rows * 32);
  const auto scales = to_host(queue, split.scales.data(), 64);
  const auto columns = to_host(queue, split.columns.data(), rows);
  for (index_t j = 0; j < rows; ++j) {
    const double factor = static_cast<double>(columns[j].factor);
    EXPECT_EQ(columns[j].exponent, -0.5F * static_cast<float>(j));
    EXPECT_LE(factor, std::ldexp(1.0, 15));
    // Entries of 1 keep as many.
    EXPECT_GE(factor, std::ldexp(1.0, -5));
    for (index_t c = 0; c < 32; ++c) {
      const double scale = static_cast<double>(scales[j / vector_tile * 32 + c]);
      const double value = factor * scale * (number(high[j * 32 + c]) + number(low[j * 32 + c]));
      const double expected =
          c < m ? static_cast<double>(V[static_cast<std::size_t>(j * m + c)]) : 0;
      EXPECT_LE(std::abs(value - expected), 4e-6 * std::abs(expected));
    }
  }
}

}  // namespace
}  // namespace eigentropy::cuda
