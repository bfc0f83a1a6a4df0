// B V for a symmetric matrix B of which the tiles of the upper triangle come one at a time, each of
// them used for its rows and for its columns while it is in the cache.
//
// Products within a tile are summed in the working precision, those of tiles in float64. Two tiles
// of one column add to the same rows of the result, so rows of tiles follow each other over the
// threads in a fixed order, and the result does not depend on their number.
#pragma once

#include <algorithm>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/simd/gaussian_kernels.hpp"

namespace eigentropy {

// Rows and columns of a tile: a multiple of a strip. In float32 it takes 144 KiB of the
// second-level cache; the rows of V and of the result that belong to it are there, too.
constexpr index_t sweep_tile = 192;

// Rows [row, row + rows) and columns [col, col + cols), rounded up to whole strips.
struct SweepTile {
  index_t row, rows, col, cols;
  bool diagonal() const { return row == col; }
};

// visit(i, rows, j, cols, mirrored) for the parts of a tile that together are all its entries,
// those with `mirrored` together with their mirror images. A tile on the diagonal is taken strip by
// strip: a square, and what is right of it; what is below the squares is not visited.
template <class Visit>
void for_each_part(const SweepTile& tile, const Visit& visit) {
  constexpr index_t strip = simd::strip_rows;
  if (!tile.diagonal()) return visit(0, tile.rows, 0, tile.cols, true);
  for (index_t i = 0; i < tile.rows; i += strip) {
    visit(i, strip, i, strip, false);
    if (i + strip < tile.cols) visit(i, strip, i + strip, tile.cols - i - strip, true);
  }
}

template <class T>
class TileSource {
 public:
  virtual ~TileSource() = default;
  // Returns the parts of the tile, rows of sweep_tile entries: written to `workspace` or kept
  // elsewhere. What is beyond the matrix is finite. Tiles of one row come in order.
  virtual const T* get(const SweepTile& tile, T* workspace) = 0;
};

// A stretch of rows or of columns of B; it begins with a tile.
struct Stretch {
  index_t begin, end;
  index_t tiles() const { return (end - begin + sweep_tile - 1) / sweep_tile; }
};

// Tiles that `run` visits.
inline index_t sweep_tiles(const Stretch& rows, const Stretch& cols) {
  return rows.begin == cols.begin ? rows.tiles() * (rows.tiles() + 1) / 2
                                  : rows.tiles() * cols.tiles();
}

// Columns of V are multiplied in chunks, each of them a matrix of its own whose rows are
// contiguous: whole vectors, filled up with zeros, or, of very few columns, one at a time.
struct ColumnChunks {
  explicit ColumnChunks(index_t columns);
  index_t columns;
  index_t count, padded;  // chunks, and columns of all of them

  index_t begin(index_t chunk) const { return unit * (units() * chunk / count); }
  index_t width(index_t chunk) const { return begin(chunk + 1) - begin(chunk); }

 private:
  index_t units() const { return padded / unit; }
  index_t unit;
};

template <class T>
class SymmetricSweep {
 public:
  SymmetricSweep(index_t n, index_t columns, int threads);

  // Of a tile at a time; a product with few vectors goes from one to the next.
  bool reads_several_rows() const { return chunks_.padded > chunks_.count; }

  // V_jc <- factors_j V_jc, and the result is 0. No factors: 1.
  template <class S>
  void load(MatrixView<const S> V, const double* factors);

  // Adds what the tiles of these rows and columns give: the upper triangle of a square on the
  // diagonal, or a rectangle above it. `stage` has sweep_tiles(rows, cols) tasks.
  void run(const Stretch& rows, const Stretch& cols, TileSource<T>& source, Stage& stage);

  // out_ic <- factors_i (B V)_ic
  template <class S>
  void store(const double* factors, MatrixView<S> out) const;

 private:
  struct Workspace;
  class RowOfTiles;

  T* values(index_t chunk, index_t row) const {
    return V_.data() + rows_ * chunks_.begin(chunk) + row * chunks_.width(chunk);
  }
  double* sums(index_t chunk, index_t row) const {
    return sums_.data() + rows_ * chunks_.begin(chunk) + row * chunks_.width(chunk);
  }

  index_t n_, rows_;  // rows_: rounded up to whole strips
  int threads_;
  ColumnChunks chunks_;
  Buffer<T> V_;
  Buffer<double> sums_;
};

}  // namespace eigentropy
