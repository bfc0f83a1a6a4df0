// Tridiagonal eigenvalues: the whole stage, and the Sturm counts that it consists of.
#include <algorithm>
#include <vector>

#include "base/errors.hpp"
#include "base/simd/sturm_kernels.hpp"
#include "base/spectrum.hpp"
#include "base/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/eigen/tridiagonal.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// A count takes 4 flops a row and shift.
constexpr double flops_of_a_row = 4.0;

template <class T>
struct Tridiagonal {
  Buffer<T> d, e;

  explicit Tridiagonal(index_t n) : d(n), e(n) {
    fill_uniform(d);
    fill_uniform(e);
  }
};

// Wilkinson's matrices of order 21 side by side: 21 eigenvalues, each in a cluster of n / 21.
template <class T>
Tridiagonal<T> glued_matrices(index_t n) {
  Tridiagonal<T> matrix(n);
  for (index_t i = 0; i < n; ++i) {
    matrix.d[i] = static_cast<T>(std::abs(i % 21 - 10));
    matrix.e[i] = i % 21 == 20 ? T(1e-8) : T(1);
  }
  return matrix;
}

enum class Spectrum { random, clustered };
// lapack: sterf, QR iteration on one thread, which cuSOLVER's Xsyevd ends with, too.
enum class Method { ours, lapack };

// The flops are those of one count for each eigenvalue, 4 n^2: how far the rate stays behind that
// of tridiagonal_counts is how many counts an eigenvalue takes.
template <class T, Spectrum spectrum, Method method = Method::ours>
void tridiagonal_eigenvalues(benchmark::State& state) {
  const index_t n = state.range(0);
  const Threads threads(static_cast<int>(state.range(1)));
  const auto matrix = spectrum == Spectrum::random ? Tridiagonal<T>(n) : glued_matrices<T>(n);
  const Buffer<T> d(n), e(n);
  for (auto _ : state) {
    std::copy(matrix.d.begin(), matrix.d.end(), d.begin());
    std::copy(matrix.e.begin(), matrix.e.end(), e.begin());
    if (method == Method::lapack) {
      check_info("sterf", blas::sterf(blas::to_blas(n), d.data(), e.data()));
      continue;
    }
    Control control;
    eigentropy::tridiagonal_eigenvalues(d.data(), e.data(), n, thread_count(), control);
  }
  double trace = 0.0, squares = 0.0;
  for (index_t i = 0; i < n; ++i) {
    const auto diagonal = static_cast<double>(matrix.d[i]), off = static_cast<double>(matrix.e[i]);
    trace += diagonal;
    squares += diagonal * diagonal + (i + 1 < n ? 2.0 * off * off : 0.0);
  }
  if (!spectrum_matches(d.data(), n, trace, squares)) state.SkipWithError("wrong result");
  count_flops<T>(state, flops_of_a_row * static_cast<double>(n * n), thread_count());
  state.SetItemsProcessed(state.iterations() * n);
}
void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->ArgsProduct({{500, 1000, 2000, 5000, 10000}, thread_counts()});
}
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, double, Spectrum::random)->Apply(axes);
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, float, Spectrum::random)->Apply(axes);
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, double, Spectrum::clustered)->Apply(axes);
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, float, Spectrum::clustered)->Apply(axes);

// What a GPU that reduces a matrix to tridiagonal form leaves to the host, and what cuSOLVER leaves
// to one of its threads. Once each: they take seconds. LAPACK uses one thread, whatever `threads`.
void large_axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->ArgsProduct({{2048, 4096, 8192, 16384}, thread_counts()})->Iterations(1);
}
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, double, Spectrum::random, Method::ours)
    ->Name("bisection_of_a_gpu<double>")
    ->Apply(large_axes);
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, double, Spectrum::random, Method::lapack)
    ->Name("sterf_of_a_gpu<double>")
    ->Apply(large_axes);
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, float, Spectrum::random, Method::ours)
    ->Name("bisection_of_a_gpu<float>")
    ->Apply(large_axes);
BENCHMARK_TEMPLATE(tridiagonal_eigenvalues, float, Spectrum::random, Method::lapack)
    ->Name("sterf_of_a_gpu<float>")
    ->Apply(large_axes);

// One call: 64 shifts, 16 bytes a row. Shifts reach beyond all eigenvalues on both sides.
void tridiagonal_counts(benchmark::State& state) {
  const index_t n = state.range(0);
  constexpr index_t block = 100;
  const Tridiagonal<double> matrix(n);
  std::vector<simd::SturmRow> rows;
  std::vector<index_t> ends;
  for (index_t i = 0; i < n; ++i) {
    rows.push_back({matrix.d[i], i == 0 ? 0.0 : matrix.e[i] * matrix.e[i]});
    if ((i + 1) % block == 0) ends.push_back(i + 1);
  }
  simd::SturmLanes lanes;
  for (index_t k = 0; k < simd::sturm_lanes; ++k) {
    lanes.x[k] = -4.0 + 8.0 * static_cast<double>(k) / static_cast<double>(simd::sturm_lanes - 1);
  }
  const simd::SturmMatrix view{rows.data(), ends.data(), static_cast<index_t>(ends.size())};
  const auto& kernels = simd::active_kernels<simd::SturmKernels>();
  for (auto _ : state) {
    kernels.counts(view, lanes);
    benchmark::ClobberMemory();
  }
  if (lanes.below[0] != 0 || lanes.below[simd::sturm_lanes - 1] != n) {
    state.SkipWithError("wrong result");
  }
  const auto size = static_cast<double>(n);
  count_flops<double>(state, flops_of_a_row * size * static_cast<double>(simd::sturm_lanes), 1);
  count_bytes(state, size * sizeof(simd::SturmRow));
}
BENCHMARK(tridiagonal_counts)->ArgName("n")->Arg(500)->Arg(2000)->Arg(10000);

}  // namespace
}  // namespace eigentropy::bench
