// Products with the operator: from its matrix, and without one.
#include "cpu/operator/kernel_operator.hpp"

#include <limits>

#include "base/threads.hpp"
#include "cpu/operator/diffusion.hpp"
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
void multiply(benchmark::State& state, const KernelOperator<T>& A, index_t m) {
  const index_t n = A.n();
  // The trivial eigenvector is what it was after a product.
  const Buffer<T> V(n * m), out(n * m);
  for (index_t i = 0; i < n * m; ++i) V[i] = static_cast<T>(std::sqrt(A.degrees()[i / m]));
  Control control;
  A.frobenius2(thread_count(), control);  // which the first product would compute, too
  for (auto _ : state) {
    A.multiply(MatrixView<const T>{V.data(), n, m, m}, MatrixView<T>{out.data(), n, m, m},
               thread_count(), control);
    benchmark::ClobberMemory();
  }
  if (!close<T>(static_cast<double>(out[n * m - 1]), static_cast<double>(V[n * m - 1]))) {
    state.SkipWithError("wrong result");
  }
}

template <class T>
void kernel_operator(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1), m = state.range(2);
  const Threads threads(static_cast<int>(state.range(3)));
  Control control;
  const KernelOperator<T> A(gaussian_rows<T>(n, d), {bandwidth(d)}, thread_count(), control);
  multiply(state, A, m);
  count_flops<T>(state, flops_of_product(n, d, m), thread_count());
  // The rows, the vectors and, in float64, the result.
  const auto bytes = static_cast<double>(sizeof(T) * (d + m) + sizeof(double) * m);
  count_bytes(state, static_cast<double>(n) * bytes);
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

// From tiles that are kept: as much is read as of a stored triangle.
template <class T>
void multiply_kept(benchmark::State& state, const KernelOperatorOptions& options,
                   std::size_t bytes_of_entry) {
  const index_t n = state.range(0), m = state.range(1);
  const Threads threads(static_cast<int>(state.range(2)));
  Control control;
  const KernelOperator<T> A(gaussian_rows<T>(n, 16), options, thread_count(), control);
  multiply(state, A, m);
  count_flops<T>(state, flops_of_product(n, 0, m), thread_count());
  count_bytes(state, 0.5 * static_cast<double>(n * n) * static_cast<double>(bytes_of_entry));
}

template <class T>
void kept_operator(benchmark::State& state) {
  KernelOperatorOptions options{bandwidth(16)};
  options.keeps_matrix = true;
  multiply_kept<T>(state, options, sizeof(T));
}

void kept_in_16_bits(benchmark::State& state) {
  KernelOperatorOptions options{bandwidth(16)};
  options.limit_of_16_bits = std::numeric_limits<double>::infinity();
  multiply_kept<float>(state, options, sizeof(std::uint16_t));
}
void kept_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "m", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const index_t m : {1, 16, 64, 256}) benchmark->Args({8192, m, thread_count()});
}
BENCHMARK_TEMPLATE(kept_operator, double)->Apply(kept_axes);
BENCHMARK_TEMPLATE(kept_operator, float)->Apply(kept_axes);
BENCHMARK(kept_in_16_bits)->Apply(kept_axes);

}  // namespace
}  // namespace eigentropy::bench
