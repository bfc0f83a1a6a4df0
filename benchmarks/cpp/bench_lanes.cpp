// Small matrices side by side in SIMD lanes. On one thread: each stage, and all of them beside the
// solver of one matrix at a time. On all threads, too: whole batches. The share of the product's
// rate is that of (4/3) n^3 flops of each matrix.
#include <memory>

#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/eigen/lane_solver.hpp"
#include "cpu/eigen/symmetric_spectra.hpp"
#include "cpu/operator/diffusion.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// Matrices of as many groups as are solved at once, and what the stages make of them.
template <class T>
struct Groups {
  explicit Groups(index_t order)
      : n(order),
        lanes(LaneSolver<T>::lanes()),
        count(LaneSolver<T>::groups_at_once() * lanes),
        matrices(count * n * n),
        packed(lanes * n * (n + 1) / 2),
        work(5 * n * lanes),
        d(n * count),
        e2(n * count),
        largest(lanes),
        finite(lanes),
        unused(count),
        factors(lanes),
        traces(lanes),
        squares(lanes) {
    const Threads one(1);
    for (index_t k = 0; k < count; ++k) {
      std::mt19937_64 generator(static_cast<std::uint64_t>(k));
      std::normal_distribution<double> normal;
      Buffer<double> Z(n * 16);
      for (double& z : Z) z = normal(generator);
      const auto X = in_memory(center_rows<double, T>({Z.data(), n, 16, 16, 1}, 1), 1);
      Control control;
      const auto A = build_matrix(X, {bandwidth(16), 0.5, true}, 1, control, 0.0, 1.0);
      T* const matrix = matrices.data() + k * n * n;
      std::copy(A.entries.begin(), A.entries.end(), matrix);
      sources.push_back({matrix, n, n, 1});
      unused[k] = 0;
      factors[k % lanes] = 4;
    }
  }
  void interleave() const {
    kernels.interleave(sources.data(), n, packed.data(), largest.data(), finite.data());
  }
  void scale() const {
    kernels.scale(packed.data(), n, factors.data(), factors.data(), traces.data(), squares.data());
  }
  void tridiagonalize(index_t group) const {
    kernels.tridiagonalize(packed.data(), n, work.data(), d.data() + group * n * lanes,
                           e2.data() + group * n * lanes);
  }

  const simd::LaneMatrixKernels<T>& kernels = simd::lane_matrix_kernels<T>();
  index_t n, lanes, count;
  Buffer<T> matrices, packed, work, d, e2, largest, finite;
  Buffer<index_t> unused;
  Buffer<T> factors;
  Buffer<double> traces, squares;
  std::vector<simd::LaneSource<T>> sources;
};

double flops_of(index_t n, index_t count) {
  const auto size = static_cast<double>(n);
  return static_cast<double>(count) * 4.0 / 3.0 * size * size * size;
}

template <class T>
void lane_interleave(benchmark::State& state) {
  const Groups<T> groups(state.range(0));
  for (auto _ : state) {
    groups.interleave();
    groups.scale();
  }
  count_bytes(state, static_cast<double>(groups.packed.size() * sizeof(T)) * 2.0);
  state.SetItemsProcessed(state.iterations() * groups.lanes);
}

// The copy that the stage destroys counts, too: a pass over the packed matrices.
template <class T>
void lane_tridiagonalize(benchmark::State& state) {
  const Threads one(1);
  const Groups<T> groups(state.range(0));
  groups.interleave();
  groups.scale();
  const Buffer<T> copy(groups.packed.size());
  std::copy(groups.packed.begin(), groups.packed.end(), copy.begin());
  for (auto _ : state) {
    std::copy(copy.begin(), copy.end(), groups.packed.begin());
    groups.tridiagonalize(0);
  }
  count_flops<T>(state, flops_of(groups.n, groups.lanes), 1);
  state.SetItemsProcessed(state.iterations() * groups.lanes);
}

template <class T>
void lane_roots(benchmark::State& state) {
  const Groups<T> groups(state.range(0));
  const index_t count = std::min(state.range(1), groups.count / groups.lanes);
  for (index_t group = 0; group < count; ++group) {
    groups.interleave();
    groups.scale();
    groups.tridiagonalize(group);
  }
  const Buffer<T> d(groups.d.size()), e2(groups.e2.size()), roots(groups.d.size());
  for (auto _ : state) {
    std::copy(groups.d.begin(), groups.d.end(), d.begin());
    std::copy(groups.e2.begin(), groups.e2.end(), e2.begin());
    simd::lane_root_kernels<T>().eigenvalues(count, groups.n, d.data(), e2.data(), roots.data(),
                                             groups.unused.data());
  }
  state.SetItemsProcessed(state.iterations() * groups.lanes * count);
}

