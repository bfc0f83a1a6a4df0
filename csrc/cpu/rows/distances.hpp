// Squared Euclidean distances between rows.
#pragma once

#include <functional>
#include <limits>

#include "base/control.hpp"
#include "base/distances.hpp"
#include "base/tiles.hpp"
#include "base/views.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

// How many tiles a pass over the upper triangle visits in all blocks of columns: the number of
// tasks of its Stage.
template <class T>
index_t upper_tile_visits(const CenteredRows<T>& X) {
  return X.blocks() * upper_tile_count(X.n);
}

// The refinement for a user who asks for the distances themselves. Rounding leaves an absolute
// error of about eps |x|^2, which is too much for distances below this share of |x|^2.
template <class T>
Refinement refinement_of_distances(const ColumnBlock<T>& block) {
  return {1e-3 * static_cast<double>(block.max_norm()), 0.0};
}

// Error of |x|^2 + |y|^2 - 2 x.y for rows with |x|^2 <= max_norm.
template <class T>
double cancellation_error(const CenteredRows<T>& X, T max_norm) {
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  return distance_error_factor(X.d, X.blocks()) * eps * static_cast<double>(max_norm);
}

// Adds the block's products to the tile. After the last block the tile holds |x_i - x_j|^2 >= 0 for
// its rows i and columns j.
template <class T>
void squared_distance_tile(const ColumnBlock<T>& block, const Tile& tile, Refinement refinement,
                           T* out, index_t stride);

// The last step of squared_distance_tile: distances that suffer from cancellation are computed
// again.
template <class T>
void refine_tile(const ColumnBlock<T>& block, const Tile& tile, Refinement refinement, T* out,
                 index_t stride);

// r2_ij = |x_i - x_j|^2, both triangles. Multiply by X.scale^2 for the units of the input; the
// product may overflow.
template <class T>
void squared_distances(const CenteredRows<T>& X, MatrixView<T> r2, int threads, Control& control);

// r2_ij = |x_query(i) - x_j|^2 for chosen rows: count x n. `finish`, if given, is called for each
// finished stretch of columns, by the thread that has the stretch in its cache.
template <class T>
void squared_distances_from(const CenteredRows<T>& X, const index_t* query, index_t count,
                            MatrixView<T> r2, int threads, Control& control,
                            const std::function<void(Columns)>& finish = {});

}  // namespace eigentropy
