// A tile of the Gaussian kernel from packed rows: products and exponential. Nothing in between
// leaves the first-level cache.
#pragma once

#include <cstdint>

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// Rows in strips of this many: entry k of row h of a strip is strip[k * strip_rows + h]. It is a
// multiple of both sides of every register block.
constexpr index_t strip_rows = 48;

template <class T>
struct GaussianTile {
  index_t rows, cols;                // multiples of strip_rows
  index_t depth;                     // entries of a row
  const T *row_strips, *col_strips;  // strip after strip
  const T *row_norms, *col_norms;    // |x|^2, |y|^2
  T scale;                           // <= 0
};

template <class T>
struct GaussianKernels {
  // out_ij <- exp(scale max(0, |x_i|^2 + |y_j|^2 - 2 x_i.y_j))
  void (*from_products)(const GaussianTile<T>& tile, T* out, index_t stride);

  // out_ij <- exp(scale sum_k (x_ik - y_jk)^2), which does not cancel. Twice the arithmetic.
  void (*from_differences)(const GaussianTile<T>& tile, T* out, index_t stride);

  // sum_ij (row_scale_i G_ij col_scale_j)^2
  double (*squares)(const T* tile, index_t rows, index_t cols, index_t stride, const T* row_scale,
                    const T* col_scale);

  // sums_i += values_i
  void (*add)(index_t count, const T* values, double* sums);

  // Entries in [0, 1] to 16 bits, their square roots to the nearest multiple of 1 / 65535; and
  // back. The error of an entry is at most the root over 65535: for most kernels it is far smaller
  // than that of half precision, whose digits are spent on entries near 0.
  void (*to_roots)(index_t count, const T* entries, std::uint16_t* roots);
  void (*from_roots)(index_t count, const std::uint16_t* roots, T* entries);

  static const GaussianKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const GaussianKernels<T>& gaussian_kernels() {
  return active_kernels<GaussianKernels<T>>();
}

}  // namespace eigentropy::simd
