// Eigenvalues of many symmetric matrices of one order on the device, at the same time.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The eigenvalues of `count` matrices of order n, ascending for each matrix, with an info that is 0
// if the matrix was solved.
template <class T>
struct BatchEigenvalues {
  Buffer<T> values;  // count x n
  Buffer<int> info;
};

constexpr const char* batch_routine = "cusolverDnXsyevBatched";

// By cusolverDnXsyevBatched. The matrices (device, stored one after the other, upper triangles) are
// destroyed, or become their orthonormal eigenvectors, one in each row. Waits for the result.
// Throws SolverError if no matrix could be solved.
enum class Vectors { none, wanted };
template <class T>
BatchEigenvalues<T> solve_batch(const Queue& queue, T* A, index_t n, index_t count,
                                Vectors vectors);

// Whether matrices of order n are solved many at a time.
bool are_batched(index_t n);

// By the driver for matrices of this order. The matrices are destroyed.
template <class T>
BatchEigenvalues<T> batch_eigenvalues(const Queue& queue, T* A, index_t n, index_t count,
                                      Control& control);

// How many matrices of order n are solved at a time in `bytes` of memory, at least one.
template <class T>
index_t batch_size(double bytes, index_t n);

// Bytes of device memory that matrices may take: half of the free memory, on the assumption that
// cuSOLVER needs about as much as the matrices.
double memory_for_matrices(const Queue& queue);

}  // namespace eigentropy::cuda
