// The emulated device does what CUDA says.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {
namespace {

constexpr int threads = 96;

__global__ void reverse(const int* in, int* out) {
  __shared__ int values[threads];
  const auto i = static_cast<int>(threadIdx.x);
  const auto first = static_cast<int>(blockIdx.x) * threads;
  values[i] = in[first + i];
  __syncthreads();
  out[first + i] = values[threads - 1 - i];
}

__global__ void sums_of_warps(const int* in, int* out) {
  int sum = in[threadIdx.x];
  for (int mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xffffffffU, sum, mask);
  out[threadIdx.x] = sum;
}

__global__ void without_a_barrier(int* out) {
  __shared__ int values[threads];
  const auto i = static_cast<int>(threadIdx.x);
  values[i] = i;
  out[i] = values[threads - 1 - i];
}

__global__ void divergent() {
  if (threadIdx.x == 0) {
    __syncthreads();
  } else {
    __syncwarp();
    __syncthreads();
    __syncthreads();
  }
  if (threadIdx.x == 40) __syncthreads();
}

__global__ void read_shared(double* out) { out[0] = shared_memory<double>()[0]; }

class Emulation : public ::testing::TestWithParam<emulated::Order> {
 protected:
  void SetUp() override { emulated::set_order(GetParam()); }
  void TearDown() override { emulated::set_order(emulated::Order::ascending); }
};

TEST_P(Emulation, ABarrierLetsThreadsSeeEachOthersValues) {
  const Queue queue(0, nullptr);
  std::vector<int> in(3 * threads);
  for (int i = 0; i < 3 * threads; ++i) in[i] = i;
  const auto there = to_device(queue, in.data(), 3 * threads);
  const DeviceBuffer<int> out(queue, 3 * threads);
  launch(queue, reverse, 3, threads, 0, there.data(), out.data());
  const auto back = to_host(queue, out.data(), 3 * threads);
  for (int i = 0; i < 3 * threads; ++i) {
    EXPECT_EQ(back[i], i / threads * threads + threads - 1 - i % threads);
  }
}

TEST_P(Emulation, WarpsExchangeValues) {
  const Queue queue(0, nullptr);
  std::vector<int> in(threads);
  for (int i = 0; i < threads; ++i) in[i] = i;
  const auto there = to_device(queue, in.data(), threads);
  const DeviceBuffer<int> out(queue, threads);
  launch(queue, sums_of_warps, 1, threads, 0, there.data(), out.data());
  const auto back = to_host(queue, out.data(), threads);
  for (int i = 0; i < threads; ++i) EXPECT_EQ(back[i], 496 + 1024 * (i / 32));
}

INSTANTIATE_TEST_SUITE_P(BothOrders, Emulation,
                         ::testing::Values(emulated::Order::ascending,
                                           emulated::Order::descending));

TEST(Emulation, AMissingBarrierShowsInOneOfTheOrders) {
  const Queue queue(0, nullptr);
  std::vector<std::vector<int>> results;
  for (const auto order : {emulated::Order::ascending, emulated::Order::descending}) {
    emulated::set_order(order);
    const DeviceBuffer<int> out(queue, threads);
    launch(queue, without_a_barrier, 1, threads, 0, out.data());
    const auto back = to_host(queue, out.data(), threads);
    results.emplace_back(back.begin(), back.end());
  }
  emulated::set_order(emulated::Order::ascending);
  EXPECT_NE(results[0], results[1]);
}

TEST(Emulation, ThreadsAtDifferentBarriersAreAnError) {
  const Queue queue(0, nullptr);
  EXPECT_THROW(launch(queue, divergent, 1, 64, 0), std::logic_error);
}

TEST(Emulation, MemoryThatNobodyWroteIsNaN) {
  const Queue queue(0, nullptr);
  const DeviceBuffer<double> out(queue, 2);
  EXPECT_TRUE(std::isnan(to_host(queue, out.data(), 2)[1]));
  launch(queue, read_shared, 1, 1, 64, out.data());
  EXPECT_TRUE(std::isnan(to_host(queue, out.data(), 1)[0]));
}

using EmulationDeathTest = ::testing::Test;

TEST(EmulationDeathTest, WritingBeyondTheEndEndsTheProgram) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Queue queue(0, nullptr);
  const DeviceBuffer<int> buffer(queue, 4);
  volatile int* const data = buffer.data();
  EXPECT_DEATH(data[4] = 1, "");
}

TEST(Emulation, AForeignErrorIsCalledForeign) {
  emulated::fail_once(cudaErrorIllegalAddress);
  try {
    const Queue queue(0, nullptr);
    FAIL() << "no error";
  } catch (const DeviceError& error) {
    EXPECT_EQ(std::string(error.what()),
              "an earlier CUDA call of this process, not one of eigentropy, has failed: an illegal "
              "memory access was encountered");
  }
}

TEST(Emulation, ErrorsOfOursAreNotCalledForeign) {
  EXPECT_THROW(Queue(1000, nullptr), DeviceError);
  const Queue queue(0, nullptr);
  emulated::fail_once(cudaErrorInvalidValue);
  EXPECT_THROW(queue.synchronize(), DeviceError);
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  DeviceBuffer<char> buffer(Queue(0, stream), 100);
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  buffer = DeviceBuffer<char>();  // its stream is gone
  EXPECT_NO_THROW(Queue(0, nullptr));
}

TEST(Emulation, MemoryGoesBackOnItsDevice) {
  DeviceBuffer<char> buffer;
  {
    const Queue queue(1, nullptr);
    buffer = DeviceBuffer<char>(queue, 100);
  }
  const std::size_t before = device_memory(1).free;
  buffer = DeviceBuffer<char>();
  EXPECT_GT(device_memory(1).free, before);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(Emulation, ADestroyedStreamIsAnError) {
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  {
    const Queue queue(1, stream);
  }
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  EXPECT_THROW(Queue(1, stream), DeviceError);
}

TEST(Emulation, ABlockThatAsksForTooMuchSharedMemoryIsAnError) {
  const Queue queue(0, nullptr);
  const DeviceBuffer<double> out(queue, 1);
  emulated::set_shared_memory(64 << 10);  // compute capability 7.5
  try {
    launch(queue, read_shared, 1, 1, 80 << 10, out.data());
    ADD_FAILURE() << "no error";
  } catch (const DeviceError& error) {
    EXPECT_EQ(std::string(error.what()),
              "a block needs 81920 bytes of shared memory, and device 0 has 65536 for one");
  }
  emulated::set_shared_memory(227 << 10);
  EXPECT_NO_THROW(launch(queue, read_shared, 1, 1, 80 << 10, out.data()));
}

}  // namespace
}  // namespace eigentropy::cuda
