// Squared Euclidean distances between the rows of a matrix.
#pragma once

#include "core/buffer.hpp"
#include "core/control.hpp"
#include "core/tiles.hpp"
#include "core/views.hpp"

namespace eigentropy {

// The caller's matrix, n x d, element (i, j) at data[i * row_stride + j * col_stride]. Read once.
template <class S>
struct InputView {
  const S* data;
  index_t rows, cols;
  index_t row_stride, col_stride;

  S operator()(index_t i, index_t j) const { return data[i * row_stride + j * col_stride]; }
};

// Rows that contain NaN or infinity.
struct NonFiniteRows {
  index_t count;
  index_t first;  // -1 when count is 0
};
template <class S>
NonFiniteRows find_nonfinite_rows(InputView<S> Z, int threads);

// The rows x_i = (z_i - c) / scale, contiguous, and |x_i|^2. Subtracting a centre c changes no
// distance and keeps |x|^2 + |y|^2 - 2 x.y from cancelling; dividing by a power of two keeps it
// from overflowing. c is the column mean rounded to a multiple of a power of two between 1/16 and
// 1/32 of the column's range, so that data on a coarse grid (integers, pixels) stay exact and
// equal distances stay equal.
template <class T>
struct CenteredRows {
  Buffer<T> rows;   // n x d
  Buffer<T> norms;  // n
  index_t n = 0;
  index_t d = 0;
  double scale = 1.0;
  T max_norm = 0;

  const T* row(index_t i) const { return rows.data() + i * d; }
};
template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, int threads);

// The chosen rows, as a set of its own.
template <class T>
CenteredRows<T> select_rows(const CenteredRows<T>& X, const index_t* indices, index_t count);

// Entries of a tile whose cancellation matters are computed again as sums of squared differences:
// those below `below`, a squared distance. 0: none.
struct Refinement {
  double below = 0.0;
};

// tile <- |x_i - x_j|^2 >= 0 for the rows and columns of the tile, by one matrix product.
template <class T>
void squared_distance_tile(const CenteredRows<T>& X, const Tile& tile, Refinement refinement,
                           T* out, index_t stride);

// r2_ij = |z_i - z_j|^2, in units of the input, both triangles.
template <class T>
void squared_distances(const CenteredRows<T>& X, MatrixView<T> r2, int threads, Control& control);

// r2_ij = |z_query(i) - z_j|^2 for chosen rows: count x n.
template <class T>
void squared_distances_from(const CenteredRows<T>& X, const index_t* query, index_t count,
                            MatrixView<T> r2, int threads, Control& control);

}  // namespace eigentropy
