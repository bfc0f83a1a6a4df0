// The element-wise passes over a tile. They are compiled once for each instruction set and chosen
// when the library is first used, so that one binary serves every x86-64 machine.
#pragma once

#include "core/views.hpp"

namespace eigentropy::simd {

template <class T>
struct TileKernels {
  const char* name;  // of the instruction set

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

  // |x - y|^2
  double (*squared_distance)(const T* x, const T* y, index_t d);
};

template <class T>
const TileKernels<T>& tile_kernels();

// Names of the instruction sets that this machine can run, best first; the first one is used
// unless EIGENTROPY_SIMD names another.
const char* active_instruction_set();

// The table of one instruction set, nullptr where this machine or this build lacks it.
template <class T>
const TileKernels<T>* find_tile_kernels(const char* name);

}  // namespace eigentropy::simd
