// B V for a symmetric matrix B, which arrives as the tiles of its upper triangle, one at a time.
// Each cached tile is used twice, for its row block and for its column block.
//
// Sums within a tile are in the working precision, sums over tiles in float64. Two tiles of one
// column add to the same rows of the result. Threads therefore process rows of tiles in a fixed
// order (Pipeline), and the result does not depend on the number of threads.
#pragma once

#include <algorithm>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/simd/gaussian_kernels.hpp"

namespace eigentropy {

// Rows and columns of a tile: a multiple of a strip. In float32 a tile takes 144 KiB of the
// second-level cache, which also holds the rows of V and of the result that belong to the tile.
constexpr index_t sweep_tile = 192;

// Rows [row, row + rows) and columns [col, col + cols), rounded up to whole strips.
struct SweepTile {
  index_t row, rows, col, cols;
  bool diagonal() const { return row == col; }
};

// Calls visit(i, rows, j, cols, mirrored) for parts of a tile that together cover all its entries.
// A part with `mirrored` also stands for its mirror image. A tile on the diagonal is cut into
// strips, and each strip into a square on the diagonal and the rectangle to its right; entries
// below the squares are not visited.
template <class Visit>
void for_each_part(const SweepTile& tile, const Visit& visit) {
  constexpr index_t strip = simd::strip_rows;
  if (!tile.diagonal()) return visit(0, tile.rows, 0, tile.cols, true);
  for (index_t i = 0; i < tile.rows; i += strip) {
    visit(i, strip, i, strip, false);
    if (i + strip < tile.cols) visit(i, strip, i + strip, tile.cols - i - strip, true);
  }
}

struct Memory {
  const void* begin = nullptr;
  index_t bytes = 0;
};

template <class T>
class TileSource {
 public:
  virtual ~TileSource() = default;
  // Returns the tile's entries in rows of sweep_tile entries, written to `workspace` or kept
  // elsewhere. Entries beyond the matrix must be finite. The tiles of one row are asked for in
  // order.
  virtual const T* get(const SweepTile& tile, T* workspace) = 0;
  // What `get` will read of a tile from memory, to be fetched ahead of need.
  virtual Memory reads(const SweepTile&) const { return {}; }
};

// A stretch of rows or of columns of B that begins where a tile begins.
struct Stretch {
  index_t begin, end;
  index_t tiles() const { return (end - begin + sweep_tile - 1) / sweep_tile; }
};

// How many tiles `run` visits.
inline index_t sweep_tiles(const Stretch& rows, const Stretch& cols) {
  return rows.begin == cols.begin ? rows.tiles() * (rows.tiles() + 1) / 2
                                  : rows.tiles() * cols.tiles();
}

// The columns of V are multiplied in chunks. A chunk is a matrix with contiguous rows, whose
// columns are filled up with zeros to whole SIMD vectors. If V has very few columns, each column is
// a chunk.
struct ColumnChunks {
  explicit ColumnChunks(index_t columns);
  index_t columns;
  index_t count, padded;  // the number of chunks, and of columns in all chunks

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

  // Whether a product reads several rows of a tile at a time. A product with few vectors reads one
  // row after the other.
  bool reads_several_rows() const { return chunks_.padded > chunks_.count; }

  // Sets V_jc <- factors_j V_jc and the result to 0. Without factors, each factor is 1. Row 0 of
  // the view is row `first` of V, a multiple of a strip.
  template <class S>
  void load(MatrixView<const S> V, const double* factors, index_t first = 0);

  // Adds the products of the tiles in these rows and columns: the upper triangle of a square on the
  // diagonal, or a rectangle above it. `stage` has sweep_tiles(rows, cols) tasks.
  void run(const Stretch& rows, const Stretch& cols, TileSource<T>& source, Stage& stage);

  // out_ic <- factors_i (B V)_ic, from row `first` of the result on
  template <class S>
  void store(const double* factors, MatrixView<S> out, index_t first = 0) const;

 private:
  struct Workspace;
  class RowOfTiles;

  T* values(index_t chunk, index_t row) const {
    return V_.data() + rows_ * chunks_.begin(chunk) + row * chunks_.width(chunk);
  }
  double* sums(index_t chunk, index_t row) const {
    return sums_.data() + rows_ * chunks_.begin(chunk) + row * chunks_.width(chunk);
  }

  index_t rows_;  // rounded up to whole strips
  int threads_;
  ColumnChunks chunks_;
  Buffer<T> V_;
  Buffer<double> sums_;
};

}  // namespace eigentropy
