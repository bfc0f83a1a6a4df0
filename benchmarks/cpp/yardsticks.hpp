// What every benchmark is compared with: the rate of a matrix product and of a copy on this
// machine, measured in this run.
#pragma once

#include <benchmark/benchmark.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy::bench {

// Flops a second of a product of two matrices of order 1024, which live in the cache. Measured
// once for each precision and number of threads.
template <class T>
double gemm_rate(int threads);

// Declares the flops of one iteration: the counters say flops a second and the share of gemm_rate
// on as many threads, which is a ratio, although the library prints every rate with "/s".
template <class T>
void count_flops(benchmark::State& state, double flops, int threads) {
  using benchmark::Counter;
  state.counters["flops"] = Counter(flops, Counter::kIsIterationInvariantRate);
  state.counters["of_gemm"] =
      Counter(flops / gemm_rate<T>(threads), Counter::kIsIterationInvariantRate);
}

// Declares what one iteration reads and writes.
inline void count_bytes(benchmark::State& state, double bytes) {
  state.SetBytesProcessed(
      static_cast<std::int64_t>(bytes * static_cast<double>(state.iterations())));
}

// Standard Gaussian rows, ready for the kernels.
template <class T>
CenteredRows<T> gaussian_rows(index_t n, index_t d) {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> normal;
  Buffer<double> Z(n * d);
  for (double& z : Z) z = normal(generator);
  return in_memory(center_rows<double, T>({Z.data(), n, d, d, 1}, thread_count()), thread_count());
}

// Random entries in [-1, 1).
template <class T>
void fill_uniform(const Buffer<T>& values) {
  std::mt19937_64 generator(1);
  std::uniform_real_distribution<T> uniform(-1, 1);
  for (T& value : values) value = uniform(generator);
}

// Whether a sum over a large matrix is what it was before a computation that keeps it.
template <class T>
bool close(double actual, double expected) {
  const auto eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  return std::abs(actual - expected) <= 1e4 * eps * (1.0 + std::abs(expected));
}

// A kernel width at which neither all entries are 0 nor all 1.
inline double bandwidth(index_t d) { return 0.5 * std::sqrt(static_cast<double>(d)); }

// Axes of the benchmarks: one thread and all of them; widths of a band.
inline std::vector<std::int64_t> thread_counts() {
  if (thread_count() == 1) return {1};
  return {1, thread_count()};
}
inline const std::vector<std::int64_t> band_widths{16, 32, 48, 64, 96};

// BLAS and the library on this many threads, for one benchmark.
class Threads {
 public:
  explicit Threads(int count) : before_(thread_count()) { set_thread_count(count); }
  ~Threads() { set_thread_count(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace eigentropy::bench
