// QR factorisation of tall panels by Householder reflectors, Q = I - V T V^T.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"
#include "cpu/simd/product_kernels.hpp"

namespace eigentropy {

// For panels of `width` columns, a multiple of 16, one after the other.
template <class T>
class PanelQr {
 public:
  explicit PanelQr(index_t width);

  // P: m x width, column-major, column j at P + j * stride; only read. V (m x width, row-major) <-
  // the reflectors, unit lower trapezoidal. factor (width x width, row-major) <- T, upper
  // triangular. R[j * R_stride + i] <- entry (i, j) of R for i <= j and i < m. A panel with fewer
  // rows than columns has fewer reflectors; the missing ones are zero.
  void factor(index_t m, const T* P, index_t stride, T* V, T* factor, T* R, index_t R_stride);

 private:
  double copy_scaled(index_t m, const T* P, index_t stride, T* V) const;
  double reflect(index_t j, T* row);
  void write_factor(T* factor) const;
  void normalize(index_t m, T* V) const;

  const simd::ProductKernels<T>& kernels_ = simd::product_kernels<T>();
  index_t width_;
  Buffer<T> coefficients_;  // subtracted from a row's columns, times its entry of the reflector
  Buffer<double> sums_;     // products of the next column with each column
  Buffer<double> gram_;     // v_i . v_j for i < j, before normalisation, column-major
  Buffer<double> tau_;      // of the normalised reflectors; 0: none
  Buffer<double> scale_;    // normalises v_j, so that its first entry is 1
};

}  // namespace eigentropy
