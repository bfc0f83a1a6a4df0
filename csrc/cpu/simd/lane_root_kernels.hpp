// Eigenvalues of symmetric tridiagonal matrices side by side: lane k of every vector belongs to
// matrix k of a group.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

template <class T>
struct LaneRootKernels {
  // Groups that are best given at once.
  index_t groups_at_once;

  // d (n vectors): the diagonals, e2 (n vectors): the squares of the off-diagonal entries, the last
  // of them 0, of `groups` groups, one after the other. The norm of a matrix is 0, or from about 1
  // to about 2 n. roots (n vectors) <- the eigenvalues, descending, but -infinity for the first
  // unused[k] entries of lane k. d and e2 are destroyed. Eigenvalues that 30 n sweeps do not find
  // are NaN.
  void (*eigenvalues)(index_t groups, index_t n, T* d, T* e2, T* roots, const index_t* unused);

  static const LaneRootKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const LaneRootKernels<T>& lane_root_kernels() {
  return active_kernels<LaneRootKernels<T>>();
}

}  // namespace eigentropy::simd
