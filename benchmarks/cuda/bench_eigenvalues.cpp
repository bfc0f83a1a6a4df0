// Eigenvalues without vectors by every driver, beside the limit of what they are made of.
//
// A symmetric matrix of order n is reduced to a tridiagonal one in one stage with (4/3) n^3 flops.
// Half of them are n products of the trailing matrix with a vector, which has to be read for each:
// one triangle of it, k^2 / 2 numbers for k = 1 .. n, n^3 / 6 in all. The other half are updates of
// rank two for a block of vectors at a time, products of matrices. So no one-stage reduction takes
// less than
//
//   n^3 sizeof(T) / 6 bytes / (bytes read a second) + (2/3) n^3 flops / (flops of a product)
//
// `of_one_stage` is that over the time measured: 1 is the limit, and above it there are two stages.
// Where it is near 1 only a reduction in two stages, which reads the matrix once for each block of
// vectors and not for each vector, can be faster. `tridiagonal` is cusolverDn<t>sytrd alone, and
// what Xsyevd takes beside it is the tridiagonal problem, as far as it uses the same reduction.
// `band` is the first of two stages alone.
#include <cusolverDn.h>

#include <string>

#include "cuda/eigen/band_reduction.hpp"
#include "cuda/eigen/batches.hpp"
#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/handles.hpp"
#include "yardsticks.hpp"

