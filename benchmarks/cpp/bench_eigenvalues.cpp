// Dense to eigenvalues: (4/3) n^3 flops whichever way, so that the shares compare the ways.
#include "base/threads.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/operator/diffusion.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

template <class T, Reduction reduction>
void eigenvalues(benchmark::State& state) {
  const index_t n = state.range(0);
  const Threads threads(static_cast<int>(state.range(1)));
  Control control;
  const auto matrix = build_matrix(gaussian_rows<T>(n, 16), {bandwidth(16), 0.5, true},
                                   thread_count(), control, 0.0, 1.0);
  const Buffer<T> A(n * n), w(n);
  for (auto _ : state) {
    state.PauseTiming();  // the solver destroys its input
    std::copy(matrix.entries.begin(), matrix.entries.end(), A.begin());
    state.ResumeTiming();
    eigentropy::eigenvalues(SymmetricView<T>{A.data(), n, n}, w.data(), reduction, thread_count(),
                            control, 0.0, 1.0);
  }
  if (!spectrum_matches(w.data(), n, matrix.trace, matrix.frobenius2)) {
    state.SkipWithError("wrong result");
  }
  const auto size = static_cast<double>(n);
  count_flops<T>(state, 4.0 / 3.0 * size * size * size, thread_count());
}
void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const index_t n : {64, 100, 128, 200, 300, 500, 1000, 2000, 4000})
    benchmark->Args({n, thread_count()});
  if (thread_count() > 1) benchmark->Args({2000, 1});
}
BENCHMARK_TEMPLATE(eigenvalues, double, Reduction::one_stage)->Apply(axes);
BENCHMARK_TEMPLATE(eigenvalues, double, Reduction::two_stage)->Apply(axes);
BENCHMARK_TEMPLATE(eigenvalues, double, Reduction::lapack)->Apply(axes);
BENCHMARK_TEMPLATE(eigenvalues, float, Reduction::one_stage)->Apply(axes);
BENCHMARK_TEMPLATE(eigenvalues, float, Reduction::two_stage)->Apply(axes);
BENCHMARK_TEMPLATE(eigenvalues, float, Reduction::lapack)->Apply(axes);

}  // namespace
}  // namespace eigentropy::bench
