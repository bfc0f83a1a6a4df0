// Sizes: what fits into BLAS's 32 bits, and that nothing of ours is computed in them.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>

#include "base/eigen/band.hpp"
#include "base/tiles.hpp"
#include "cpu/blas.hpp"

namespace eigentropy::testing {
namespace {

constexpr index_t largest_int = 2147483647;

TEST(BlasSizes, OfThirtyTwoBitsPass) {
  for (const index_t size : {index_t{0}, index_t{46341}, largest_int}) {
    EXPECT_EQ(blas::to_blas(size), size);
  }
}

TEST(BlasSizes, BeyondThirtyTwoBitsAreRefusedWithBothNumbers) {
  for (const index_t size : {largest_int + 1, index_t{46341} * 46341, index_t{1} << 40}) {
    try {
      blas::to_blas(size);
      FAIL() << size << " passes";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(size)), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("2147483647"), std::string::npos);
    }
  }
}

TEST(WorkSizes, ThatAreExactStayAsTheyAre) {
  for (const index_t size : {1, 32, 1'600'000, (1 << 24) - 1}) {
    EXPECT_EQ(blas::work_size(static_cast<float>(size)), size);
    EXPECT_EQ(blas::work_size(static_cast<double>(size)), size);
  }
  EXPECT_EQ(blas::work_size(4294967296.0), index_t{1} << 32);
}

// 2^24 + 1 is no float: to the next even one that is below.
TEST(WorkSizes, ThatAFloatRoundedDownAreLargeEnough) {
  for (index_t size = (index_t{1} << 24) - 3; size < (index_t{1} << 24) + 50; ++size) {
    EXPECT_GE(blas::work_size(static_cast<float>(size)), size);
  }
  for (const index_t size : {index_t{33'554'433}, index_t{100'000'007}, largest_int}) {
    EXPECT_GE(blas::work_size(static_cast<float>(size)), size);
    EXPECT_LE(blas::work_size(static_cast<float>(size)), size + size / 1'000'000);
  }
}

// A query reads no matrix, so that it can be asked for one that would not fit.
TEST(WorkSizes, OfTheReductionOfAHugeMatrixHoldAllItsBlocks) {
  const int n = 600'001;  // n times the block, 32, is beyond 2^24
  float in_float = 0;
  double in_double = 0;
  ASSERT_EQ(blas::sytrd('L', n, nullptr, n, nullptr, nullptr, nullptr, &in_float, -1), 0);
  ASSERT_EQ(blas::sytrd('L', n, nullptr, n, nullptr, nullptr, nullptr, &in_double, -1), 0);
  EXPECT_GT(blas::work_size(in_double), index_t{1} << 24);
  EXPECT_GE(blas::work_size(in_float), blas::work_size(in_double));
}

// n = 46 341 is the first order with n * n beyond 32 bits.
TEST(Offsets, BeyondThirtyTwoBitsAreWhole) {
  constexpr index_t n = 46341, width = 64, columns = 40'000'000;
  static_assert(n * n > largest_int);
  static_assert(band_size(columns, width, band_stride(width)) ==
                (columns + width) * band_stride(width));
  EXPECT_EQ(upper_tile_count(100 * n), index_t{18102} * 18103 / 2);

  // Addresses of which nothing is read or written.
  constexpr std::size_t bytes = std::size_t{n} * n * sizeof(double);
  void* const memory =
      mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const data = static_cast<double*>(memory);
  EXPECT_EQ((SymmetricView<double>{data, n, n}.row(n - 1) - data), (n - 1) * n);
  EXPECT_EQ((MatrixView<double>{data, n, n, n}.row(n - 1) - data), (n - 1) * n);
  constexpr index_t stride = band_stride(width), last = n * n / stride - 1;
  EXPECT_EQ((BandView<double>{data, last + 1, width, stride}.column(last) - data), last * stride);
  munmap(memory, bytes);
}

}  // namespace
}  // namespace eigentropy::testing
