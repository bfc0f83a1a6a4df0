// Products with the operator, without its matrix and with it.
#include <algorithm>
#include <cmath>

#include "cuda/operator/kernel_operator.hpp"
#include "yardsticks.hpp"

namespace eigentropy::cuda::bench {
namespace {

// V's columns are the trivial eigenvector sqrt(d), which is what it was after a product.
template <class T>
Buffer<T> eigenvectors(const KernelOperator<T>& A, index_t m) {
  Buffer<T> V(A.n() * m);
  for (index_t i = 0; i < V.size(); ++i) V[i] = static_cast<T>(std::sqrt(A.degrees()[i / m]));
  return V;
}

enum class Way { all_tiles, one_triangle, with_matrix, in_half };

template <class T>
void multiply(benchmark::State& state, Way way) {
  const bool in_half = way == Way::in_half, keeps_matrix = way == Way::with_matrix || in_half;
  const bool keeps_at_once = keeps_matrix && !in_half;
  const index_t n = state.range(0), d = state.range(1), m = state.range(2);
  const Queue queue(0, nullptr);
  Control control;
  KernelOperator<T> A(queue, gaussian_rows<T>(queue, n, d), {bandwidth(d), 0.5, keeps_at_once},
                      control);
  if (in_half) A.keep_in_half(queue, control);
  const auto V = eigenvectors(A, m);
  const auto v = to_device(queue, V.data(), V.size());
  const DeviceBuffer<T> out(queue, V.size());
  run(state, queue, [&] { A.multiply(queue, v.data(), out.data(), m, control); });
  const auto last = static_cast<double>(to_host(queue, out.data() + V.size() - 1, 1)[0]);
  const auto expected = static_cast<double>(V[V.size() - 1]);
  const double tolerance = in_half ? 1e-3 : 1e-4;
  if (!(std::abs(last - expected) <= tolerance * expected)) state.SkipWithError("wrong result");
  const auto entries = static_cast<double>(n) * static_cast<double>(n);
  const double of_distances = keeps_matrix ? 0.0 : (way == Way::one_triangle ? 1.0 : 2.0);
  count_flops<T>(state,
                 entries * (of_distances * static_cast<double>(d) + 2.0 * static_cast<double>(m)));
  const auto of_vectors = static_cast<double>(n * m) * sizeof(T);
  const double of_entries = entries * (in_half ? 2.0 : sizeof(T));
  count_bytes(state, 2.0 * of_vectors +
                         (keeps_matrix ? of_entries : static_cast<double>(n * d) * sizeof(T)));
}
void matrix_free(benchmark::State& state) { multiply<double>(state, Way::all_tiles); }
// The ways to compute tiles of float32, to find which of them is faster on a device.
void matrix_free_by(benchmark::State& state, Tiling tiling) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  if (tiling == Tiling::tensor && properties.major < 8) {
    return state.SkipWithError("TF32 needs compute capability 8.0");
  }
  sweep_override().tiling = tiling;
  multiply<float>(state, Way::all_tiles);
  sweep_override().tiling.reset();
}
// The other way to sweep, to find where it is faster.
template <class T>
void from_one_triangle(benchmark::State& state) {
  sweep_override().one_triangle = true;
  multiply<T>(state, Way::one_triangle);
  sweep_override().one_triangle = false;
}
template <class T>
void with_matrix(benchmark::State& state) {
  multiply<T>(state, Way::with_matrix);
}

// Its share of the GEMM's rate may be above 1: it is that of single precision.
void in_half(benchmark::State& state) { multiply<float>(state, Way::in_half); }

void matrix_free_axes(benchmark::internal::Benchmark* benchmark) {
  timed(benchmark)->ArgNames({"n", "d", "m"});
  for (const index_t d : {32, 128, 512}) {
    for (const index_t m : {1, 16, 80}) {
      benchmark->Args({sized(50'000, 140), sized(d, d / 16), m});
    }
  }
}
void matrix_axes(benchmark::internal::Benchmark* benchmark) {
  timed(benchmark)->ArgNames({"n", "d", "m"});
  for (const index_t m : {1, 16, 80}) benchmark->Args({sized(50'000, 140), 16, m});
}

}  // namespace

void register_kernel_operator() {
  matrix_free_axes(benchmark::RegisterBenchmark("matrix_free<double>", matrix_free));
  matrix_free_axes(
      benchmark::RegisterBenchmark("matrix_free<float>/threads", matrix_free_by, Tiling::wide));
  matrix_free_axes(benchmark::RegisterBenchmark("matrix_free<float>/tensor_cores", matrix_free_by,
                                                Tiling::tensor));
  matrix_free_axes(
      benchmark::RegisterBenchmark("from_one_triangle<float>", from_one_triangle<float>));
  matrix_free_axes(
      benchmark::RegisterBenchmark("from_one_triangle<double>", from_one_triangle<double>));
  matrix_axes(benchmark::RegisterBenchmark("with_matrix<float>", with_matrix<float>));
  matrix_axes(benchmark::RegisterBenchmark("with_matrix<double>", with_matrix<double>));
  matrix_axes(benchmark::RegisterBenchmark("in_half", in_half));
}

}  // namespace eigentropy::cuda::bench
