#include "base/threads.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/symmetric_product.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// 2 n^2 m flops; one triangle is read.
template <class T>
void symmetric_product(benchmark::State& state) {
  const index_t n = state.range(0), m = state.range(1);
  const Threads threads(static_cast<int>(state.range(2)));
  const Buffer<T> A(n * n), V(n * m), out(n * m);
  std::fill(A.begin(), A.end(), T(1));
  std::fill(V.begin(), V.end(), T(1));
  for (auto _ : state) {
    Control control;
    eigentropy::symmetric_product(SymmetricView<T>{A.data(), n, n},
                                  MatrixView<const T>{V.data(), n, m, m},
                                  MatrixView<T>{out.data(), n, m, m}, thread_count(), control);
    benchmark::ClobberMemory();
  }
  if (out[n * m - 1] != static_cast<T>(n)) state.SkipWithError("wrong result");
  const auto triangle = 0.5 * static_cast<double>(n * n);
  count_bytes(state, triangle * sizeof(T));
  count_flops<T>(state, 4.0 * triangle * static_cast<double>(m), thread_count());
}
void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "m", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const index_t m : {1, 16, 64, 256}) benchmark->Args({8192, m, thread_count()});
}
BENCHMARK_TEMPLATE(symmetric_product, double)->Apply(axes);
BENCHMARK_TEMPLATE(symmetric_product, float)->Apply(axes);

}  // namespace
}  // namespace eigentropy::bench
