#include "cpu/rows/median_in_single.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/distances.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/rows/bracket.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// Of fewer columns, looking at the distances takes longer than the products.
constexpr index_t fewest_columns = 32;

// distance_error_factor is of the usual error, and this times as much of the largest. Both rows
// were rounded to single precision, too.
constexpr double safety = 4.0;

// Of more pairs near the median, their differences would take longer than what is saved.
constexpr std::size_t most_near = 4096;

struct Pair {
  float r2;
  std::int32_t i, j;
};

// The pairs whose distances are inside an interval, and how many are below it.
struct Found {
  index_t below = 0;
  std::vector<Pair> inside;
};

// NaN if one of both is: std::max may pass over it.
double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }

// The rows, rounded, and their squared norms.
struct SingleRows {
  SingleRows(const CenteredRows<double>& X, int threads) : d(X.d), rows(X.n * d), norms(X.n) {
    const Buffer<double> largest(row_blocks(X.n));
    for_each_row_block(X.n, threads, [&](index_t begin, index_t end, index_t block) {
      const Buffer<double> x(d);
      largest[block] = 0.0;
      for (index_t i = begin; i < end; ++i) {
        const double norm = read_centered_row(X, i, {0, d}, x.data());
        std::transform(x.begin(), x.end(), rows.data() + i * d,
                       [](double value) { return static_cast<float>(value); });
        norms[i] = static_cast<float>(norm);
        largest[block] = larger(largest[block], norm);
      }
    });
    for (const double norm : largest) max_norm = larger(max_norm, norm);
  }
  const float* row(index_t i) const { return rows.data() + i * d; }

  index_t d;
  Buffer<float> rows, norms;
  double max_norm = 0.0;
};

Bracket bracket_by(const SingleRows& X, const std::vector<std::pair<index_t, index_t>>& sample,
                   int threads) {
  constexpr std::size_t at_a_time = 256;
  std::vector<double> r2(sample.size());
  const auto& kernels = simd::tile_kernels<float>();
  const auto shares = static_cast<index_t>((sample.size() + at_a_time - 1) / at_a_time);
  parallel_for(shares, threads, [&](index_t share, int) {
    const std::size_t begin = static_cast<std::size_t>(share) * at_a_time;
    for (std::size_t k = begin; k < std::min(sample.size(), begin + at_a_time); ++k) {
      const auto [i, j] = sample[k];
      r2[k] = kernels.squared_distance(X.row(i), X.row(j), X.d);
    }
  });
  return bracket_of_median(r2.data(), static_cast<std::ptrdiff_t>(r2.size()));
}

// out_ij <- |x_i - x_j|^2 for the tile; of one on the diagonal, for i <= j at least.
void distances_of(const SingleRows& X, const Tile& tile, float* out) {
  const int depth = blas::to_blas(X.d), stride = blas::to_blas(tile_size);
  const index_t width = tile.diagonal() ? tile_size / 4 : tile.cols;
  for (index_t begin = 0; begin < tile.cols; begin += width) {
    const index_t cols = std::min(width, tile.cols - begin);
    const index_t rows = tile.diagonal() ? begin + cols : tile.rows;
    blas::gemm('T', 'N', blas::to_blas(cols), blas::to_blas(rows), depth, -2.0F,
               X.row(tile.col + begin), depth, X.row(tile.row), depth, 0.0F, out + begin, stride);
    simd::tile_kernels<float>().squared_distances(out + begin, rows, cols, tile_size,
                                                  X.norms.data() + tile.row,
                                                  X.norms.data() + tile.col + begin);
  }
}

// Each pair of the tile once.
void collect(const Tile& tile, const float* r2, float low, float high, Found& found) {
  std::int32_t columns[tile_size];
  for (index_t i = 0; i < tile.rows; ++i) {
    const float* const row = r2 + i * tile_size;
    const auto from = static_cast<std::int32_t>(tile.diagonal() ? i + 1 : 0),
               to = static_cast<std::int32_t>(tile.cols);
    std::int32_t below = 0, inside = 0;
    for (std::int32_t j = from; j < to; ++j) {
      columns[inside] = j;
      below += static_cast<std::int32_t>(row[j] < low);
      inside +=
          static_cast<std::int32_t>(row[j] >= low) & static_cast<std::int32_t>(row[j] <= high);
    }
    found.below += below;
    const auto number = static_cast<std::int32_t>(tile.row + i);
    for (std::int32_t k = 0; k < inside; ++k) {
      const std::int32_t j = columns[k];
      found.inside.push_back({row[j], number, static_cast<std::int32_t>(tile.col) + j});
    }
  }
}

