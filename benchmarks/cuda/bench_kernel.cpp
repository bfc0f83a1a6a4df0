// The Gaussian kernel of all rows, written to memory.
#include <cmath>

#include "cuda/kernel/gaussian_kernel.hpp"
#include "cuda/kernel/gaussian_sweep.hpp"
#include "cuda/kernel/written_tiles.hpp"
#include "yardsticks.hpp"

namespace eigentropy::cuda::bench {
namespace {

void count(benchmark::State& state, index_t n, index_t d, std::size_t bytes) {
  const auto entries = static_cast<double>(n) * static_cast<double>(n);
  const double flops = entries * static_cast<double>(d);  // of one triangle
  if (bytes == sizeof(float)) count_flops<float>(state, flops);
  if (bytes == sizeof(double)) count_flops<double>(state, flops);
  count_bytes(state, entries * static_cast<double>(bytes));
}

// By tiles of a sweep.
template <class T>
void write(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1);
  const Queue queue(0, nullptr);
  const auto X = pack_rows(queue, gaussian_rows<T>(queue, n, d), bandwidth(d));
  const DeviceBuffer<T> G(queue, n * X.stride);
  run(state, queue, [&] {
    Control control;
    Stage stage(control, 0.0, 1.0, sweep_launches(queue, X, 0));
    write_gaussian(queue, X, G.data(), stage);
  });
  if (to_host(queue, G.data() + (n - 1) * X.stride + n - 1, 1)[0] != 1) {
    state.SkipWithError("wrong result");
  }
  count(state, n, d, sizeof(T));
}

// With its row sums, as for the eigenvalues.
template <class T>
void kernels(benchmark::State& state) {
  const index_t n = state.range(0), d = state.range(1);
  const Queue queue(0, nullptr);
  const auto X = gaussian_rows<T>(queue, n, d);
  const DeviceBuffer<T> G(queue, n * n);
  const Batch<T> batch(queue, {{n, n, G.data(), nullptr}});
  run(state, queue, [&] { gaussian_kernels(queue, X, bandwidth(d), batch); });
  if (to_host(queue, G.data() + n * n - 1, 1)[0] != 1) state.SkipWithError("wrong result");
  count(state, n, d, sizeof(T));
}

void axes(benchmark::internal::Benchmark* benchmark) {
  timed(benchmark)->ArgNames({"n", "d"});
  for (const index_t d : {64, 512, 4096}) {
    benchmark->Args({sized(16'384, 70), sized(d, d / 16)});
  }
}

}  // namespace

void register_kernel() {
  axes(benchmark::RegisterBenchmark("write_gaussian<float>", write<float>));
  axes(benchmark::RegisterBenchmark("write_gaussian<double>", write<double>));
  axes(benchmark::RegisterBenchmark("gaussian_kernels<float>", kernels<float>));
  axes(benchmark::RegisterBenchmark("gaussian_kernels<double>", kernels<double>));
}

}  // namespace eigentropy::cuda::bench
