// Squared distances of all pairs of rows in single precision, for two uses: the median distance is
// found from them, and the kernel is made of them.
#pragma once

#include <optional>
#include <utility>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// The rows must fit one block of columns. They are read once, when the object is made.
//
// Memory: the rows in float32 and a tile for each thread or, if `keeps`, an n x n matrix.
class SingleDistances {
 public:
  SingleDistances(CenteredRows<float> X, bool keeps, int threads, const Control& control)
      : X_(std::move(X)), keeps_(keeps) {
    block_.emplace(X_).load(0, threads, control);
  }
  SingleDistances(const SingleDistances&) = delete;
  SingleDistances& operator=(const SingleDistances&) = delete;

  const CenteredRows<float>& rows() const { return X_; }
  // What was read of the rows, until it is released.
  const ColumnBlock<float>& block() const { return *block_; }
  void release_block() { block_.reset(); }

  // Computes all tiles: visit(tile, r2, stride, worker), where r2 is as squared_distance_tile
  // leaves it without refinement.
  template <class Visit>
  void compute(int threads, const Control& control, const Visit& visit) {
    const index_t n = X_.n;
    Buffer<float> r2(keeps_ ? n * n : threads * tile_size * tile_size);
    const SingleThreadedBlas one_thread;
    parallel_for(upper_tile_count(n), threads, [&](index_t number, int worker) {
      control.check();
      const Tile tile = upper_tile(n, number);
      const index_t begin = keeps_ ? tile.row * n + tile.col : worker * tile_size * tile_size;
      const index_t stride = keeps_ ? n : tile_size;
      squared_distance_tile(*block_, tile, {}, r2.data() + begin, stride);
      visit(tile, static_cast<const float*>(r2.data() + begin), stride, worker);
    });
    if (keeps_) kept_ = std::move(r2);
  }

  // Whether all tiles are there: computed, kept and not given away.
  bool are_kept() const { return kept_.size() > 0; }

  // Gives the tiles away, in an n x n matrix of which only these are written.
  Buffer<float> give() { return std::move(kept_); }

 private:
  CenteredRows<float> X_;
  std::optional<ColumnBlock<float>> block_;
  bool keeps_;
  Buffer<float> kept_;
};

}  // namespace eigentropy
