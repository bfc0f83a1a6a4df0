// The blocked loop over the upper triangle of a symmetric matrix, and sums over its rows.
#pragma once

#include <algorithm>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/threads.hpp"

namespace eigentropy {

// A tile of this many rows and columns of float64 is 512 KiB: it stays in a core's second-level
// cache between the product that writes it and the passes that read it.
constexpr index_t tile_size = 256;

inline index_t tile_count(index_t n) { return (n + tile_size - 1) / tile_size; }
inline index_t upper_tile_count(index_t n) { return tile_count(n) * (tile_count(n) + 1) / 2; }

// Rows [row, row + rows) and columns [col, col + cols) with col >= row. A diagonal tile is the
// whole square: both its triangles are stored, so that its row sums need no special case.
struct Tile {
  index_t row, rows, col, cols;
  index_t block_row, block_col;
  bool diagonal() const { return block_row == block_col; }
};

// The tiles of the upper triangle are numbered row by row.
inline Tile upper_tile(index_t n, index_t number) {
  const index_t blocks = tile_count(n);
  index_t i = 0;
  for (; number >= blocks - i; ++i) number -= blocks - i;
  const index_t j = i + number;
  return {i * tile_size,
          std::min(tile_size, n - i * tile_size),
          j * tile_size,
          std::min(tile_size, n - j * tile_size),
          i,
          j};
}

// visit(tile, tile number) for every tile of the upper triangle, on `threads` threads.
template <class Visit>
void for_each_upper_tile(index_t n, int threads, const Visit& visit) {
  parallel_for(upper_tile_count(n), threads,
               [&](index_t number, int) { visit(upper_tile(n, number), number); });
}

// Rows a thread takes at a time in passes over the input, or over a whole matrix.
constexpr index_t row_block = 64;

inline index_t row_blocks(index_t n) { return (n + row_block - 1) / row_block; }

// visit(first row, last row + 1, block) on every block of rows.
template <class Visit>
void for_each_row_block(index_t n, int threads, const Visit& visit) {
  parallel_for(row_blocks(n), threads, [&](index_t block, int) {
    visit(block * row_block, std::min(n, (block + 1) * row_block), block);
  });
}

// Row sums of a symmetric matrix, each off-diagonal tile of which is visited once: tile (I, J)
// contributes a sum for each of its rows and for each of its columns. Every tile writes to slots of
// its own. The slots are added in a fixed order, so that the result does not depend on the number
// of threads.
template <class T>
class RowSums {
 public:
  explicit RowSums(index_t n) : n_(n), partial_(tile_count(n) * n) {}

  // Sums over the tile's columns, one for each of its rows, and the other way round.
  T* of_rows(const Tile& tile) const { return slot(tile.block_col, tile.row); }
  T* of_cols(const Tile& tile) const { return slot(tile.block_row, tile.col); }

  double total(index_t i) const {
    double sum = 0.0;
    for (index_t block = 0; block < tile_count(n_); ++block) sum += *slot(block, i);
    return sum;
  }

 private:
  T* slot(index_t block, index_t i) const { return partial_.data() + block * n_ + i; }

  index_t n_;
  Buffer<T> partial_;
};

}  // namespace eigentropy
