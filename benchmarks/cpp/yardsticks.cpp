#include "yardsticks.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

#include "base/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"

namespace eigentropy::bench {
namespace {

constexpr int order = 1024;
constexpr double product_flops = 2.0 * order * order * order;

template <class T>
struct Product {
  Buffer<T> a{order * order}, b{order * order}, c{order * order};

  Product() {
    std::fill(a.begin(), a.end(), T(1));
    std::fill(b.begin(), b.end(), T(0.5));
  }
  void run() {
    blas::gemm('N', 'N', order, order, order, T(1), a.data(), order, b.data(), order, T(0),
               c.data(), order);
  }
  bool right() const { return c[order * order - 1] == T(0.5 * order); }
};

// The yardstick as a benchmark of its own, so that it stands in the results.
template <class T>
void gemm(benchmark::State& state) {
  const Threads threads(static_cast<int>(state.range(0)));
  const ThreadedBlas several_threads;
  Product<T> product;
  for (auto _ : state) product.run();
  if (!product.right()) state.SkipWithError("wrong result");
  count_flops<T>(state, product_flops, thread_count());
}
BENCHMARK_TEMPLATE(gemm, double)->ArgName("threads")->Arg(1)->Arg(thread_count())->UseRealTime();
BENCHMARK_TEMPLATE(gemm, float)->ArgName("threads")->Arg(1)->Arg(thread_count())->UseRealTime();

// 256 MiB to 256 MiB: what memory gives, for the passes that are bound by it.
void copy(benchmark::State& state) {
  constexpr index_t size = index_t{1} << 28;
  const Buffer<char> from(size), to(size);
  std::memset(from.data(), 1, static_cast<std::size_t>(size));
  std::memset(to.data(), 0, static_cast<std::size_t>(size));  // no page faults below
  const int threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    parallel_for(threads, threads, [&](index_t i, int) {
      const index_t begin = size * i / threads, end = size * (i + 1) / threads;
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin));
    });
    benchmark::ClobberMemory();
  }
  if (to[size - 1] != 1) state.SkipWithError("wrong result");
  count_bytes(state, 2.0 * static_cast<double>(size));
}
BENCHMARK(copy)->ArgName("threads")->Arg(1)->Arg(thread_count())->UseRealTime();

}  // namespace

template <class T>
double gemm_rate(int threads) {
  static std::map<int, double> rates;
  double& rate = rates[threads];
  if (rate == 0.0) {
    using Clock = std::chrono::steady_clock;
    const Threads scope(threads);
    const ThreadedBlas several_threads;
    Product<T> product;
    product.run();  // starts BLAS's threads and touches the memory
    for (int i = 0; i < 10; ++i) {
      const auto start = Clock::now();
      product.run();
      const std::chrono::duration<double> seconds = Clock::now() - start;
      rate = std::max(rate, product_flops / seconds.count());
    }
  }
  return rate;
}
template double gemm_rate<float>(int);
template double gemm_rate<double>(int);

}  // namespace eigentropy::bench