namespace eigentropy::cuda::bench {
namespace {

template <class T>
double one_stage_seconds(index_t n) {
  const auto order = static_cast<double>(n);
  const double cube = order * order * order;
  // A copy reads as many bytes as it writes.
  const double reading = cube * sizeof(T) / 6.0 / copy_rate();
  return reading + 2.0 / 3.0 * cube / gemm_rate<T>();
}

template <class T>
void count(benchmark::State& state, index_t n) {
  using benchmark::Counter;
  const auto order = static_cast<double>(n);
  count_flops<T>(state, 4.0 / 3.0 * order * order * order);
  state.counters["of_one_stage"] =
      Counter(one_stage_seconds<T>(n), Counter::kIsIterationInvariantRate);
}

// A_ij = r_|i-j| with random r: the upper triangle, which is read. It takes no n^2 random numbers,
// and no two of its eigenvalues are equal, which a solver would profit from.
template <class T>
DeviceBuffer<T> matrix(const Queue& queue, index_t n) {
  const auto r = gaussian_values<T>(queue, 2 * n, 3);
  DeviceBuffer<T> A(queue, n * n);
  for (index_t i = 0; i < n; ++i) copy(queue, A.data() + i * n, r.data() + n - i, n);
  return A;
}

// With room for the matrix, its copy, and a workspace of the same size; else it says so.
template <class T>
bool fits(benchmark::State& state, index_t n) {
  const double needed = 3.0 * static_cast<double>(n * n) * sizeof(T);
  if (needed <= static_cast<double>(device_memory(0).free)) return true;
  state.SkipWithError("the device has too little memory");
  return false;
}

// With every way to the eigenvalues alone. The time of what the host does is in it.
template <class T>
void eigenvalues_by(benchmark::State& state, Driver driver, index_t width = 0) {
  const index_t n = state.range(0);
  if (!fits<T>(state, n)) return;
  const SolverTuning before = solver_tuning();
  solver_tuning().narrow_band = solver_tuning().wide_band = sized(width, 8);
  const Queue queue(0, nullptr);
  const auto A = matrix<T>(queue, n);
  const DeviceBuffer<T> work(queue, n * n);
  const Timer timer(queue);
  Control control;
  try {
    for (auto _ : state) {
      copy(queue, work.data(), A.data(), n * n);
      state.SetIterationTime(
          timer.seconds([&] { eigenvalues(queue, work.data(), n, driver, control); }));
    }
    count<T>(state, n);
  } catch (const SolverError& error) {
    state.SkipWithError(error.what());  // its limit is what was asked for
  }
  solver_tuning() = before;
}

// The first stage of two_stages alone: what it takes beside that is the host's.
template <class T>
void band(benchmark::State& state, index_t width) {
  const index_t n = state.range(0);
  if (!fits<T>(state, n)) return;
  const Queue queue(0, nullptr);
  const auto A = matrix<T>(queue, n);
  const DeviceBuffer<T> work(queue, n * n);
  const Timer timer(queue);
  Control control;
  for (auto _ : state) {
    copy(queue, work.data(), A.data(), n * n);
    state.SetIterationTime(
        timer.seconds([&] { band_of(queue, work.data(), n, 1, sized(width, 8), control); }));
  }
  count<T>(state, n);
}

// Groups of an order at which one matrix does not keep the device busy: one after the other by
// `values` or in one stage, by cusolverDnXsyevBatched, and reduced together in two stages.
enum class Together { values, one_stage, batched, two_stages };
template <class T>
void together_by(benchmark::State& state, Together way) {
  const index_t n = state.range(0), matrices = sized(32, 3);
  const SolverTuning before = solver_tuning();
  solver_tuning().largest_batched = way == Together::batched ? n : 0;
  solver_tuning().largest_together = n;
  solver_tuning().narrow_band = sized(32, 8);
  const Queue queue(0, nullptr);
  const auto A = matrix<T>(queue, n);
  const DeviceBuffer<T> work(queue, matrices * n * n);
  const Timer timer(queue);
  Control control;
  try {
    for (auto _ : state) {
      for (index_t b = 0; b < matrices; ++b) copy(queue, work.data() + b * n * n, A.data(), n * n);
      state.SetIterationTime(timer.seconds([&] {
        if (way == Together::batched || way == Together::two_stages) {
          batch_eigenvalues(queue, work.data(), n, matrices, control);
          return;
        }
        const Driver driver = way == Together::values ? Driver::values : Driver::one_stage;
        for (index_t b = 0; b < matrices; ++b) {
          eigenvalues(queue, work.data() + b * n * n, n, driver, control);
        }
      }));
    }
    const auto order = static_cast<double>(n);
    count_flops<T>(state, 4.0 / 3.0 * order * order * order * static_cast<double>(matrices));
  } catch (const SolverError& error) {
    state.SkipWithError(error.what());
  }
  solver_tuning() = before;
}

template <class T>
constexpr auto sytrd_size = cusolverDnDsytrd_bufferSize;
template <>
constexpr auto sytrd_size<float> = cusolverDnSsytrd_bufferSize;
template <class T>
constexpr auto sytrd = cusolverDnDsytrd;
template <>
constexpr auto sytrd<float> = cusolverDnSsytrd;

template <class T>
void tridiagonal(benchmark::State& state) {
  const index_t n = state.range(0);
  if (!fits<T>(state, n)) return;
  const Queue queue(0, nullptr);
  const SolverHandle handle(queue);
  const auto A = matrix<T>(queue, n);
  const DeviceBuffer<T> reduced(queue, n * n), d(queue, n), e(queue, n), tau(queue, n);
  const DeviceBuffer<int> info(queue, 1);
  const int order = static_cast<int>(n);
  int size = 0;
  cusolverStatus_t status = sytrd_size<T>(handle, CUBLAS_FILL_MODE_LOWER, order, reduced.data(),
                                          order, d.data(), e.data(), tau.data(), &size);
  const DeviceBuffer<T> workspace(queue, size);
  const Timer timer(queue);
  for (auto _ : state) {
    copy(queue, reduced.data(), A.data(), n * n);
    state.SetIterationTime(timer.seconds([&] {
      if (status != CUSOLVER_STATUS_SUCCESS) return;
      status = sytrd<T>(handle, CUBLAS_FILL_MODE_LOWER, order, reduced.data(), order, d.data(),
                        e.data(), tau.data(), workspace.data(), size, info.data());
    }));
  }
  if (status != CUSOLVER_STATUS_SUCCESS) {
    state.SkipWithError(name_of(status));
    return;
  }
  count<T>(state, n);
}

// Once each: they take seconds. The first ones warm up what follows.
template <class Body>
void add(const std::string& name, index_t n, const Body& body) {
  timed(benchmark::RegisterBenchmark(name.c_str(), body))->ArgName("n")->Iterations(1)->Arg(n);
}

template <class T>
void add_order(const std::string& type, index_t n) {
  const auto by = [&](const std::string& driver, Driver which, index_t width) {
    add("eigenvalues_by<" + type + ">/" + driver, n,
        [=](benchmark::State& state) { eigenvalues_by<T>(state, which, width); });
  };
  by("two_stages_32", Driver::two_stages, 32);
  by("two_stages_64", Driver::two_stages, 64);
  by("one_stage", Driver::one_stage, 32);
  by("values", Driver::values, 32);
  if (n >= 20'000) return;  // each takes as long as most of a driver
  add("tridiagonal<" + type + ">", n, tridiagonal<T>);
  add("band<" + type + ">/32", n, [](benchmark::State& state) { band<T>(state, 32); });
  add("band<" + type + ">/64", n, [](benchmark::State& state) { band<T>(state, 64); });
}

template <class T>
void add_groups(const std::string& type, index_t n) {
  const auto by = [&](const std::string& way, Together which) {
    add("together_by<" + type + ">/" + way, n,
        [=](benchmark::State& state) { together_by<T>(state, which); });
  };
  by("values", Together::values);
  by("one_stage", Together::one_stage);
  by("batched", Together::batched);
  by("two_stages", Together::two_stages);
}

}  // namespace

void register_eigenvalues() {
  for (const index_t full : {600, 1'000, 2'000}) {
    const index_t n = sized(full, full / 50);
    add_groups<float>("float", n);
    add_groups<double>("double", n);
  }
  // The largest ones last, in case that time runs out.
  for (const index_t full : {1'000, 4'000, 8'000, 16'000, 32'000}) {
    const index_t n = sized(full, full / 500);
    add_order<float>("float", n);
    add_order<double>("double", n);
  }
}

}  // namespace eigentropy::cuda::bench
