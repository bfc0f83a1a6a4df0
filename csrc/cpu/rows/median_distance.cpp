#include "cpu/rows/median_distance.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/rows/bracket.hpp"
#include "cpu/rows/median_in_single.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

// The median of a sample of this many pairs brackets the median of all pairs. The bracket holds 5 %
// of all pairs. Where it misses the median, a second pass is needed.
constexpr index_t sample_size = 4096;

constexpr double infinity = std::numeric_limits<double>::infinity();

constexpr Bracket everything{-infinity, infinity};
constexpr Bracket positive{std::numeric_limits<double>::denorm_min(), infinity};

// The squared distances inside a bracket, and how many distances are below it.
struct Bracketed {
  index_t below = 0;
  std::vector<double> inside;

  void add(const Bracketed& other) {
    below += other.below;
    inside.insert(inside.end(), other.inside.begin(), other.inside.end());
  }
};

// The distances of the pairs in the sample.
class PairSample {
 public:
  explicit PairSample(index_t n) : n_(n), r2_(sample_size) {
    std::fill(r2_.begin(), r2_.end(), 0.0);
  }

  template <class T>
  void add(const ColumnBlock<T>& block, int threads) {
    if (pairs_.empty()) pairs_ = sampled_pairs(n_);
    constexpr index_t at_a_time = 256;
    const auto& kernels = simd::tile_kernels<T>();
    parallel_for(sample_size / at_a_time, threads, [&](index_t share, int) {
      for (index_t k = share * at_a_time; k < (share + 1) * at_a_time; ++k) {
        const auto [i, j] = pairs_[static_cast<std::size_t>(k)];
        r2_[k] += kernels.squared_distance(block.row(i), block.row(j), block.width());
      }
    });
  }

  // As add(), from all distances of rows that fill one tile.
  template <class T>
  void read(const Tile& tile, const T* r2) {
    // Every so manieth pair, row by row: of few rows all pairs, more than once.
    const index_t pairs = tile.rows * (tile.rows - 1) / 2;
    index_t i = 0, j = 1;
    for (index_t k = 0, at = 0; k < sample_size; ++k) {
      for (const index_t next = k * pairs / sample_size; at < next;) {
        const index_t step = std::min(next - at, tile.rows - j);
        at += step;
        j += step;
        if (j == tile.rows) {
          ++i;
          j = i + 1;
        }
      }
      r2_[k] = static_cast<double>(r2[i * tile_size + j]);
    }
  }

  // The median of all pairs is inside this bracket, with the probability given above.
  Bracket bracket() { return bracket_of_median(r2_.begin(), sample_size); }

 private:
  index_t n_;
  std::vector<std::pair<index_t, index_t>> pairs_;
  Buffer<double> r2_;
};

// Visits each pair of a tile once and moves the distances inside the bracket to the tile's
// beginning.
template <class T>
void collect(const Tile& tile, const Bracket& bracket, T* r2, Bracketed& out) {
  index_t below = 0, inside = 0;
  for (index_t i = 0; i < tile.rows; ++i) {
    const T* const row = r2 + i * tile_size;
    for (index_t j = tile.diagonal() ? i + 1 : 0; j < tile.cols; ++j) {
      const T value = row[j];
      r2[inside] = value;  // never ahead of what has been read
      inside +=
          static_cast<index_t>(value >= bracket.low) & static_cast<index_t>(value <= bracket.high);
      below += static_cast<index_t>(value < bracket.low);
    }
  }
  out.below += below;
  out.inside.insert(out.inside.end(), r2, r2 + inside);
}

// The distances inside the bracket; if there is a sample, the sample gives the bracket. If rows fit
// one block of columns, each tile is searched while it is in the cache and is not kept.
template <class T>
Bracketed look(const CenteredRows<T>& X, Bracket bracket, PairSample* sample, int threads,
               Control& control) {
  constexpr index_t tile_entries = tile_size * tile_size;
  const bool kept = !X.fit_one_block();
  const bool one_tile = !kept && upper_tile_count(X.n) == 1;
  const Buffer<T> tiles((kept ? upper_tile_count(X.n) : threads) * tile_entries);
  std::vector<Bracketed> found(static_cast<std::size_t>(threads));
  const SingleThreadedBlas one_thread;
  Stage stage(control);
  for_each_column_block(X, threads, control, [&](const ColumnBlock<T>& block) {
    if (sample != nullptr && !one_tile) sample->add(block, threads);
    if (sample != nullptr && !one_tile && block.last()) bracket = sample->bracket();
    parallel_for(upper_tile_count(X.n), threads, [&](index_t number, int worker) {
      const Tile tile = upper_tile(X.n, number);
      T* const r2 = tiles.data() + (kept ? number : worker) * tile_entries;
      squared_distance_tile(block, tile, refinement_of_distances(block), r2, tile_size);
      if (sample != nullptr && one_tile) {
        sample->read(tile, r2);
        bracket = sample->bracket();
      }
      if (block.last()) collect(tile, bracket, r2, found[static_cast<std::size_t>(worker)]);
      stage.finish_task();
    });
  });
  Bracketed all;
  for (const Bracketed& part : found) all.add(part);
  return all;
}

