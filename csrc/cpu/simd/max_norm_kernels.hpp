// Distances in the maximum norm between the rows of two panels.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// Rows of a panel: whole vectors of every instruction set.
constexpr index_t max_norm_panel = 16;

struct MaxNormKernels {
  // tile_ij <- max(tile_ij, max_c |x_ci - y_cj|), tile 16 x 16; x and y are panels of 16 rows,
  // column after column.
  void (*raise)(const double* x, const double* y, index_t columns, double* tile);

  static const MaxNormKernels &baseline(), &avx2(), &avx512();
};

}  // namespace eigentropy::simd
