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

// Number of tiles that a pass over the upper triangle visits in all blocks: its tasks of a Stage.
template <class T>
index_t upper_tile_visits(const CenteredRows<T>& X) {
  return X.blocks() * upper_tile_count(X.n);
}

// For a user who asks for the distances themselves: rounding leaves an absolute error of some
// eps |x|^2, which is too much below this share of |x|^2.
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

// Adds the block's products to the tile; with the last block it becomes
// tile <- |x_i - x_j|^2 >= 0 for its rows and columns.
template <class T>
void squared_distance_tile(const ColumnBlock<T>& block, const Tile& tile, Refinement refinement,
                           T* out, index_t stride);

// r2_ij = |x_i - x_j|^2, both triangles. In units of the input that is times X.scale^2, which may
// be beyond the numbers there are.
template <class T>
void squared_distances(const CenteredRows<T>& X, MatrixView<T> r2, int threads, Control& control);

// r2_ij = |x_query(i) - x_j|^2 for chosen rows: count x n. `finish`, if there is one, is called on
// each stretch of columns that is done, by the thread that has it in its cache.
template <class T>
void squared_distances_from(const CenteredRows<T>& X, const index_t* query, index_t count,
                            MatrixView<T> r2, int threads, Control& control,
                            const std::function<void(Columns)>& finish = {});

}  // namespace eigentropy
