// Tiles of the Gaussian kernel, as a sweep asks for them.
#pragma once

#include "cpu/kernel/row_strips.hpp"
#include "cpu/operator/symmetric_sweep.hpp"

namespace eigentropy {

template <class T>
struct GaussianTiles {
  T scale;         // of the exponent
  index_t blocks;  // in which the columns of a row are read: see distance_error_factor

  // entries_ij <- G_ij of packed rows, in rows of sweep_tile entries. Below the diagonal of a tile
  // on the diagonal nothing is promised.
  void compute(const SweepTile& tile, const PackedRows<T>& rows, const PackedRows<T>& cols,
               T* entries) const;

  // sum_ij (s_i G_ij s_j)^2 of all that the tile stands for, s from the tile's first row and column
  // on.
  double squares(const SweepTile& tile, const T* entries, const T* of_rows, const T* of_cols) const;
};

}  // namespace eigentropy
