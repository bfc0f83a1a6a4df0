// Symmetric matrices side by side: lane k of every vector belongs to matrix k of a group. From the
// caller's matrices to tridiagonal ones.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// One matrix, of which only the upper triangle is read.
template <class T>
struct LaneSource {
  const T* data;
  index_t n;
  index_t row_stride, col_stride;
};

// A group of order n is packed: row i of the upper triangle is n - i vectors, one for each column
// from i on, and follows row i - 1. A smaller matrix is the last part of its lane, and zeros
// come before it. Its results are, to the bit, those of any other group that it could be in.
template <class T>
struct LaneMatrixKernels {
  // Matrices of a group.
  index_t lanes;

  // A <- the matrices of `lanes` sources. largest[k] <- the largest |entry| of matrix k;
  // finite[k] <- 0 if all its entries are finite, else NaN.
  void (*interleave)(const LaneSource<T>* sources, index_t n, T* A, T* largest, T* finite);

  // A <- A first second, one factor of each for each lane. trace[k] <- tr A, squares[k] <- |A|_F^2
  // of the result.
  void (*scale)(T* A, index_t n, const T* first, const T* second, double* trace, double* squares);

  // d (n vectors) <- the diagonal, e2 (n vectors) <- the squares of the off-diagonal entries, the
  // last 0, of tridiagonal matrices with the eigenvalues of A. The norm of A is 0, or from about 1
  // to about 2 n. A is destroyed. work: 5 n vectors.
  void (*tridiagonalize)(T* A, index_t n, T* work, T* d, T* e2);

  static const LaneMatrixKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const LaneMatrixKernels<T>& lane_matrix_kernels() {
  return active_kernels<LaneMatrixKernels<T>>();
}

}  // namespace eigentropy::simd
