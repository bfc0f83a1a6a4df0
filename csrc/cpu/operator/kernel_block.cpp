#include "cpu/operator/kernel_block.hpp"

#include <algorithm>
#include <numeric>

#include "base/distances.hpp"
#include "cpu/operator/gaussian_tiles.hpp"
#include "cpu/operator/symmetric_sweep.hpp"

namespace eigentropy {
namespace {

index_t tile_blocks(index_t n) { return (n + sweep_tile - 1) / sweep_tile; }

// s in T, filled up with zeros to whole strips.
template <class T>
Buffer<T> padded(const double* s, index_t n) {
  Buffer<T> values(s == nullptr ? 0 : padded_rows(n));
  if (s == nullptr) return values;
  std::fill(values.begin(), values.end(), T(0));
  std::transform(s, s + n, values.begin(), [](double x) { return static_cast<T>(x); });
  return values;
}

}  // namespace

template <class T>
class KernelBlock<T>::Tiles final : public TileSource<T> {
 public:
  Tiles(const KernelBlock& B, const PackedRows<T>& rows, const PackedRows<T>& cols, T scale,
        const double* s_rows, const double* s_cols, bool in_cache)
      : B_(B),
        rows_(rows),
        cols_{cols.strips, cols.norms, cols.d, B.first_col_},
        gaussian_{scale, (rows.d + widest_block - 1) / widest_block},
        s_rows_(padded<T>(s_rows, B.rows_)),
        s_cols_(padded<T>(s_rows == nullptr ? nullptr : s_cols, B.cols_)),
        squares_(s_rows == nullptr ? 0 : tile_blocks(B.rows_)),
        in_cache_(in_cache) {
    std::fill(squares_.begin(), squares_.end(), 0.0);
  }

  const T* get(const SweepTile& tile, T* workspace) override {
    T* entries = B_.matrix_.size() == 0 ? workspace : kept(tile);
    if (!B_.is_kept_) {
      gaussian_.compute(tile, rows_, cols_, entries);
    } else if (in_cache_) {  // memory delivers a tile faster in one sequential copy
      entries = std::copy_n(entries, tile.rows * sweep_tile, workspace) - tile.rows * sweep_tile;
    }
    if (squares_.size() != 0) {
      squares_[tile.row / sweep_tile] += gaussian_.squares(
          tile, entries, s_rows_.data() + tile.row, s_cols_.data() + (tile.col - B_.first_col_));
    }
    return entries;
  }

  Memory reads(const SweepTile& tile) const override {
    if (!B_.is_kept_ || !in_cache_) return {};
    return {kept(tile), tile.rows * sweep_tile * static_cast<index_t>(sizeof(T))};
  }

  double squares() const { return std::accumulate(squares_.begin(), squares_.end(), 0.0); }

 private:
  T* kept(const SweepTile& tile) const {
    const index_t i = tile.row / sweep_tile, j = (tile.col - B_.first_col_) / sweep_tile;
    const index_t across = tile_blocks(B_.cols_);
    const index_t before = B_.symmetric_ ? i * across - i * (i - 1) / 2 + (j - i) : i * across + j;
    return B_.matrix_.data() + before * sweep_tile * sweep_tile;
  }

  const KernelBlock& B_;
  PackedRows<T> rows_, cols_;
  GaussianTiles<T> gaussian_;
  Buffer<T> s_rows_, s_cols_;
  Buffer<double> squares_;  // one for each row of tiles
  bool in_cache_;
};

template <class T>
KernelBlock<T>::KernelBlock(index_t rows, index_t cols, bool symmetric, bool keeps)
    : rows_(rows),
      cols_(cols),
      first_col_(symmetric ? 0 : tile_blocks(rows) * sweep_tile),
      symmetric_(symmetric) {
  const Stretch down{0, rows}, across{first_col_, first_col_ + cols};
  if (keeps) matrix_ = Buffer<T>(sweep_tiles(down, across) * sweep_tile * sweep_tile);
}

template <class T>
double KernelBlock<T>::multiply(const PackedRows<T>& rows, const PackedRows<T>& cols, T scale,
                                const Vectors& vectors, const double* s_rows, const double* s_cols,
                                int threads, Control& control) {
  const Stretch down{0, rows_}, across{first_col_, first_col_ + cols_};
  SymmetricSweep<T> sums(across.end, vectors.of_rows.cols, threads);
  sums.load(vectors.of_rows, nullptr);
  if (!symmetric_) sums.load(vectors.of_cols, nullptr, first_col_);
  Tiles tiles(*this, rows, cols, scale, s_rows, s_cols, sums.reads_several_rows());
  Stage stage(control, 0.0, 1.0, sweep_tiles(down, across));
  sums.run(down, across, tiles, stage);
  is_kept_ = matrix_.size() != 0;
  sums.store(nullptr, vectors.out_rows);
  if (!symmetric_) sums.store(nullptr, vectors.out_cols, first_col_);
  return tiles.squares();
}

template class KernelBlock<float>;
template class KernelBlock<double>;

}  // namespace eigentropy
