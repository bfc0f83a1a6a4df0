// Gaussian kernels of sets of rows, computed side by side in SIMD lanes and packed as
// lane_matrix_kernels.hpp says. Only the upper triangle is computed.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"
#include "cpu/simd/lane_operator_kernels.hpp"

namespace eigentropy::simd {

// How many entries of the rows are packed at a time. Sums of longer rows are sums of these.
constexpr index_t lane_depth = 64;

template <class T>
struct LaneGaussianKernels {
  // Rows of a register block: packed rows come in blocks of these.
  index_t block_rows;

  // x <- entries [first, first + depth) of the chosen rows of X, d entries each: n rows at most,
  // and as many vectors as n rounded up to whole blocks times depth. Rows that a lane does not have
  // become 0; depth is lane_depth at most.
  void (*pack)(const T* X, index_t d, const LaneSubset* subsets, index_t n, index_t first,
               index_t depth, T* x);

  // A_ij <- sum_k x_ik x_jk, or the sum of (x_ik - x_jk)^2; or adds them to A.
  void (*products)(const T* x, index_t depth, index_t n, bool add, T* A);
  void (*differences)(const T* x, index_t depth, index_t n, bool add, T* A);

  // A_ij <- exp(scale |x_i - x_j|^2) from products or from differences, scale <= 0: 1 on the
  // diagonal, 0 in the unused rows at the start of each lane. norms: n vectors of memory.
  void (*from_products)(T* A, index_t n, T scale, const index_t* unused, T* norms);
  void (*from_differences)(T* A, index_t n, T scale, const index_t* unused, T* norms);

  static const LaneGaussianKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const LaneGaussianKernels<T>& lane_gaussian_kernels() {
  return active_kernels<LaneGaussianKernels<T>>();
}

}  // namespace eigentropy::simd
