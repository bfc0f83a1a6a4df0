// cuSOLVER's eigenvalues without vectors, beside the limit of what they are made of.
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
#include <cusolverDn.h>

#include <string>

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

template <class T>
void eigenvalues_alone(benchmark::State& state) {
  const index_t n = state.range(0);
  if (!fits<T>(state, n)) return;
  const Queue queue(0, nullptr);
  const auto A = matrix<T>(queue, n);
  const DeviceBuffer<T> work(queue, n * n);
  const Timer timer(queue);
  try {
    for (auto _ : state) {
      copy(queue, work.data(), A.data(), n * n);
      state.SetIterationTime(
          timer.seconds([&] { eigenvalues(queue, work.data(), n, Driver::values); }));
    }
  } catch (const SolverError& error) {
    state.SkipWithError(error.what());  // its limit is what was asked for
    return;
  }
  count<T>(state, n);
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
void add(const char* name, void (*body)(benchmark::State&), index_t n) {
  timed(benchmark::RegisterBenchmark(name, body))->ArgName("n")->Iterations(1)->Arg(n);
}

}  // namespace

void register_eigenvalues() {
  // The largest ones last, in case that time runs out.
  for (const index_t full : {1'000, 4'000, 8'000, 16'000, 32'000}) {
    const index_t n = sized(full, full / 500);
    add("eigenvalues_alone<float>", eigenvalues_alone<float>, n);
    add("tridiagonal<float>", tridiagonal<float>, n);
    add("eigenvalues_alone<double>", eigenvalues_alone<double>, n);
    add("tridiagonal<double>", tridiagonal<double>, n);
  }
}

}  // namespace eigentropy::cuda::bench
