// What a warpgroup does on the emulated device: barriers, copies, products.
#include "cuda/kernel/warpgroup.hpp"

#include <cuda_fp16.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "checkers.hpp"
#include "cuda/kernel/tensor_map.hpp"
#include "matrices.hpp"

namespace eigentropy::cuda {
namespace {

using testing::gaussian_rows;
using testing::Matrix;

constexpr int rows_of_a = 64;

std::vector<__half> halves(const Matrix<float>& A) {
  std::vector<__half> rounded;
  for (const float value : A) rounded.push_back(__float2half_rn(value));
  return rounded;
}

double product_of_rows(const Matrix<float>& A, index_t i, const Matrix<float>& B, index_t j) {
  double sum = 0.0;
  for (index_t k = 0; k < A.cols(); ++k) {
    sum += static_cast<double>(__half2float(__float2half_rn(A(i, k)))) *
           static_cast<double>(__half2float(__float2half_rn(B(j, k))));
  }
  return sum;
}

// Shared memory from the first address on that is a multiple of 1024, in rows of 128 bytes; the
// barriers lie behind 256 of them.
struct Memory {
  std::uint32_t begin, barrier;
  __device__ Memory()
      : begin((warpgroup::shared_address(shared_memory<char>()) + 1023U) & ~1023U),
        barrier(begin + 256 * 128) {}
};
constexpr std::size_t memory_bytes = 1024 + 256 * 128 + 64;

// A box of each matrix goes to shared memory, one after the other.
__device__ void load(const Memory& memory, const CUtensorMap& a, const CUtensorMap& b,
                     int rows_of_b, int column) {
  if (threadIdx.x == 0) {
    warpgroup::init_barrier(memory.barrier, 1);
    warpgroup::publish_barriers();
    warpgroup::arrive_and_expect(memory.barrier,
                                 static_cast<unsigned>((rows_of_a + rows_of_b) * 128));
    warpgroup::copy_box(memory.begin, a, memory.barrier, column, 0);
    warpgroup::copy_box(memory.begin + rows_of_a * 128, b, memory.barrier, column, 0);
  }
  __syncthreads();
  warpgroup::wait_for_phase(memory.barrier, 0);
}

__global__ void multiply_from_shared(const __grid_constant__ CUtensorMap A,
                                     const __grid_constant__ CUtensorMap B, int column,
                                     bool accumulate, float* D) {
  const Memory memory;
  load(memory, A, B, 128, column);
  const warpgroup::Place place;
  float d[64];
  for (int e = 0; e < 64; ++e) d[e] = D[place.row_of(e) * 128 + place.col_of(e)];
  const std::uint64_t a = warpgroup::operand_at(memory.begin),
                      b = warpgroup::operand_at(memory.begin + rows_of_a * 128);
  warpgroup::begin_products();
  for (int step = 0; step < 4; ++step) {
    const auto offset = static_cast<std::uint64_t>(step) * warpgroup::next_step;
    warpgroup::add_product(d, a + offset, b + offset, accumulate || step > 0);
  }
  warpgroup::commit_products();
  warpgroup::wait_for_products();
  for (int e = 0; e < 64; ++e) D[place.row_of(e) * 128 + place.col_of(e)] = d[e];
}

template <int columns>
__global__ void multiply_from_registers(const __grid_constant__ CUtensorMap A,
                                        const __grid_constant__ CUtensorMap B, const __half* a,
                                        float* D) {
  const Memory memory;
  load(memory, A, B, columns, 0);
  const warpgroup::Place place;
  float d[columns / 2];
  std::uint32_t fragments[4][4];
  for (int step = 0; step < 4; ++step) {
    for (int r = 0; r < 4; ++r) {
      const int row = place.row_of(2 * (r % 2)), col = step * 16 + place.col + r / 2 * 8;
      std::memcpy(&fragments[step][r], a + row * 64 + col, 4);
    }
  }
  const std::uint64_t b = warpgroup::operand_at(memory.begin + rows_of_a * 128);
  warpgroup::begin_products();
  for (int step = 0; step < 4; ++step) {
    warpgroup::add_product<columns>(
        d, fragments[step], b + static_cast<std::uint64_t>(step) * warpgroup::next_step, step > 0);
  }
  warpgroup::commit_products();
  warpgroup::wait_for_products();
  for (int e = 0; e < columns / 2; ++e) D[place.row_of(e) * columns + place.col_of(e)] = d[e];
}

class Warpgroup : public ::testing::TestWithParam<emulated::Pace> {
 protected:
  void SetUp() override { emulated::set_pace(GetParam()); }
  void TearDown() override { emulated::set_pace(emulated::Pace::slow_copies); }

