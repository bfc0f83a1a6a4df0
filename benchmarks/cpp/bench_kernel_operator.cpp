// Products with the operator: from its matrix, and without one.
#include "core/kernel_operator.hpp"

#include "core/diffusion.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// What one product needs: n^2 / 2 entries of 2 d flops, each of them multiplied with the m vectors
// of its row and with those of its column, 2 m flops each. Exponentials count nothing.
double flops_of_product(index_t n, index_t d, index_t m) {
  const auto size = static_cast<double>(n);
  return size * size * static_cast<double>(d + 2 * m);
}

template <class T>
void kernel_operator(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1), m = state.range(2);
  const Threads threads(static_cast<int>(state.range(3)));
  Control control;
  const KernelOperator<T> A(gaussian_rows<T>(n, d), {bandwidth(d)}, thread_count(), control);
  // The trivial eigenvector is what it was after a product.
  const Buffer<T> V(n * m), out(n * m);
  for (index_t i = 0; i < n * m; ++i) V[i] = static_cast<T>(std::sqrt(A.degrees()[i / m]));
  const MatrixView<const T> v{V.data(), n, m, m};
  A.frobenius2(thread_count(), control);
  for (auto _ : state) {
    A.multiply(v, MatrixView<T>{out.data(), n, m, m}, thread_count(), control);
    benchmark::ClobberMemory();
  }
  if (!close<T>(static_cast<double>(out[n * m - 1]), static_cast<double>(V[n * m - 1]))) {
    state.SkipWithError("wrong result");
  }
  count_flops<T>(state, flops_of_product(n, d, m), thread_count());
  count_bytes(state, static_cast<double>(n * (d + m)) * sizeof(T));
}
void operator_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "d", "m", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const index_t d : {32, 128, 512}) {
    for (const index_t m : {1, 32, 64}) {
      for (const auto threads : thread_counts()) benchmark->Args({8192, d, m, threads});
    }
  }
}
BENCHMARK_TEMPLATE(kernel_operator, float)->Apply(operator_axes);
BENCHMARK_TEMPLATE(kernel_operator, double)->Apply(operator_axes);

}  // namespace
}  // namespace eigentropy::bench
