// Dense to band: the whole stage, the factorisation of a panel, and the two products on one tile.
#include <algorithm>

#include "base/threads.hpp"
#include "cpu/eigen/band_reduction.hpp"
#include "cpu/eigen/panel_qr.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/simd/product_kernels.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// The reduction keeps sum_i A_ii and sum_ij A_ij^2.
template <class T>
bool traces_match(BandView<T> band, double trace, double frobenius2) {
  double diagonal = 0.0, squares = 0.0;
  for (index_t j = 0; j < band.n; ++j) {
    const T* const column = band.column(j);
    diagonal += static_cast<double>(column[0]);
    for (index_t i = 0; i <= std::min(band.width, band.n - 1 - j); ++i) {
      const auto entry = static_cast<double>(column[i]);
      squares += (i == 0 ? 1.0 : 2.0) * entry * entry;
    }
  }
  return close<T>(diagonal, trace) && close<T>(squares, frobenius2);
}

// (4/3) n^3 flops. For each of n / b panels the lower triangle of what is left is read and written:
// n^3 / (3 b) entries.
template <class T>
void dense_to_band(benchmark::State& state) {
  const index_t n = state.range(0), width = state.range(1), stride = band_stride(width);
  const Threads threads(static_cast<int>(state.range(2)));
  Control control;
  const auto matrix = build_matrix(gaussian_rows<T>(n, 16), {bandwidth(16), 0.5, true},
                                   thread_count(), control, 0.0, 1.0);
  const Buffer<T> A(n * n), entries(band_size(n, width, stride));
  const BandView<T> band{entries.data(), n, width, stride};
  BandReducer<T> reducer(n, width, thread_count());
  for (auto _ : state) {
    state.PauseTiming();  // the reduction destroys its input
    std::copy(matrix.entries.begin(), matrix.entries.end(), A.begin());
    state.ResumeTiming();
    reducer.reduce({A.data(), n, n}, band, control, 0.0, 1.0);
  }
  if (!traces_match(band, matrix.trace, matrix.frobenius2)) state.SkipWithError("wrong result");
  const double cube = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  count_flops<T>(state, 4.0 / 3.0 * cube, thread_count());
  count_bytes(state, cube / (3.0 * static_cast<double>(width)) * sizeof(T));
}
void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "width", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->ArgsProduct({{300, 1000, 2000, 5000}, band_widths, thread_counts()});
}
BENCHMARK_TEMPLATE(dense_to_band, double)->Apply(axes);
BENCHMARK_TEMPLATE(dense_to_band, float)->Apply(axes);

// 2 m b^2 flops for V and R, m b^2 for T (m >> b). The panel is read and written for each of its
// columns: 2 m b^2 entries.
template <class T>
void dense_to_band_panel(benchmark::State& state) {
  const index_t m = state.range(0), width = state.range(1);
  const Buffer<T> P(m * width), V(m * width), factor(width * width), R(width * width);
  fill_uniform(P);
  PanelQr<T> qr(width);
  for (auto _ : state) {
    qr.factor(m, P.data(), m, V.data(), factor.data(), R.data(), width);
    benchmark::ClobberMemory();
  }
  double squares = 0.0;  // of the first column: R_00^2
  for (index_t i = 0; i < m; ++i) squares += static_cast<double>(P[i]) * static_cast<double>(P[i]);
  if (!close<T>(std::abs(static_cast<double>(R[0])), std::sqrt(squares))) {
    state.SkipWithError("wrong result");
  }
  const auto work = static_cast<double>(m * width * width);
  count_flops<T>(state, 3.0 * work, 1);
  count_bytes(state, 2.0 * work * sizeof(T));
}
BENCHMARK_TEMPLATE(dense_to_band_panel, double)
    ->ArgNames({"rows", "width"})
    ->ArgsProduct({{1000, 4000}, band_widths});
BENCHMARK_TEMPLATE(dense_to_band_panel, float)
    ->ArgNames({"rows", "width"})
    ->ArgsProduct({{1000, 4000}, band_widths});

// A tile inside of a matrix of this order.
constexpr index_t tile_rows = 192, order = 2000;

// Y += A V or Y += A^T V: 2 r^2 b flops; A and V are read, Y is read and written: r^2 + 3 r b
// entries.
template <class T>
void dense_to_band_multiply(benchmark::State& state) {
  const index_t width = state.range(0);
  const bool transposed = state.range(1) != 0;
  const auto& kernels = simd::product_kernels<T>();
  const Buffer<T> A(tile_rows * order), V(tile_rows * width), Y(tile_rows * width);
  std::fill(A.begin(), A.end(), T(1));
  std::fill(V.begin(), V.end(), T(1));
  const auto multiply = [&] {
    kernels.multiply(tile_rows, tile_rows, width, A.data(), transposed ? order : 1,
                     transposed ? 1 : order, V.data(), Y.data());
    benchmark::ClobberMemory();
  };
  std::fill(Y.begin(), Y.end(), T(0));
  multiply();
  if (Y[Y.size() - 1] != T(tile_rows)) state.SkipWithError("wrong result");
  for (auto _ : state) multiply();
  const auto entries = static_cast<double>(tile_rows * tile_rows);
  count_flops<T>(state, 2.0 * entries * static_cast<double>(width), 1);
  count_bytes(state, (entries + static_cast<double>(3 * tile_rows * width)) * sizeof(T));
}
BENCHMARK_TEMPLATE(dense_to_band_multiply, double)
    ->ArgNames({"width", "transposed"})
    ->ArgsProduct({band_widths, {0, 1}});
BENCHMARK_TEMPLATE(dense_to_band_multiply, float)
    ->ArgNames({"width", "transposed"})
    ->ArgsProduct({band_widths, {0, 1}});

// A <- A - [V W] [W V]^T: 4 r^2 b flops; A is read and written, the factors are read: 2 r^2 + 4 r b
// entries.
template <class T>
void dense_to_band_update(benchmark::State& state) {
  const index_t width = state.range(0);
  const auto& kernels = simd::product_kernels<T>();
  const Buffer<T> A(tile_rows * order), left(tile_rows * 2 * width), right(tile_rows * 2 * width);
  std::fill(left.begin(), left.end(), T(1));
  std::fill(right.begin(), right.end(), T(1));
  const auto update = [&] {
    kernels.update(tile_rows, tile_rows, 2 * width, left.data(), right.data(), A.data(), order);
    benchmark::ClobberMemory();
  };
  std::fill(A.begin(), A.end(), T(0));
  update();
  if (A[(tile_rows - 1) * (order + 1)] != T(-2 * width)) state.SkipWithError("wrong result");
  for (auto _ : state) update();
  const auto entries = static_cast<double>(tile_rows * tile_rows);
  count_flops<T>(state, 4.0 * entries * static_cast<double>(width), 1);
  count_bytes(state, (2.0 * entries + static_cast<double>(4 * tile_rows * width)) * sizeof(T));
}
BENCHMARK_TEMPLATE(dense_to_band_update, double)->ArgName("width")->ArgsProduct({band_widths});
BENCHMARK_TEMPLATE(dense_to_band_update, float)->ArgName("width")->ArgsProduct({band_widths});

}  // namespace
}  // namespace eigentropy::bench