// The median of `count` distances: the mean of the square roots of the entries of ranks (count - 1)
// / 2 and count / 2. `below` distances are below the bracket. NaN if the bracket does not hold both
// entries.
double middle(Bracketed& found, index_t count) {
  const index_t first = (count - 1) / 2 - found.below, second = count / 2 - found.below;
  const auto size = static_cast<index_t>(found.inside.size());
  if (first < 0 || second >= size) return std::numeric_limits<double>::quiet_NaN();
  const auto at = found.inside.begin() + first;
  std::nth_element(found.inside.begin(), at, found.inside.end());
  const double low = *at;
  const double high = second == first ? low : *std::min_element(at + 1, found.inside.end());
  return 0.5 * (std::sqrt(low) + std::sqrt(high));
}

}  // namespace

std::vector<std::pair<index_t, index_t>> sampled_pairs(index_t n) {
  std::mt19937_64 random(0);
  const auto draw = [&](index_t count) {
    return static_cast<index_t>(random() % static_cast<std::uint64_t>(count));
  };
  std::vector<std::pair<index_t, index_t>> pairs;
  pairs.reserve(static_cast<std::size_t>(sample_size));
  for (index_t k = 0; k < sample_size; ++k) {
    const index_t i = draw(n), j = draw(n - 1);
    pairs.emplace_back(i, j < i ? j : j + 1);
  }
  return pairs;
}

namespace {

// The same rows, rounded when they are read. X must outlive them.
CenteredRows<float> rounded(const CenteredRows<double>& X) {
  CenteredRows<float> rows;
  rows.n = X.n;
  rows.d = X.d;
  rows.scale = X.scale;
  rows.block_columns = X.block_columns;
  rows.source = X.source;
  rows.centers = X.centers;
  return rows;
}

// From distances in single precision; NaN where these do not serve.
double quick_median(const CenteredRows<float>&, int, Control&) {
  return std::numeric_limits<double>::quiet_NaN();
}
double quick_median(const CenteredRows<double>& X, int threads, Control& control) {
  if (!prefers_single(X)) return std::numeric_limits<double>::quiet_NaN();
  SingleDistances distances(rounded(X), false, threads, control);
  return median_in_single(X, distances, sampled_pairs(X.n), threads, control);
}

template <class T>
double median_by_search(const CenteredRows<T>& X, int threads, Control& control) {
  const index_t pairs = X.n * (X.n - 1) / 2;
  PairSample sample(X.n);
  Bracketed found = look(X, everything, &sample, threads, control);
  double median = middle(found, pairs);
  if (std::isnan(median)) {
    found = look(X, everything, nullptr, threads, control);
    median = middle(found, pairs);
  }
  if (median > 0.0) return median;
  found = look(X, positive, nullptr, threads, control);
  const auto others = static_cast<index_t>(found.inside.size());
  found.below = 0;
  return others == 0 ? 0.0 : middle(found, others);
}

}  // namespace

template <class T>
double median_distance(const CenteredRows<T>& X, int threads, Control& control) {
  if (X.n < 2) return 0.0;
  const double quick = quick_median(X, threads, control);
  return std::isnan(quick) ? median_by_search(X, threads, control) : quick;
}

double median_distance(const CenteredRows<double>& X, SingleDistances& distances, int threads,
                       Control& control) {
  const double quick = median_in_single(X, distances, sampled_pairs(X.n), threads, control);
  return std::isnan(quick) ? median_by_search(X, threads, control) : quick;
}

template double median_distance(const CenteredRows<float>&, int, Control&);
template double median_distance(const CenteredRows<double>&, int, Control&);

}  // namespace eigentropy
