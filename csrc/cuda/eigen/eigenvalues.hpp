// Eigenvalues of a symmetric matrix on the device, by one of several drivers.
#pragma once

#include <limits>
#include <vector>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {

// values: cusolverDnXsyevd, eigenvalues alone. It reduces the matrix in one stage, and ends with QR
// iteration on one thread of the host. vectors: cusolverDnXsyevd with eigenvectors, another
// algorithm, which takes more time and memory. batched: cusolverDnXsyevBatched with eigenvectors,
// on a batch of one. one_stage: cusolverDn<t>sytrd, and bisection on all threads of the host.
// two_stages: two_stage.hpp.
enum class Driver { values, vectors, batched, one_stage, two_stages };

// Which driver is taken for which order. The numbers are guesses until a GPU has measured them, by
// the microbenchmarks eigenvalues_by and together_by; tests and microbenchmarks set others.
struct SolverTuning {
  static constexpr index_t never = std::numeric_limits<index_t>::max();

  // From this order on, one_stage comes before values. Both reduce the matrix in one stage. The QR
  // iteration that values ends with takes nine times as long as bisection on the same core (five
  // times in float32; benchmarks/results/host_of_a_gpu.json), so that one_stage can lose little.
  index_t one_stage_from = static_cast<index_t>(tuned("one_stage_from"));
  // From this order on, two_stages comes before both.
  index_t two_stages_from = never;
  // Of the band between the two stages, for matrices of an order below and from `wide_from`.
  index_t narrow_band = static_cast<index_t>(tuned("narrow_band"));
  index_t wide_band = static_cast<index_t>(tuned("wide_band"));
  index_t wide_from = static_cast<index_t>(tuned("wide_band_from"));
  // Matrices up to this order are solved many at a time by cusolverDnXsyevBatched. A larger one
  // keeps the device busy by itself.
  index_t largest_batched = static_cast<index_t>(tuned("largest_batched_order"));
  // Matrices above that and up to this order are solved many at a time in two stages.
  index_t largest_together = static_cast<index_t>(tuned("largest_together_order"));
};
SolverTuning& solver_tuning();

// Drivers for the eigenvalues alone of a matrix of order n, in the order in which they are tried.
std::vector<Driver> drivers_of_values(index_t n);

// cusolverDn<t>sytrd counts in 32 bits. A larger matrix has more than 2^31 entries.
constexpr index_t largest_one_stage = 46'340;

// The n eigenvalues of A (device, n x n, row-major, upper triangle), ascending. A is destroyed;
// with the drivers `vectors` and `batched` it becomes the orthonormal eigenvectors, one in each
// row. Waits for the result. The drivers that compute on the host look for a request to stop.
// Throws SolverError if cuSOLVER reports a failure, or that n is too large.
template <class T>
Buffer<T> eigenvalues(const Queue& queue, T* A, index_t n, Driver driver, Control& control);

}  // namespace eigentropy::cuda
