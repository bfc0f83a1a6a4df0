// The instructions of the tensor cores do what PTX says, written out with the fragments' layouts.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "cuda/kernel/register_tile.hpp"
#include "cuda/kernel/tensor_core.hpp"
#include "matrices.hpp"

namespace eigentropy::cuda {
namespace {

using testing::Matrix;

__half as_half(float x) { return __float2half_rn(x); }
double number(__half x) { return static_cast<double>(__half2float(x)); }

std::vector<__half> random_halves(index_t count, unsigned seed) {
  std::vector<__half> all;
  for (const float x : testing::gaussian_rows<float>(count, 1, seed)) all.push_back(as_half(x));
  return all;
}

unsigned two(__half low, __half high) {
  unsigned short words[2];
  std::memcpy(words, &low, 2);
  std::memcpy(words + 1, &high, 2);
  return words[0] | static_cast<unsigned>(words[1]) << 16;
}

// D += A B by one warp, as PTX ISA lays out mma.m16n8k16: the index of each of a lane's halves, one
// after the other.
__global__ void multiply(const __half* A, const __half* B, float* D) {
  const int lane = static_cast<int>(threadIdx.x), group = lane / 4, member = lane % 4;
  const auto a = [&](int i) {
    const int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
    const int col = member * 2 + i % 2 + (i >= 4 ? 8 : 0);
    return A[row * 16 + col];
  };
  const auto b = [&](int i) {
    const int row = member * 2 + i % 2 + (i >= 2 ? 8 : 0);
    return B[row * 8 + group];
  };
  const auto place = [&](int i) { return (i < 2 ? group : group + 8) * 8 + member * 2 + i % 2; };
  const unsigned of_a[4] = {two(a(0), a(1)), two(a(2), a(3)), two(a(4), a(5)), two(a(6), a(7))};
  float d[4];
  for (int i = 0; i < 4; ++i) d[i] = D[place(i)];
  HalfCore::add_product(of_a, two(b(0), b(1)), two(b(2), b(3)), d);
  for (int i = 0; i < 4; ++i) D[place(i)] = d[i];
}

std::vector<float> product(const std::vector<__half>& A, const std::vector<__half>& B,
                           const std::vector<float>& D) {
  const Queue queue(0, nullptr);
  const auto a = to_device(queue, A.data(), 256), b = to_device(queue, B.data(), 128);
  const auto d = to_device(queue, D.data(), 128);
  launch(queue, multiply, 1, 32, 0, a.data(), b.data(), d.data());
  const auto back = to_host(queue, d.data(), 128);
  return {back.begin(), back.end()};
}

std::vector<double> exact(const std::vector<__half>& A, const std::vector<__half>& B,
                          const std::vector<float>& D) {
  std::vector<double> sums(D.begin(), D.end());
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 8; ++j) {
      for (int k = 0; k < 16; ++k) sums[i * 8 + j] += number(A[i * 16 + k]) * number(B[k * 8 + j]);
    }
  }
  return sums;
}

TEST(HalfCore, MultipliesIntegersExactly) {
  std::vector<__half> A, B;
  std::vector<float> D;
  for (int i = 0; i < 256; ++i) A.push_back(as_half(static_cast<float>(i * 7 % 101 - 50)));
  for (int i = 0; i < 128; ++i) B.push_back(as_half(static_cast<float>(i * 13 % 89 - 40)));
  for (int i = 0; i < 128; ++i) D.push_back(static_cast<float>(1000 - 9 * i));
  const auto actual = product(A, B, D);
  EXPECT_EQ(std::vector<double>(actual.begin(), actual.end()), exact(A, B, D));
}

TEST(HalfCore, IsWrongByTheTruncationOfItsSums) {
  double largest = 0.0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto A = random_halves(256, 3 * seed), B = random_halves(128, 3 * seed + 1);
    const auto rows = testing::gaussian_rows<float>(128, 1, 3 * seed + 2);
    const std::vector<float> D(rows.begin(), rows.end());
    const auto actual = product(A, B, D);
    const auto expected = exact(A, B, D);
    for (int i = 0; i < 128; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(actual[i]) - expected[i]));
    }
  }
  EXPECT_GT(largest, 0.0);
  EXPECT_LE(largest, 20 * std::ldexp(16.0, -23));  // eighteen terms of at most 16
}

