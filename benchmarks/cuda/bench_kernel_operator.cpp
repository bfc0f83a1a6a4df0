// Products with the operator, without its matrix and with it.
#include <algorithm>
#include <cmath>

#include "cuda/kernel/sweep_plan.hpp"
#include "cuda/kernel/warpgroup_sweep.hpp"
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

enum class Way { all_tiles, with_matrix, in_half };

template <class T>
void multiply(benchmark::State& state, Way way, Arithmetic arithmetic = Arithmetic::ordinary) {
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
  const double of_distances = keeps_matrix ? 0.0 : 2.0;
  const double flops =
      entries * (of_distances * static_cast<double>(d) + 2.0 * static_cast<double>(m));
  count_flops<T>(state, flops);
  count_limit<T>(state, flops, arithmetic);
  const auto of_vectors = static_cast<double>(n * m) * sizeof(T);
  const double of_entries = entries * (in_half ? 2.0 : sizeof(T));
  count_bytes(state, 2.0 * of_vectors +
                         (keeps_matrix ? of_entries : static_cast<double>(n * d) * sizeof(T)));
}
void matrix_free(benchmark::State& state) { multiply<double>(state, Way::all_tiles); }
// Why the device cannot multiply by a path, or null.
const char* missing(Path path) {
  const Queue queue(0, nullptr);
  if (path == Path::warpgroups && !has_warpgroups(queue)) {
    return "this device, or this build, has no warpgroups";
  }
  if (path == Path::registers && attribute_of(queue, cudaDevAttrComputeCapabilityMajor) < 8) {
    return "tensor cores are used from compute capability 8.0 on";
  }
  return nullptr;
}
// The ways to compute tiles of float32, to find which of them is faster on a device.
void matrix_free_by(benchmark::State& state, Path path, bool turns) {
  if (const char* const why = missing(path)) return state.SkipWithError(why);
  sweep_override().path = path;
  sweep_override().turns = turns;
  multiply<float>(state, Way::all_tiles,
                  path == Path::threads ? Arithmetic::ordinary : Arithmetic::three_halves);
  sweep_override() = {};
}
template <class T>
void with_matrix(benchmark::State& state) {
  multiply<T>(state, Way::with_matrix);
}

// Its share of the GEMM's rate may be above 1: it is that of single precision.
void in_half(benchmark::State& state) { multiply<float>(state, Way::in_half); }

void matrix_free_axes(benchmark::internal::Benchmark* benchmark) {
  timed(benchmark)->ArgNames({"n", "d", "m"});
  for (const index_t d : {32, 128, 784}) {
    for (const index_t m : {1, 32, 64}) {
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
  const auto by = [](const char* name, Path path, bool turns) {
    matrix_free_axes(benchmark::RegisterBenchmark(name, matrix_free_by, path, turns));
  };
  by("matrix_free<float>/threads", Path::threads, false);
  by("matrix_free<float>/registers", Path::registers, false);
  // With both values of warpgroups_take_turns.
  by("matrix_free<float>/warpgroups", Path::warpgroups, true);
  by("matrix_free<float>/warpgroups_at_once", Path::warpgroups, false);
  matrix_axes(benchmark::RegisterBenchmark("with_matrix<float>", with_matrix<float>));
  matrix_axes(benchmark::RegisterBenchmark("with_matrix<double>", with_matrix<double>));
  matrix_axes(benchmark::RegisterBenchmark("in_half", in_half));
}

}  // namespace eigentropy::cuda::bench
