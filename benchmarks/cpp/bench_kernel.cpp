// From rows to the operator, for a whole matrix.
#include "cpu/kernel/gaussian_kernel.hpp"

#include "base/tiles.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/rows/distances.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// Distances, exponential and sums of one triangle: n^2 d flops, n^2 / 2 exponentials.
template <class T>
void gaussian_kernel(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1);
  const Threads threads(static_cast<int>(state.range(2)));
  const auto X = gaussian_rows<T>(n, d);
  const Buffer<T> G(n * n);
  double q = 0.0;
  for (auto _ : state) {
    Control control;
    Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
    q = eigentropy::gaussian_kernel(X, bandwidth(d), SymmetricView<T>{G.data(), n, n},
                                    thread_count(), stage)[0];
  }
  if (!(q >= 1.0 && q <= static_cast<double>(n))) state.SkipWithError("wrong result");
  const auto size = static_cast<double>(n);
  count_flops<T>(state, size * size * static_cast<double>(d), thread_count());
  state.SetItemsProcessed(state.iterations() * (n * n / 2));
}
void kernel_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "d", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const index_t d : {64, 512, 4096}) {
    benchmark->Args({4096, d, 1});
    if (thread_count() > 1) benchmark->Args({4096, d, thread_count()});
  }
}
BENCHMARK_TEMPLATE(gaussian_kernel, double)->Apply(kernel_axes);
BENCHMARK_TEMPLATE(gaussian_kernel, float)->Apply(kernel_axes);

// Rows of many blocks of columns, from float32 input as in a mapped file: two passes over it.
template <class T>
void kernel_of_long_rows(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1);
  const Threads threads(static_cast<int>(state.range(2)));
  std::mt19937_64 generator(1);
  std::normal_distribution<float> normal;
  const Buffer<float> Z(n * d);
  for (float& z : Z) z = normal(generator);
  const Buffer<T> G(n * n);
  double q = 0.0;
  for (auto _ : state) {
    Control control;
    const auto X = center_rows<float, T>({Z.data(), n, d, d, 1}, {}, thread_count(), control);
    Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
    q = eigentropy::gaussian_kernel(X, bandwidth(d), SymmetricView<T>{G.data(), n, n},
                                    thread_count(), stage)[0];
  }
  if (!(q >= 1.0 && q <= static_cast<double>(n))) state.SkipWithError("wrong result");
  const auto size = static_cast<double>(n);
  count_flops<T>(state, size * size * static_cast<double>(d), thread_count());
  count_bytes(state, 2.0 * size * static_cast<double>(d) * sizeof(float));
}
void long_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "d", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->Args({512, 100'000, 1});
  if (thread_count() > 1) benchmark->Args({512, 100'000, thread_count()});
}
BENCHMARK_TEMPLATE(kernel_of_long_rows, double)->Apply(long_axes);
BENCHMARK_TEMPLATE(kernel_of_long_rows, float)->Apply(long_axes);

// Three passes over a triangle: the weighted sums read it, the conjugation reads and writes it.
template <class T>
void diffusion_operator(benchmark::State& state) {
  const index_t n = state.range(0);
  const Threads threads(static_cast<int>(state.range(1)));
  const auto X = gaussian_rows<T>(n, 16);
  const Buffer<T> entries(n * n);
  const SymmetricView<T> G{entries.data(), n, n};
  Control control;
  Stage stage(control, 0.0, 1.0, upper_tile_count(n));
  const auto q = eigentropy::gaussian_kernel(X, bandwidth(16), G, thread_count(), stage);
  double trace = 0.0;
  // The second time, the input is an operator already: as long a way.
  for (auto _ : state) trace = eigentropy::diffusion_operator(G, q, 0.5, thread_count()).trace;
  if (!(trace > 0.0)) state.SkipWithError("wrong result");
  count_bytes(state, 3.0 * 0.5 * static_cast<double>(n * n) * sizeof(T));
}
void operator_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->Args({8192, 1});
  if (thread_count() > 1) benchmark->Args({8192, thread_count()});
}
BENCHMARK_TEMPLATE(diffusion_operator, double)->Apply(operator_axes);
BENCHMARK_TEMPLATE(diffusion_operator, float)->Apply(operator_axes);

}  // namespace
}  // namespace eigentropy::bench