template <class T>
void lane_solver(benchmark::State& state) {
  const Threads one(1);
  const Groups<T> groups(state.range(0));
  const index_t count = state.range(1) == 0 ? groups.count : state.range(1);
  LaneSolver<T> solver(groups.n);
  const Buffer<T> w(groups.count * groups.n);
  std::vector<LaneProblem<T>> problems;
  for (index_t k = 0; k < groups.count; ++k) {
    problems.push_back({groups.sources[static_cast<std::size_t>(k)], w.data() + k * groups.n});
  }
  for (auto _ : state) {
    solver.solve(problems.data(), count);
    if (problems[0].outcome != LaneProblem<T>::Outcome::solved) {
      state.SkipWithError("wrong result");
    }
  }
  count_flops<T>(state, flops_of(groups.n, count), 1);
  state.SetItemsProcessed(state.iterations() * count);
}

// The path that the lanes replace.
template <class T>
void one_at_a_time(benchmark::State& state) {
  const Threads one(1);
  const Groups<T> groups(state.range(0));
  const index_t n = groups.n;
  SmallProblem<T> problem(n);
  const Buffer<T> w(n);
  for (auto _ : state) {
    for (index_t k = 0; k < 8; ++k) {
      const T* const source = groups.sources[static_cast<std::size_t>(k % groups.lanes)].data;
      std::copy(source, source + n * n, problem.matrix.begin());
      const Scratch::Scope scope(problem.scratch);
      problem.solver.eigenvalues(SymmetricView<T>{problem.matrix.data(), n, n}, w.data());
    }
  }
  count_flops<T>(state, flops_of(n, 8), 1);
  state.SetItemsProcessed(state.iterations() * 8);
}

// A whole batch, which repeats the matrices of the groups, on one thread and on all.
template <class T>
void spectra_of_batch(benchmark::State& state) {
  const index_t n = state.range(0), count = state.range(1);
  const Threads threads(static_cast<int>(state.range(2)));
  const Groups<T> groups(n);
  const Buffer<T> stack(count * n * n);
  for (index_t b = 0; b < count; ++b) {
    std::copy_n(groups.matrices.data() + b % groups.count * n * n, n * n, stack.data() + b * n * n);
  }
  T largest = 0;
  for (auto _ : state) {
    Control control;
    largest = symmetric_spectra(MatrixBatch<T>{stack.data(), count, n, n * n, n, 1},
                                Reduction::automatic, thread_count(), control)[0];
  }
  if (!(std::abs(largest - T(1)) < T(1e-4))) state.SkipWithError("wrong result");
  count_flops<T>(state, flops_of(n, count), thread_count());
  state.SetItemsProcessed(state.iterations() * count);
}

const std::vector<std::int64_t> orders{8, 16, 32, 50, 64, 100, 128, 200, 256, 350, 500};
void by_order(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n"})->Unit(benchmark::kMicrosecond);
  for (const index_t n : orders) benchmark->Args({n});
}
void by_groups(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "groups"})->Unit(benchmark::kMicrosecond);
  for (const index_t n : {50, 100}) {
    for (const index_t groups : {1, 2, 4}) benchmark->Args({n, groups});
  }
}
// 0: full groups.
void by_count(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "matrices"})->Unit(benchmark::kMicrosecond);
  for (const index_t n : orders) {
    for (const index_t count : {1, 0}) benchmark->Args({n, count});
  }
}
void batches(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "count", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const auto& [n, count] : {std::pair<index_t, index_t>{50, 1000}, {100, 600}, {300, 200}}) {
    for (const std::int64_t threads : thread_counts()) benchmark->Args({n, count, threads});
  }
}
#define EIGENTROPY_LANES(T)                                    \
  BENCHMARK_TEMPLATE(lane_interleave, T)->Apply(by_order);     \
  BENCHMARK_TEMPLATE(lane_tridiagonalize, T)->Apply(by_order); \
  BENCHMARK_TEMPLATE(lane_roots, T)->Apply(by_groups);         \
  BENCHMARK_TEMPLATE(lane_solver, T)->Apply(by_count);         \
  BENCHMARK_TEMPLATE(one_at_a_time, T)->Apply(by_order);       \
  BENCHMARK_TEMPLATE(spectra_of_batch, T)->Apply(batches);
EIGENTROPY_LANES(double)
EIGENTROPY_LANES(float)
#undef EIGENTROPY_LANES

}  // namespace
}  // namespace eigentropy::bench
