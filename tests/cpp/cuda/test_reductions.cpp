// Kernels of a test are compiled as those of the emulated device, which is where this runs.
#include "cuda/reductions.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace eigentropy::cuda {
namespace {

constexpr int threads = 256;

// Two reductions in the same memory: every thread has both results.
__global__ void reduce(const double* values, double* sums, double* least) {
  __shared__ double shared[threads];
  const double value = values[threadIdx.x];
  const double sum = block_reduce<threads>(value, shared, Plus());
  const double smallest = block_reduce<threads>(value, shared, Smaller());
  sums[threadIdx.x] = sum;
  least[threadIdx.x] = smallest;
}

__global__ void add_in_warps(const double* values, double* sums) {
  sums[threadIdx.x] = warp_sum(values[threadIdx.x]);
}

TEST(Reductions, GiveEveryThreadTheResult) {
  for (const auto order : {emulated::Order::ascending, emulated::Order::descending}) {
    emulated::set_order(order);
    const Queue queue(0, nullptr);
    std::vector<double> values(threads);
    for (int i = 0; i < threads; ++i) values[i] = (i * 37) % threads - 7;
    const auto there = to_device(queue, values.data(), threads);
    const DeviceBuffer<double> sums(queue, threads), least(queue, threads);
    launch(queue, reduce, dim3(1), dim3(threads), 0, there.data(), sums.data(), least.data());
    const auto found = to_host(queue, sums.data(), threads);
    const auto smallest = to_host(queue, least.data(), threads);
    for (int i = 0; i < threads; ++i) {
      EXPECT_EQ(found[i], threads * (threads - 1) / 2 - 7 * threads);
      EXPECT_EQ(smallest[i], -7.0);
    }
  }
  emulated::set_order(emulated::Order::ascending);
}

TEST(Reductions, OfWarpsAddTheirOwnValues) {
  const Queue queue(0, nullptr);
  std::vector<double> values(threads);
  for (int i = 0; i < threads; ++i) values[i] = i;
  const auto there = to_device(queue, values.data(), threads);
  const DeviceBuffer<double> sums(queue, threads);
  launch(queue, add_in_warps, dim3(1), dim3(threads), 0, there.data(), sums.data());
  const auto found = to_host(queue, sums.data(), threads);
  for (int i = 0; i < threads; ++i) EXPECT_EQ(found[i], 496.0 + 32 * 32 * (i / 32));
}

}  // namespace
}  // namespace eigentropy::cuda
