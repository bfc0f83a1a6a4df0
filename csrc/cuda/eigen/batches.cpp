#include "cuda/eigen/batches.hpp"

#include <algorithm>

#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/eigen/mirror.hpp"
#include "cuda/eigen/solver.hpp"
#include "cuda/eigen/two_stage.hpp"

namespace eigentropy::cuda {

template <class T>
BatchEigenvalues<T> solve_batch(const Queue& queue, T* A, index_t n, index_t count,
                                Vectors vectors) {
  const cusolverEigMode_t mode =
      vectors == Vectors::wanted ? CUSOLVER_EIG_MODE_VECTOR : CUSOLVER_EIG_MODE_NOVECTOR;
  const SolverHandle handle(queue);
  const Parameters params;
  const DeviceBuffer<T> w(queue, count * n);
  const DeviceBuffer<int> info(queue, count);
  std::size_t device_bytes = 0, host_bytes = 0;
  check_solver(cusolverDnXsyevBatched_bufferSize(handle, params, mode, triangle, n, data_type<T>, A,
                                                 n, data_type<T>, w.data(), data_type<T>,
                                                 &device_bytes, &host_bytes, count),
               "cusolverDnXsyevBatched_bufferSize", n);
  Workspace work(queue, device_bytes, host_bytes);
  mirror_upper_triangles(queue, A, n, count);
  check_solver(
      cusolverDnXsyevBatched(handle, params, mode, triangle, n, data_type<T>, A, n, data_type<T>,
                             w.data(), data_type<T>, work.on_device.data(), device_bytes,
                             work.on_host.data(), host_bytes, info.data(), count),
      batch_routine, n);
  return {to_host(queue, w.data(), count * n), to_host(queue, info.data(), count)};
}

bool are_batched(index_t n) {
  const SolverTuning& tuning = solver_tuning();
  return n <= std::max(tuning.largest_batched, tuning.largest_together);
}

template <class T>
BatchEigenvalues<T> batch_eigenvalues(const Queue& queue, T* A, index_t n, index_t count,
                                      Control& control) {
  const Range range("batch_eigenvalues");
  if (n <= solver_tuning().largest_batched) {
    return solve_batch(queue, A, n, count, Vectors::none);
  }
  BatchEigenvalues<T> found{in_two_stages(queue, A, n, count, control), Buffer<int>(count)};
  std::fill(found.info.begin(), found.info.end(), 0);
  return found;
}

double memory_for_matrices(const Queue& queue) {
  return 0.5 * static_cast<double>(device_memory(queue.device()).free);
}

template <class T>
index_t batch_size(double bytes, index_t n) {
  // With more numbers than this, a 32-bit index inside cuSOLVER may overflow.
  constexpr double most_numbers = 0x1p30;
  const double each = static_cast<double>(n) * static_cast<double>(n);
  const double fit = std::min(bytes / sizeof(T), most_numbers) / each;
  return std::max<index_t>(1, static_cast<index_t>(fit));
}

#define EIGENTROPY_INSTANTIATE(T)                                                               \
  template BatchEigenvalues<T> solve_batch(const Queue&, T*, index_t, index_t, Vectors);        \
  template BatchEigenvalues<T> batch_eigenvalues(const Queue&, T*, index_t, index_t, Control&); \
  template index_t batch_size<T>(double, index_t);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
