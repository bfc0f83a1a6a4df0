// What every benchmark is compared with: the rate of cuBLAS's product of two matrices in half,
// single or double precision, and of a copy, on this device and in this run. Times are those
// between two events of the stream.
#pragma once

#include <benchmark/benchmark.h>
#include <cuda_fp16.h>

#include "base/buffer.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"
#include "random_values.hpp"

namespace eigentropy::cuda::bench {

// Sizes for the emulated device: every benchmark runs once.
bool& tiny();
inline index_t sized(index_t size, index_t tiny_size) { return tiny() ? tiny_size : size; }

// A file's benchmarks, for main() to register once it knows the sizes.
void register_yardsticks();
void register_kernel();
void register_kernel_operator();
void register_block_vectors();
void register_eigenvalues();

class Timer {
 public:
  explicit Timer(const Queue& queue) : queue_(queue) {
    check(cudaEventCreate(&start_), "cudaEventCreate");
    check(cudaEventCreate(&stop_), "cudaEventCreate");
  }
  ~Timer() {
    cudaEventDestroy(start_);
    cudaEventDestroy(stop_);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Seconds that the device takes for what body() asks for.
  template <class Body>
  double seconds(const Body& body) const {
    check(cudaEventRecord(start_, queue_.stream()), "cudaEventRecord");
    body();
    check(cudaEventRecord(stop_, queue_.stream()), "cudaEventRecord");
    check(cudaEventSynchronize(stop_), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, start_, stop_), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) / 1e3;
  }

 private:
  const Queue& queue_;
  cudaEvent_t start_ = nullptr, stop_ = nullptr;
};

// Runs body() as often as the library wants, after once to warm up.
template <class Body>
void run(benchmark::State& state, const Queue& queue, const Body& body) {
  const Timer timer(queue);
  body();
  for (auto _ : state) state.SetIterationTime(timer.seconds(body));
}

// Flops a second of a product of two matrices of order 8192, bytes a second of a copy of 1 GiB
// (read and written), measured once.
template <class T>
double gemm_rate();
double copy_rate();

// Declares the flops or bytes of one iteration: the counters say how many a second, and the share
// of what the yardstick reaches, which is a ratio, although the library prints every rate "/s".
template <class T>
void count_flops(benchmark::State& state, double flops) {
  using benchmark::Counter;
  state.counters["flops"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["of_gemm"] = Counter(flops / gemm_rate<T>(), Counter::kIsIterationInvariantRate);
}
// The share of what the device could do at most with its arithmetic: by its tensor cores each
// product of the formula is three products of halves.
enum class Arithmetic { ordinary, three_halves };
template <class T>
void count_limit(benchmark::State& state, double flops, Arithmetic arithmetic) {
  const double least = arithmetic == Arithmetic::ordinary ? flops / gemm_rate<T>()
                                                          : 3.0 * flops / gemm_rate<__half>();
  state.counters["of_limit"] =
      benchmark::Counter(least, benchmark::Counter::kIsIterationInvariantRate);
}
inline void count_bytes(benchmark::State& state, double bytes) {
  using benchmark::Counter;
  state.counters["bytes"] = Counter(bytes, Counter::kIsIterationInvariantRate);
  state.counters["of_copy"] = Counter(bytes / copy_rate(), Counter::kIsIterationInvariantRate);
}

inline benchmark::internal::Benchmark* timed(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseManualTime()->Unit(benchmark::kMillisecond);
  return tiny() ? benchmark->Iterations(1) : benchmark;
}

template <class T>
DeviceRows<T> gaussian_rows(const Queue& queue, index_t n, index_t d) {
  const auto Z = gaussian_values<T>(queue, n * d, 1);
  constexpr Type type = sizeof(T) == sizeof(double) ? Type::float64 : Type::float32;
  return center_rows<T>(queue, {Z.data(), type, n, d, d, 1});
}

// A kernel width at which neither all entries are 0 nor all 1.
inline double bandwidth(index_t d) { return 0.5 * std::sqrt(static_cast<double>(d)); }

}  // namespace eigentropy::cuda::bench
