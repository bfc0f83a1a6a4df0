#include "cpu/operator/symmetric_product.hpp"

#include <algorithm>

#include "cpu/operator/symmetric_sweep.hpp"

namespace eigentropy {
namespace {

// Tiles of a matrix in memory.
template <class T>
class StoredTiles final : public TileSource<T> {
 public:
  explicit StoredTiles(SymmetricView<T> A) : A_(A) {}

  const T* get(const SweepTile& tile, T* entries) override {
    const index_t rows = std::min(tile.rows, A_.n - tile.row);
    const index_t cols = std::min(tile.cols, A_.n - tile.col);
    for (index_t i = 0; i < rows; ++i) {
      const index_t from = tile.diagonal() ? i : 0;
      const T* const row = A_.row(tile.row + i) + tile.col;
      T* const out = entries + i * sweep_tile;
      std::copy(row + from, row + cols, out + from);
      std::fill(out + cols, out + tile.cols, T(0));
      for (index_t j = 0; j < from; ++j) out[j] = entries[j * sweep_tile + i];
    }
    for (index_t i = rows; i < tile.rows; ++i)
      std::fill_n(entries + i * sweep_tile, tile.cols, T(0));
    return entries;
  }

 private:
  SymmetricView<T> A_;
};

}  // namespace

template <class T, class S>
void symmetric_product(SymmetricView<T> A, MatrixView<const S> V, MatrixView<S> out, int threads,
                       Control& control) {
  const Stretch all{0, A.n};
  SymmetricSweep<T> sweep(A.n, V.cols, threads);
  sweep.load(V, nullptr);
  StoredTiles<T> tiles(A);
  Stage stage(control, 0.0, 1.0, sweep_tiles(all, all));
  sweep.run(all, all, tiles, stage);
  sweep.store(nullptr, out);
}

#define EIGENTROPY_INSTANTIATE(T, S)                                                         \
  template void symmetric_product(SymmetricView<T>, MatrixView<const S>, MatrixView<S>, int, \
                                  Control&);
EIGENTROPY_INSTANTIATE(float, float)
EIGENTROPY_INSTANTIATE(float, double)
EIGENTROPY_INSTANTIATE(double, float)
EIGENTROPY_INSTANTIATE(double, double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
