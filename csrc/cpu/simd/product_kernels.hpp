// The matrix products of the reduction to band form, and its pass over a panel. Operands are packed
// once, where a general gemm would pack them in every call.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

template <class T>
struct ProductKernels {
  // Rows and columns of the register block of `update`; its operands are packed in panels of these.
  index_t panel_rows;
  index_t panel_cols;

  // y_i += sum_k a(i, k) v_k for `rows` rows y_i and `depth` rows v_k of `width` entries each,
  // contiguous; a(i, k) = a[i * a_row + k * a_depth]. width must be a multiple of 16.
  void (*multiply)(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
                   index_t a_depth, const T* v, T* y);

  // The same, and memory that is read next is on its way to the cache meanwhile.
  void (*multiply_and_fetch)(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
                             index_t a_depth, const T* v, T* y, const void* next, index_t bytes);

  // out[k * height + h] for height rows h: x_k(h) of [left right], rows of `width` entries each;
  // rows beyond `rows` are 0. This is a panel of `update`.
  void (*pack)(index_t rows, index_t height, index_t width, const T* left, const T* right, T* out);

  // C(i, j) -= sum_k L(i, k) R(j, k), C column-major; L and R packed: panel_rows (panel_cols) rows
  // of a panel, all `depth` entries, then the next panel.
  void (*update)(index_t rows, index_t cols, index_t depth, const T* L, const T* R, T* C,
                 index_t stride);

  // For each of the rows r of P, `width` entries, contiguous:
  //   r <- r - r[column] coefficients,   sums <- sum of r[next] r
  // coefficients[column] is 0 unless all are. width must be a multiple of 16.
  void (*eliminate)(index_t rows, index_t width, index_t column, index_t next, T* P,
                    const T* coefficients, double* sums);

  static const ProductKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const ProductKernels<T>& product_kernels() {
  return active_kernels<ProductKernels<T>>();
}

}  // namespace eigentropy::simd
