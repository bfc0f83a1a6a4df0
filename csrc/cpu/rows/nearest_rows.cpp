#include "cpu/rows/nearest_rows.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <tuple>
#include <vector>

#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {
namespace {

constexpr index_t tile_entries = tile_size * tile_size;

// Tiles that are kept until the last block of columns is added to them: 2 GiB.
constexpr index_t most_kept_tiles = (index_t{1} << 28) / tile_entries;

struct Neighbour {
  double r2;
  index_t row;
  bool operator<(const Neighbour& other) const {
    return std::tie(r2, row) < std::tie(other.r2, other.row);
  }
};

struct Candidate {
  index_t of;  // the row whose neighbour it may be
  Neighbour neighbour;
};

// The k nearest rows so far of each row: heaps with the farthest on top. Several threads add to
// them. What is kept does not depend on the order.
class NearestSoFar {
 public:
  NearestSoFar(index_t n, index_t k)
      : n_(n), k_(k), heaps_(n * k), locks_(static_cast<std::size_t>(tile_count(n))) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    std::fill(heaps_.begin(), heaps_.end(), Neighbour{infinity, n});
  }

  // How far the k-th nearest is, for the rows of a tile's side. Later it may only be nearer.
  void copy_reach(index_t block, double* reach) {
    const std::lock_guard lock(locks_[static_cast<std::size_t>(block)]);
    const index_t begin = block * tile_size, end = std::min(n_, begin + tile_size);
    for (index_t i = begin; i < end; ++i) reach[i - begin] = heaps_[i * k_].r2;
  }

  void add(index_t block, const std::vector<Candidate>& candidates) {
    const std::lock_guard lock(locks_[static_cast<std::size_t>(block)]);
    for (const Candidate& candidate : candidates) {
      Neighbour* const heap = heaps_.data() + candidate.of * k_;
      if (!(candidate.neighbour < heap[0])) continue;
      std::pop_heap(heap, heap + k_);
      heap[k_ - 1] = candidate.neighbour;
      std::push_heap(heap, heap + k_);
    }
  }

  NearestRows sorted(int threads) {
    NearestRows found{Buffer<index_t>(n_ * k_), Buffer<double>(n_ * k_)};
    for_each_row_block(n_, threads, [&](index_t begin, index_t end, index_t) {
      for (index_t i = begin; i < end; ++i) {
        std::sort_heap(heaps_.data() + i * k_, heaps_.data() + (i + 1) * k_);
      }
      for (index_t entry = begin * k_; entry < end * k_; ++entry) {
        found.rows[entry] = heaps_[entry].row;
        found.r2[entry] = heaps_[entry].r2;
      }
    });
    return found;
  }

 private:
  index_t n_, k_;
  Buffer<Neighbour> heaps_;
  std::vector<std::mutex> locks_;  // one for each block of rows
};

// What a thread keeps from one tile to the next.
struct Workspace {
  std::vector<double> row_reach = std::vector<double>(tile_size),
                      col_reach = std::vector<double>(tile_size);
  std::vector<Candidate> of_rows, of_cols;
};

void collect(const Tile& tile, const double* r2, NearestSoFar& nearest, Workspace& work) {
  nearest.copy_reach(tile.block_row, work.row_reach.data());
  nearest.copy_reach(tile.block_col, work.col_reach.data());
  work.of_rows.clear();
  work.of_cols.clear();
  for (index_t i = 0; i < tile.rows; ++i) {
    const double* const row = r2 + i * tile_size;
    const double reach = work.row_reach[static_cast<std::size_t>(i)];
    const double* const col_reach = work.col_reach.data();
    // Of a diagonal tile the upper triangle, so that each pair is looked at once.
    for (index_t j = tile.diagonal() ? i + 1 : 0; j < tile.cols; ++j) {
      if (row[j] <= reach) work.of_rows.push_back({tile.row + i, {row[j], tile.col + j}});
      if (row[j] <= col_reach[j]) work.of_cols.push_back({tile.col + j, {row[j], tile.row + i}});
    }
  }
  nearest.add(tile.block_row, work.of_rows);
  nearest.add(tile.block_col, work.of_cols);
}

// The tiles with the numbers [begin, end).
struct TileRange {
  index_t begin, end;
};

// Ranges of whole rows of tiles, of at most `most` tiles where one row has no more.
std::vector<TileRange> tile_ranges(index_t n, index_t most) {
  std::vector<TileRange> ranges{{0, 0}};
  for (index_t width = tile_count(n); width > 0; --width) {
    TileRange& last = ranges.back();
    if (last.end > last.begin && last.end + width - last.begin > most) {
      ranges.push_back({last.end, last.end + width});
    } else {
      last.end += width;
    }
  }
  return ranges;
}

}  // namespace

NearestRows nearest_rows(const CenteredRows<double>& X, index_t k, int threads, Control& control) {
  NearestSoFar nearest(X.n, k);
  std::vector<Workspace> work(static_cast<std::size_t>(threads));
  const bool kept = !X.fit_one_block();
  const SingleThreadedBlas one_thread;
  Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
  for (const TileRange range : tile_ranges(X.n, kept ? most_kept_tiles : upper_tile_count(X.n))) {
    const index_t count = range.end - range.begin;
    const Buffer<double> tiles((kept ? count : threads) * tile_entries);
    for_each_column_block(X, threads, control, [&](const ColumnBlock<double>& block) {
      parallel_for(count, threads, [&](index_t number, int worker) {
        const Tile tile = upper_tile(X.n, range.begin + number);
        double* const r2 = tiles.data() + (kept ? number : worker) * tile_entries;
        squared_distance_tile(block, tile, refinement_of_distances(block), r2, tile_size);
        if (block.last()) collect(tile, r2, nearest, work[static_cast<std::size_t>(worker)]);
        stage.finish_task();
      });
    });
  }
  return nearest.sorted(threads);
}

}  // namespace eigentropy
