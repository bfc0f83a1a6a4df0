// Eigenvalues of symmetric matrices on the device, by cuSOLVER.
#pragma once

#include "core/buffer.hpp"
#include "core/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Both are cusolverDnXsyevd. `values` computes eigenvalues alone, by another algorithm than
// `vectors`, which computes both and takes more time and memory.
enum class Driver { values, vectors };

// The n eigenvalues of A (device, n x n, row-major, upper triangle), ascending. A is destroyed;
// with Driver::vectors it becomes their orthonormal eigenvectors, one a row. Waits for them.
// SolverError if cuSOLVER reports a failure or that n is too large for it.
template <class T>
Buffer<T> eigenvalues(const Queue& queue, T* A, index_t n, Driver driver, Control& control);

// The eigenvalues of `count` matrices of order n, one behind the other, each ascending; info[b] is
// 0 where matrix b was solved. All are destroyed. Waits for them.
template <class T>
struct BatchEigenvalues {
  Buffer<T> values;  // count x n
  Buffer<int> info;
};
template <class T>
BatchEigenvalues<T> batch_eigenvalues(const Queue& queue, T* A, index_t n, index_t count);

// Up to this order, matrices are solved many at a time, by cusolverDnXsyevBatched. A larger one
// keeps the device busy by itself. Where the two meet is not measured yet.
constexpr index_t largest_batched = 512;

// Device memory that some matrices may take: half of what is free, as cuSOLVER needs about as much
// beside them.
double memory_for_matrices(const Queue& queue);

// The n eigenvalues of each of `count` matrices (device, count x n x n, one behind the other; upper
// triangles are read, nothing else), descending: count x n. A is destroyed. Throws invalid_argument
// if an entry is not finite, before anything is solved, and SolverError if two drivers fail; of a
// matrix of which the device has no room for a copy, one.
template <class T>
Buffer<T> symmetric_spectra(const Queue& queue, T* A, index_t count, index_t n, Control& control);

}  // namespace eigentropy::cuda