// out[lane][q][k] <- what a lane has of four matrices, whose rows are `pitch` halves apart.
__global__ void take(const __half* matrices, int pitch, bool transposed, __half* out) {
  __half* const shared = shared_memory<__half>();
  const auto lane = static_cast<int>(threadIdx.x);
  for (int k = 0; k < pitch; ++k) shared[lane * pitch + k] = matrices[lane * pitch + k];
  __syncwarp();
  unsigned r[4];
  if (transposed) {
    HalfCore::load<true>(shared + lane * pitch, r);
  } else {
    HalfCore::load<false>(shared + lane * pitch, r);
  }
  for (int q = 0; q < 4; ++q) {
    for (int k = 0; k < 2; ++k) {
      const auto word = static_cast<unsigned short>(r[q] >> (16 * k));
      std::memcpy(out + (lane * 4 + q) * 2 + k, &word, 2);
    }
  }
}

TEST(HalfCore, LoadsMatricesAndTheirTransposes) {
  constexpr int pitch = 24;  // rows need not follow each other
  const auto matrices = random_halves(32 * pitch, 1);
  const Queue queue(0, nullptr);
  const auto there = to_device(queue, matrices.data(), 32 * pitch);
  for (const bool transposed : {false, true}) {
    const DeviceBuffer<__half> out(queue, 256);
    launch(queue, take, 1, 32, 32 * pitch * sizeof(__half), there.data(), pitch, transposed,
           out.data());
    const auto actual = to_host(queue, out.data(), 256);
    for (int lane = 0; lane < 32; ++lane) {
      for (int q = 0; q < 4; ++q) {
        for (int k = 0; k < 2; ++k) {
          const int first = lane / 4, second = lane % 4 * 2 + k;
          const int row = transposed ? second : first, col = transposed ? first : second;
          EXPECT_EQ(number(actual[(lane * 4 + q) * 2 + k]),
                    number(matrices[(q * 8 + row) * pitch + col]));
        }
      }
    }
  }
}

// Two groups of copies, read after waiting for the older one and for both, and not at all.
__global__ void copy_in_groups(const int* from, int* out, bool waits) {
  int* const shared = shared_memory<int>();
  start_copy(shared, from);
  end_group_of_copies();
  start_copy(shared + 4, from + 4);
  end_group_of_copies();
  if (waits) wait_for_copies<1>();
  for (int i = 0; i < 8; ++i) out[i] = shared[i];
  wait_for_copies<0>();
  for (int i = 0; i < 8; ++i) out[8 + i] = shared[i];
}

TEST(HalfCore, CopiesAreThereWhenTheThreadHasWaited) {
  const Queue queue(0, nullptr);
  const std::vector<int> from = {1, 2, 3, 4, 5, 6, 7, 8};
  const auto there = to_device(queue, from.data(), 8);
  const DeviceBuffer<int> out(queue, 16);
  launch(queue, copy_in_groups, 1, 1, 64, there.data(), out.data(), true);
  auto back = to_host(queue, out.data(), 16);
  EXPECT_EQ(std::vector<int>(back.begin(), back.begin() + 4), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(std::vector<int>(back.begin() + 8, back.end()), from);
#ifdef EIGENTROPY_CUDA_EMULATED
  // Nothing is there before it must be.
  EXPECT_EQ(std::vector<int>(back.begin() + 4, back.begin() + 8), std::vector<int>(4, -1));
  launch(queue, copy_in_groups, 1, 1, 64, there.data(), out.data(), false);
  back = to_host(queue, out.data(), 16);
  EXPECT_EQ(std::vector<int>(back.begin(), back.begin() + 8), std::vector<int>(8, -1));
#endif
}

// The banks of 4 bytes that eight rows of 16 bytes are in.
TEST(RegisterTile, ReadsMatricesFromAllBanks) {
  for (int first = 0; first < RegisterTile::rows; first += 8) {
    for (int pack = 0; pack < 4; ++pack) {
      std::vector<bool> taken(32, false);
      for (int line = first; line < first + 8; ++line) {
        const int byte = 2 * RegisterTile::place(line, pack);
        for (int bank = byte / 4 % 32; bank < byte / 4 % 32 + 4; ++bank) {
          EXPECT_FALSE(taken[static_cast<std::size_t>(bank)]);
          taken[static_cast<std::size_t>(bank)] = true;
        }
      }
    }
  }
}

TEST(RegisterTile, HasAPlaceForEachPackOfASlice) {
  std::vector<bool> taken(static_cast<std::size_t>(RegisterTile::rows) * 4, false);
  for (int line = 0; line < RegisterTile::rows; ++line) {
    for (int pack = 0; pack < 4; ++pack) {
      const auto place = static_cast<std::size_t>(RegisterTile::place(line, pack));
      ASSERT_EQ(place % 8, 0U);
      ASSERT_LT(place / 8, taken.size());
      EXPECT_FALSE(taken[place / 8]);
      taken[place / 8] = true;
    }
  }
}

}  // namespace
}  // namespace eigentropy::cuda