// The distances of two ranks of those between `low` and `high`. Counting how many fall into each
// of some equal parts leaves few to be sorted.
class Ranks {
 public:
  Ranks(const std::vector<Pair>& pairs, double low, double high)
      : pairs_(pairs), low_(low), parts_per_unit_(parts / std::max(high - low, least_width)) {
    for (const Pair& pair : pairs) ++counts_[part_of(pair.r2)];
  }

  double of(index_t rank) const {
    std::size_t part = 0;
    for (; rank >= counts_[part]; ++part) rank -= counts_[part];
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(counts_[part]));
    for (const Pair& pair : pairs_) {
      if (part_of(pair.r2) == part) values.push_back(pair.r2);
    }
    std::nth_element(values.begin(), values.begin() + rank, values.end());
    return static_cast<double>(values[static_cast<std::size_t>(rank)]);
  }

 private:
  static constexpr double parts = 1024.0, least_width = 1e-300;

  // Does not fall as r2 grows.
  std::size_t part_of(float r2) const {
    const double part = (static_cast<double>(r2) - low_) * parts_per_unit_;
    return static_cast<std::size_t>(std::clamp(part, 0.0, parts - 1.0));
  }

  const std::vector<Pair>& pairs_;
  double low_, parts_per_unit_;
  std::vector<index_t> counts_ = std::vector<index_t>(static_cast<std::size_t>(parts), 0);
};

Found pairs_between(const SingleRows& X, index_t n, float low, float high, int threads,
                    Control& control) {
  const Buffer<float> tiles(threads * tile_size * tile_size);
  std::vector<Found> parts(static_cast<std::size_t>(threads));
  const SingleThreadedBlas one_thread;
  parallel_for(upper_tile_count(n), threads, [&](index_t number, int worker) {
    control.check();
    const Tile tile = upper_tile(n, number);
    float* const r2 = tiles.data() + worker * tile_size * tile_size;
    distances_of(X, tile, r2);
    collect(tile, r2, low, high, parts[static_cast<std::size_t>(worker)]);
  });
  Found all;
  for (const Found& part : parts) {
    all.below += part.below;
    all.inside.insert(all.inside.end(), part.inside.begin(), part.inside.end());
  }
  return all;
}

}  // namespace

bool prefers_single(const CenteredRows<double>& X) {
  return X.fit_one_block() && X.d >= fewest_columns && X.n > tile_size &&
         X.n <= std::numeric_limits<std::int32_t>::max();
}

double median_in_single(const CenteredRows<double>& rows,
                        const std::vector<std::pair<index_t, index_t>>& sample, int threads,
                        Control& control) {
  const SingleRows X(rows, threads);
  const index_t count = rows.n * (rows.n - 1) / 2;
  const double error = safety * (4.0 + distance_error_factor(X.d, 1)) *
                       static_cast<double>(std::numeric_limits<float>::epsilon()) * X.max_norm;
  // Within this range norms and distances are normal numbers of single precision.
  if (!(X.max_norm < 1e30)) return unknown;
  const Bracket bracket = bracket_by(X, sample, threads);
  if (!(bracket.low > 4.0 * error) || !(bracket.low > 1e-30)) return unknown;
  const double from = bracket.low - error, to = bracket.high + error;
  const Found found =
      pairs_between(X, rows.n, static_cast<float>(from), static_cast<float>(to), threads, control);
  const index_t first = (count - 1) / 2 - found.below, second = count / 2 - found.below;
  if (first < 0 || second >= static_cast<index_t>(found.inside.size())) return unknown;
  const Ranks ranks(found.inside, from, to);
  // The distance in double of one of these ranks is within `error` of the one in single precision,
  // and the pair that has it within twice as much.
  const double least = ranks.of(first) - 2.0 * error, most = ranks.of(second) + 2.0 * error;
  if (least < from || most > to) return unknown;
  index_t below = 0;
  std::vector<double> near;
  const Buffer<double> x(X.d), y(X.d);
  for (const Pair& pair : found.inside) {
    const auto r2 = static_cast<double>(pair.r2);
    below += static_cast<index_t>(r2 < least);
    if (r2 < least || r2 > most) continue;
    if (near.size() == most_near) return unknown;
    read_row(rows, pair.i, {0, X.d}, x.data());
    read_row(rows, pair.j, {0, X.d}, y.data());
    near.push_back(simd::tile_kernels<double>().squared_distance(x.data(), y.data(), X.d));
  }
  std::sort(near.begin(), near.end());
  const auto place = [&](index_t rank) { return near[static_cast<std::size_t>(rank - below)]; };
  return 0.5 * (std::sqrt(place(first)) + std::sqrt(place(second)));
}

}  // namespace eigentropy
