// Band to tridiagonal: the whole stage, and one step of the chase.
#include <algorithm>

#include "base/eigen/band.hpp"
#include "base/simd/band_kernels.hpp"
#include "base/threads.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// What `steps` steps do: 12 b^2 flops each; the lower triangle of D and the whole of B are read and
// written: 3 b^2 entries.
template <class T>
void count_steps(benchmark::State& state, double steps, index_t width, int threads) {
  const auto square = static_cast<double>(width * width);
  count_flops<T>(state, 12.0 * square * steps, threads);
  count_bytes(state, 3.0 * square * steps * sizeof(T));
}

// The reduction keeps sum_i A_ii. n^2 / (2 b) steps, so 6 n^2 b flops.
template <class T>
void band_to_tridiagonal(benchmark::State& state) {
  const index_t n = state.range(0), width = state.range(1), stride = band_stride(width);
  const Threads threads(static_cast<int>(state.range(2)));
  const Buffer<T> input(band_size(n, width, stride)), entries(input.size()), d(n), e(n);
  fill_uniform(input);
  const BandView<T> band{entries.data(), n, width, stride};
  double trace = 0.0;
  for (index_t j = 0; j < n; ++j) trace += static_cast<double>(input[j * stride]);
  for (auto _ : state) {
    state.PauseTiming();  // the reduction destroys its input
    std::copy(input.begin(), input.end(), entries.begin());
    state.ResumeTiming();
    Control control;
    tridiagonalize(band, d.data(), e.data(), thread_count(), control);
  }
  double sum = 0.0;
  for (const T x : d) sum += static_cast<double>(x);
  if (!close<T>(sum, trace)) state.SkipWithError("wrong result");
  const auto rows = static_cast<double>(n), b = static_cast<double>(width);
  count_steps<T>(state, rows * rows / (2.0 * b), width, thread_count());
}
void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "width", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->ArgsProduct({{300, 1000, 2000, 5000}, band_widths, thread_counts()});
}
BENCHMARK_TEMPLATE(band_to_tridiagonal, double)->Apply(axes);
BENCHMARK_TEMPLATE(band_to_tridiagonal, float)->Apply(axes);

// What a GPU that reduces a matrix to band form leaves to the host. Once each: they take seconds.
void large_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "width", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->ArgsProduct({{8192, 16384}, {32, 64}, thread_counts()})->Iterations(1);
}
BENCHMARK_TEMPLATE(band_to_tridiagonal, double)->Name("chase_of_a_gpu<double>")->Apply(large_axes);
BENCHMARK_TEMPLATE(band_to_tridiagonal, float)->Name("chase_of_a_gpu<float>")->Apply(large_axes);

// The same block again and again, which stays in the cache and keeps its norm and, in D, its trace.
// `shift` is how many entries its first row lies behind a boundary of 64 bytes.
template <class T>
void band_to_tridiagonal_step(benchmark::State& state) {
  const index_t width = state.range(0), row = 2 * width + state.range(1);
  const index_t stride = band_stride(width);
  const auto& kernels = simd::band_kernels<T>();
  const Buffer<T> entries(band_size(4 * width, width, stride)), x(width);
  const Buffer<T> reflector(simd::reflector_size(width)), work(simd::chase_work_size(width));
  fill_uniform(entries);
  fill_uniform(x);
  T* const block = entries.data() + row * stride;
  kernels.reflect(x.data(), width, reflector.data());
  const auto trace = [&] {
    double sum = 0.0;
    for (index_t j = 0; j < width; ++j) sum += static_cast<double>(block[j * stride]);
    return sum;
  };
  const double before = trace();
  for (auto _ : state) {
    kernels.chase(block, stride - 1, row, width, width, reflector.data(), work.data());
    benchmark::ClobberMemory();
  }
  if (!close<T>(trace(), before)) state.SkipWithError("wrong result");
  count_steps<T>(state, 1.0, width, 1);
}
BENCHMARK_TEMPLATE(band_to_tridiagonal_step, double)
    ->ArgNames({"width", "shift"})
    ->ArgsProduct({band_widths, {0, 5}});
BENCHMARK_TEMPLATE(band_to_tridiagonal_step, float)
    ->ArgNames({"width", "shift"})
    ->ArgsProduct({band_widths, {0, 5}});

}  // namespace
}  // namespace eigentropy::bench
