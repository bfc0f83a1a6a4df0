// Kernel matrices side by side in SIMD lanes, packed as lane_matrix_kernels.hpp says.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// Rows of one matrix, in ascending order.
struct LaneSubset {
  const index_t* indices;
  index_t n;
};

template <class T>
struct LaneOperatorKernels {
  // A <- G(indices, indices) of as many subsets as there are lanes, n rows at most. G is symmetric,
  // row-major, and only read above its diagonal, which is 1. columns: n vectors of the size of A's.
  void (*gather)(const T* G, index_t stride, const LaneSubset* subsets, index_t n, T* columns,
                 T* A);

  // y <- A x, n vectors each
  void (*multiply)(const T* A, index_t n, const T* x, T* y);

  // A_ij <- s_i s_j A_ij;  squares[k] <- |A|_F^2
  void (*conjugate)(T* A, index_t n, const T* s, double* squares);

  static const LaneOperatorKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const LaneOperatorKernels<T>& lane_operator_kernels() {
  return active_kernels<LaneOperatorKernels<T>>();
}

}  // namespace eigentropy::simd
