// The element-wise passes over a tile.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

template <class T>
struct TileKernels {
  // tile holds -2 x_i.y_j;  tile_ij <- max(0, row_norms_i + col_norms_j + tile_ij)
  void (*squared_distances)(T* tile, index_t rows, index_t cols, index_t stride, const T* row_norms,
                            const T* col_norms);

  // tile_ij <- exp(scale * tile_ij), scale <= 0;  row_sums_i = sum_j tile_ij,
  // col_sums_j = sum_i tile_ij (not wanted: nullptr)
  void (*gaussian)(T* tile, index_t rows, index_t cols, index_t stride, T scale, T* row_sums,
                   T* col_sums);

  // row_sums_i = sum_j tile_ij col_weights_j, col_sums_j = sum_i row_weights_i tile_ij (or nullptr)
  void (*weighted_sums)(const T* tile, index_t rows, index_t cols, index_t stride,
                        const T* row_weights, const T* col_weights, T* row_sums, T* col_sums);

  // tile_ij <- row_scale_i col_scale_j tile_ij; returns sum_ij tile_ij^2
  double (*conjugate)(T* tile, index_t rows, index_t cols, index_t stride, const T* row_scale,
                      const T* col_scale);

  // inside_j = 1 where low <= row_j <= high, else 0, for a row without NaN;
  // returns how many row_j < low
  index_t (*mark_between)(const T* row, index_t count, T low, T high, unsigned char* inside);

  // |x - y|^2
  double (*squared_distance)(const T* x, const T* y, index_t d);

  static const TileKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const TileKernels<T>& tile_kernels() {
  return active_kernels<TileKernels<T>>();
}

}  // namespace eigentropy::simd
