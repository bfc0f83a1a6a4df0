// Eigenvalues of symmetric matrices on the device, by cuSOLVER.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// values: cusolverDnXsyevd, eigenvalues alone. vectors: the same with eigenvectors, which is
// another algorithm and takes more time and memory. batched: cusolverDnXsyevBatched, with
// eigenvectors, on a batch of one.
enum class Driver { values, vectors, batched };

// The n eigenvalues of A (device, n x n, row-major, upper triangle), ascending. A is destroyed;
// unless the driver is `values` it becomes their orthonormal eigenvectors, one a row. Waits for
// them. SolverError if cuSOLVER reports a failure, or that n is too large for it.
template <class T>
Buffer<T> eigenvalues(const Queue& queue, T* A, index_t n, Driver driver);

// The eigenvalues of `count` matrices of order n, one behind the other: each ascending, and info,
// which is 0 where the matrix was solved. All are destroyed. Waits for them. SolverError if none
// could be solved.
template <class T>
struct BatchEigenvalues {
  Buffer<T> values;  // count x n
  Buffer<int> info;
};
template <class T>
BatchEigenvalues<T> batch_eigenvalues(const Queue& queue, T* A, index_t n, index_t count);

// Throws SolverError, or logic_error for an argument that is illegal, unless info is 0.
void check_info(const char* routine, int info);
constexpr const char* batch_routine = "cusolverDnXsyevBatched";

// Up to this order, matrices are solved many at a time, by cusolverDnXsyevBatched. A larger one
// keeps the device busy by itself. Where the two meet is not measured yet.
constexpr index_t largest_batched = 512;

// How many matrices of order n may be solved at a time in `bytes` of memory: at least one.
template <class T>
index_t batch_size(double bytes, index_t n);

// Bytes of device memory that matrices may take: half of what is free, as cuSOLVER is taken to
// need about as much beside them.
double memory_for_matrices(const Queue& queue);

// The n eigenvalues of each of `count` matrices (device, count x n x n, one behind the other; upper
// triangles are read, nothing else), descending: count x n. A is destroyed. Throws invalid_argument
// if an entry is not finite, before anything is solved, and SolverError if two drivers fail; of a
// matrix of which the device has no room for a copy, one.
template <class T>
Buffer<T> symmetric_spectra(const Queue& queue, T* A, index_t count, index_t n, Control& control);

}  // namespace eigentropy::cuda
