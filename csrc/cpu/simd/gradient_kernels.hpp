// Rows of the matrices that a gradient of the entropy is made of.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// The vectors from which W is built, with one entry for each row of the batch.
template <class T>
struct SlopeVectors {
  const T *u, *roots, *w, *scale;
};

template <class T>
struct GradientKernels {
  // sum_j a_j b_j in float64
  double (*dot)(const T* a, const T* b, index_t n);

  // out_j <- out_j + factor a_j
  void (*add_scaled)(T factor, const T* a, T* out, index_t n);

  // row i of W in place of that of L, and its sum in float64:
  // l_j <- a_j (factor l_j + u_i roots_j + roots_i u_j + w_i scale_j + scale_i w_j)
  double (*slope_row)(const T* a, T* l, index_t i, index_t n, T factor, SlopeVectors<T> vectors);

  // A <- A^-1 for a symmetric A, n x n, both triangles; false if it is not positive definite
  bool (*eliminate)(T* A, index_t n, index_t stride);

  static const GradientKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const GradientKernels<T>& gradient_kernels() {
  return active_kernels<GradientKernels<T>>();
}

}  // namespace eigentropy::simd
