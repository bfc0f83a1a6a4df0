// Eigenvalues of symmetric matrices on the device, by cuSOLVER.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// values: cusolverDnXsyevd, eigenvalues alone. vectors: cusolverDnXsyevd with eigenvectors, another
// algorithm, which takes more time and memory. batched: cusolverDnXsyevBatched with eigenvectors,
// on a batch of one.
enum class Driver { values, vectors, batched };

// The n eigenvalues of A (device, n x n, row-major, upper triangle), ascending. A is destroyed;
// unless the driver is `values`, it becomes the orthonormal eigenvectors, one in each row. Waits
// for the result. Throws SolverError if cuSOLVER reports a failure, or that n is too large.
template <class T>
Buffer<T> eigenvalues(const Queue& queue, T* A, index_t n, Driver driver);

// The eigenvalues of `count` matrices of order n, stored one after the other: ascending for each
// matrix, with an info that is 0 if the matrix was solved. The matrices are destroyed. Waits for
// the result. Throws SolverError if no matrix could be solved.
template <class T>
struct BatchEigenvalues {
  Buffer<T> values;  // count x n
  Buffer<int> info;
};
template <class T>
BatchEigenvalues<T> batch_eigenvalues(const Queue& queue, T* A, index_t n, index_t count);

// Throws SolverError unless info is 0, or logic_error if info names an illegal argument.
void check_info(const char* routine, int info);
constexpr const char* batch_routine = "cusolverDnXsyevBatched";

// Matrices up to this order are solved many at a time by cusolverDnXsyevBatched. A larger one keeps
// the device busy by itself. The limit is a guess, not measured yet.
constexpr index_t largest_batched = 512;

// How many matrices of order n are solved at a time in `bytes` of memory, at least one.
template <class T>
index_t batch_size(double bytes, index_t n);

// Bytes of device memory that matrices may take: half of the free memory, on the assumption that
// cuSOLVER needs about as much as the matrices.
double memory_for_matrices(const Queue& queue);

// The n eigenvalues of each of `count` matrices (device, count x n x n, one after the other; only
// the upper triangles are read), descending: count x n. A is destroyed. Throws invalid_argument,
// before anything is solved, if an entry is not finite, and SolverError if both drivers fail. If
// the device has no room for a copy of a matrix, there is no second driver.
template <class T>
Buffer<T> symmetric_spectra(const Queue& queue, T* A, index_t count, index_t n, Control& control);

}  // namespace eigentropy::cuda