  DeviceBuffer<__half> on_device(const Matrix<float>& A) {
    const auto rounded = halves(A);
    return to_device(queue, rounded.data(), static_cast<index_t>(rounded.size()));
  }
  const Queue queue{0, nullptr};
};

TEST_P(Warpgroup, MultipliesWhatTheCopyEngineHasBrought) {
  const auto A = gaussian_rows<float>(64, 192, 1), B = gaussian_rows<float>(128, 192, 2);
  const auto a = on_device(A), b = on_device(B);
  for (const bool accumulate : {false, true}) {
    std::vector<float> D(64 * 128, 0.25F);
    const auto d = to_device(queue, D.data(), 64 * 128);
    for (int column = 0; column < 192; column += 64) {
      launch(queue, multiply_from_shared, 1, 128, memory_bytes, tensor_map(a.data(), 64, 192, 64),
             tensor_map(b.data(), 128, 192, 128), column, accumulate || column > 0, d.data());
    }
    const auto sums = to_host(queue, d.data(), 64 * 128);
    for (index_t i = 0; i < 64; ++i) {
      for (index_t j = 0; j < 128; ++j) {
        const double expected = product_of_rows(A, i, B, j) + (accumulate ? 0.25 : 0.0);
        EXPECT_NEAR(static_cast<double>(sums[i * 128 + j]), expected, 5e-5) << i << " " << j;
      }
    }
  }
}

template <int columns>
void expect_product_from_registers(const Queue& queue, const Matrix<float>& A,
                                   const DeviceBuffer<__half>& a) {
  const auto B = gaussian_rows<float>(columns, 64, 3);
  const auto rounded = halves(B);
  const auto b = to_device(queue, rounded.data(), static_cast<index_t>(rounded.size()));
  const DeviceBuffer<float> d(queue, 64 * columns);
  launch(queue, multiply_from_registers<columns>, 1, 128, memory_bytes,
         tensor_map(a.data(), 64, 64, 64), tensor_map(b.data(), columns, 64, columns), a.data(),
         d.data());
  const auto sums = to_host(queue, d.data(), 64 * columns);
  for (index_t i = 0; i < 64; ++i) {
    for (index_t j = 0; j < columns; ++j) {
      EXPECT_NEAR(static_cast<double>(sums[i * columns + j]), product_of_rows(A, i, B, j), 2e-5);
    }
  }
}

TEST_P(Warpgroup, MultipliesWhatItHasInRegisters) {
  const auto A = gaussian_rows<float>(64, 64, 1);
  const auto a = on_device(A);
  expect_product_from_registers<16>(queue, A, a);
  expect_product_from_registers<32>(queue, A, a);
  expect_product_from_registers<48>(queue, A, a);
  expect_product_from_registers<64>(queue, A, a);
  expect_product_from_registers<80>(queue, A, a);
}

__global__ void read_box(const __grid_constant__ CUtensorMap A, int column, int row, float* out) {
  const Memory memory;
  if (threadIdx.x == 0) {
    warpgroup::init_barrier(memory.barrier, 1);
    warpgroup::arrive_and_expect(memory.barrier, 8 * 128);
    warpgroup::copy_box(memory.begin, A, memory.barrier, column, row);
  }
  __syncthreads();
  warpgroup::wait_for_phase(memory.barrier, 0);
  const char* const raw = shared_memory<char>();
  const auto* const box =
      reinterpret_cast<const __half*>(raw + (memory.begin - warpgroup::shared_address(raw)));
  for (int i = 0; i < 8; ++i) {
    for (int j = 0; j < 64; ++j) out[i * 64 + j] = __half2float(box[i * 64 + (j ^ 8 * i)]);
  }
}

// The 16-byte unit u of row i of a box is at u ^ (i % 8). Beyond the matrix are zeros.
TEST_P(Warpgroup, CopiesBoxesSwizzledAndZerosBeyondTheMatrix) {
  Matrix<float> A(10, 72);
  for (index_t i = 0; i < 10; ++i) {
    for (index_t j = 0; j < 72; ++j) A(i, j) = static_cast<float>(100 * i + j);
  }
  const auto a = on_device(A);
  const DeviceBuffer<float> out(queue, 8 * 64);
  launch(queue, read_box, 1, 32, memory_bytes, tensor_map(a.data(), 10, 72, 8), 16, 5, out.data());
  const auto box = to_host(queue, out.data(), 8 * 64);
  for (index_t i = 0; i < 8; ++i) {
    for (index_t j = 0; j < 64; ++j) {
      const bool is_there = 5 + i < 10 && 16 + j < 72;
      EXPECT_EQ(box[i * 64 + j], is_there ? A(5 + i, 16 + j) : 0.0F);
    }
  }
}

enum class Fault { none, no_wait, no_fence, too_few_bytes, read_too_early, overwritten };

// One product, but for one fault.
__global__ void multiply_with(Fault fault, const __grid_constant__ CUtensorMap A, float* D) {
  const Memory memory;
  if (threadIdx.x == 0) {
    warpgroup::init_barrier(memory.barrier, 1);
    warpgroup::init_barrier(memory.barrier + 8, 1);
    const unsigned bytes = fault == Fault::too_few_bytes ? 128 * 128 - 16 : 128 * 128;
    warpgroup::arrive_and_expect(memory.barrier, bytes);
    warpgroup::copy_box(memory.begin, A, memory.barrier, 0, 0);
  }
  __syncthreads();
  if (fault != Fault::no_wait) warpgroup::wait_for_phase(memory.barrier, 0);
  float d[64];
  const std::uint64_t operand = warpgroup::operand_at(memory.begin);
  if (fault != Fault::no_fence) warpgroup::begin_products();
  warpgroup::add_product(d, operand, operand, false);
  warpgroup::commit_products();
  if (fault == Fault::overwritten && threadIdx.x == 0) {
    warpgroup::arrive_and_expect(memory.barrier + 8, 128 * 128);
    warpgroup::copy_box(memory.begin, A, memory.barrier + 8, 32, 0);
  }
  const float early = d[0];
  warpgroup::wait_for_products();
  if (fault == Fault::overwritten) warpgroup::wait_for_phase(memory.barrier + 8, 0);
  if (fault == Fault::no_wait) warpgroup::wait_for_phase(memory.barrier, 0);
  D[threadIdx.x] = fault == Fault::read_too_early ? early : d[0];
}

class WarpgroupFaults : public Warpgroup {
 protected:
  // The first number of each thread.
  Buffer<float> product_with(Fault fault) {
    const auto A = on_device(gaussian_rows<float>(128, 96, 1));
    const DeviceBuffer<float> d(queue, 128);
    launch(queue, multiply_with, 1, 128, memory_bytes, fault, tensor_map(A.data(), 128, 96, 128),
           d.data());
    return to_host(queue, d.data(), 128);
  }
};

TEST_P(WarpgroupFaults, ShowInOneOfTheTwoPaces) {
  const bool slow_copies = GetParam() == emulated::Pace::slow_copies;
  const auto right = product_with(Fault::none);
  EXPECT_TRUE(std::isfinite(right[0]));
  EXPECT_TRUE(std::isnan(product_with(Fault::read_too_early)[0]));
  EXPECT_EQ(std::isnan(product_with(Fault::no_wait)[0]), slow_copies);
  EXPECT_EQ(product_with(Fault::overwritten)[0] == right[0], slow_copies);
}

TEST_P(WarpgroupFaults, EndTheBlock) {
  EXPECT_THROW(product_with(Fault::no_fence), std::logic_error);
  EXPECT_THROW(product_with(Fault::too_few_bytes), std::logic_error);
  EXPECT_TRUE(std::isfinite(product_with(Fault::none)[0]));  // and no later one
}

// Two warps hand each other numbers, at barriers that the other two do not know.
__global__ void hand_over(int rounds, int* out) {
  __shared__ int value;
  const auto warp = static_cast<int>(threadIdx.x) / 32;
  if (warp > 1) return;
  if (threadIdx.x == 0) value = 0;
  for (int round = 0; round < rounds; ++round) {
    if (warp == 0) {
      if (threadIdx.x == 0) ++value;
      warpgroup::arrive_at(1, 64);
      warpgroup::wait_at(2, 64);
    } else {
      warpgroup::wait_at(1, 64);
      if (threadIdx.x == 32) value *= 2;
      warpgroup::arrive_at(2, 64);
    }
  }
  if (threadIdx.x == 0) *out = value;
}

TEST_P(Warpgroup, SomeWarpsWaitForOthersAtNamedBarriers) {
  const DeviceBuffer<int> out(queue, 1);
  launch(queue, hand_over, 1, 128, 0, 5, out.data());
  EXPECT_EQ(to_host(queue, out.data(), 1)[0], 62);
}

INSTANTIATE_TEST_SUITE_P(BothPaces, Warpgroup,
                         ::testing::Values(emulated::Pace::slow_copies,
                                           emulated::Pace::slow_products));
INSTANTIATE_TEST_SUITE_P(BothPaces, WarpgroupFaults,
                         ::testing::Values(emulated::Pace::slow_copies,
                                           emulated::Pace::slow_products));

TEST(TensorMap, RefusesRowsThatAreNotInUnitsOf16Bytes) {
  const Queue queue(0, nullptr);
  const DeviceBuffer<__half> A(queue, 64 * 65);
  EXPECT_THROW(tensor_map(A.data(), 64, 65, 64), DeviceError);
  EXPECT_THROW(tensor_map(A.data() + 1, 64, 64, 64), DeviceError);
  EXPECT_THROW(tensor_map(A.data(), 64, 64, 257), DeviceError);
}

}  // namespace
}  // namespace eigentropy::cuda
