#include "cuda/eigen/eigenvalues.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "base/eigen/bisection.hpp"
#include "base/errors.hpp"
#include "base/threads.hpp"
#include "cuda/eigen/batches.hpp"
#include "cuda/eigen/mirror.hpp"
#include "cuda/eigen/solver.hpp"
#include "cuda/eigen/two_stage.hpp"

namespace eigentropy::cuda {
namespace {

template <class T>
Buffer<T> by_syevd(const Queue& queue, T* A, index_t n, cusolverEigMode_t mode) {
  constexpr const char* routine = "cusolverDnXsyevd";
  const SolverHandle handle(queue);
  const Parameters params;
  const DeviceBuffer<T> w(queue, n);
  const DeviceBuffer<int> info(queue, 1);
  std::size_t device_bytes = 0, host_bytes = 0;
  check_solver(
      cusolverDnXsyevd_bufferSize(handle, params, mode, triangle, n, data_type<T>, A, n,
                                  data_type<T>, w.data(), data_type<T>, &device_bytes, &host_bytes),
      "cusolverDnXsyevd_bufferSize", n);
  Workspace work(queue, device_bytes, host_bytes);
  mirror_upper_triangles(queue, A, n, 1);
  check_solver(cusolverDnXsyevd(handle, params, mode, triangle, n, data_type<T>, A, n, data_type<T>,
                                w.data(), data_type<T>, work.on_device.data(), device_bytes,
                                work.on_host.data(), host_bytes, info.data()),
               routine, n);
  auto values = to_host(queue, w.data(), n);
  check_info(routine, to_host(queue, info.data(), 1)[0]);
  return values;
}

template <class T>
Buffer<T> by_batch_of_one(const Queue& queue, T* A, index_t n) {
  BatchEigenvalues<T> found = solve_batch(queue, A, n, 1, Vectors::wanted);
  check_info(batch_routine, found.info[0]);
  return std::move(found.values);
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
struct Tridiagonal {
  Buffer<T> diagonal, off_diagonal;
};

template <class T>
Tridiagonal<T> tridiagonalize_on_device(const Queue& queue, T* A, index_t n) {
  constexpr const char* routine =
      sizeof(T) == sizeof(double) ? "cusolverDnDsytrd" : "cusolverDnSsytrd";
  const SolverHandle handle(queue);
  const DeviceBuffer<T> d(queue, n), e(queue, n), tau(queue, n);
  const DeviceBuffer<int> info(queue, 1);
  const int order = static_cast<int>(n);
  int size = 0;
  check_solver(
      sytrd_size<T>(handle, triangle, order, A, order, d.data(), e.data(), tau.data(), &size),
      routine, n);
  const Workspace work(queue, static_cast<std::size_t>(size) * sizeof(T), 0);
  mirror_upper_triangles(queue, A, n, 1);
  check_solver(sytrd<T>(handle, triangle, order, A, order, d.data(), e.data(), tau.data(),
                        reinterpret_cast<T*>(work.on_device.data()), size, info.data()),
               routine, n);
  Tridiagonal<T> out{to_host(queue, d.data(), n), to_host(queue, e.data(), n - 1)};
  check_info(routine, to_host(queue, info.data(), 1)[0]);
  return out;
}

template <class T>
Buffer<T> in_one_stage(const Queue& queue, T* A, index_t n, Control& control) {
  if (n > largest_one_stage) {
    throw SolverError("cuSOLVER's sytrd counts in 32 bits: a matrix of order n = " +
                      std::to_string(n) + " is too large for it");
  }
  Tridiagonal<T> matrix = tridiagonalize_on_device(queue, A, n);
  bisect(matrix.diagonal.data(), matrix.off_diagonal.data(), n, thread_count(), control);
  return std::move(matrix.diagonal);
}

}  // namespace

SolverTuning& solver_tuning() {
  static SolverTuning tuning;
  return tuning;
}

std::vector<Driver> drivers_of_values(index_t n) {
  const SolverTuning& tuning = solver_tuning();
  std::vector<Driver> drivers;
  if (n >= tuning.two_stages_from) drivers.push_back(Driver::two_stages);
  if (n >= tuning.one_stage_from && n <= largest_one_stage) drivers.push_back(Driver::one_stage);
  drivers.push_back(Driver::values);
  drivers.push_back(Driver::vectors);
  return drivers;
}

template <class T>
Buffer<T> eigenvalues(const Queue& queue, T* A, index_t n, Driver driver, Control& control) {
  const Range range("eigenvalues");
  switch (driver) {
    case Driver::values:
      return by_syevd(queue, A, n, CUSOLVER_EIG_MODE_NOVECTOR);
    case Driver::vectors:
      return by_syevd(queue, A, n, CUSOLVER_EIG_MODE_VECTOR);
    case Driver::batched:
      return by_batch_of_one(queue, A, n);
    case Driver::one_stage:
      return in_one_stage(queue, A, n, control);
    case Driver::two_stages:
      return in_two_stages(queue, A, n, 1, control);
  }
  throw std::logic_error("no such driver");
}

template Buffer<float> eigenvalues(const Queue&, float*, index_t, Driver, Control&);
template Buffer<double> eigenvalues(const Queue&, double*, index_t, Driver, Control&);

}  // namespace eigentropy::cuda
