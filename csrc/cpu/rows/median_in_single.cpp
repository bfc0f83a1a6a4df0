#include "cpu/rows/median_in_single.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "base/distances.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
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

Bracket bracket_by(const ColumnBlock<float>& X,
                   const std::vector<std::pair<index_t, index_t>>& sample, int threads) {
  constexpr std::size_t at_a_time = 256;
  std::vector<double> r2(sample.size());
  const auto& kernels = simd::tile_kernels<float>();
  const auto shares = static_cast<index_t>((sample.size() + at_a_time - 1) / at_a_time);
  parallel_for(shares, threads, [&](index_t share, int) {
    const std::size_t begin = static_cast<std::size_t>(share) * at_a_time;
    for (std::size_t k = begin; k < std::min(sample.size(), begin + at_a_time); ++k) {
      const auto [i, j] = sample[k];
      r2[k] = kernels.squared_distance(X.row(i), X.row(j), X.width());
    }
  });
  return bracket_of_median(r2.data(), static_cast<std::ptrdiff_t>(r2.size()));
}

// Each pair of the tile once.
void collect(const Tile& tile, const float* r2, index_t stride, float low, float high,
             Found& found) {
  const auto& kernels = simd::tile_kernels<float>();
  alignas(8) unsigned char inside[tile_size] = {};
  for (index_t i = 0; i < tile.rows; ++i) {
    const float* const row = r2 + i * stride;
    const index_t from = tile.diagonal() ? i + 1 : 0;
    found.below += kernels.mark_between(row + from, tile.cols - from, low, high, inside);
    // Few are inside: eight at a time are passed over.
    for (index_t begin = 0; begin < tile.cols - from; begin += 8) {
      std::uint64_t marks;
      std::memcpy(&marks, inside + begin, sizeof marks);
      if (marks == 0) continue;
      for (index_t k = begin; k < std::min(begin + 8, tile.cols - from); ++k) {
        if (inside[k] == 0) continue;
        const index_t j = from + k;
        found.inside.push_back({row[j], static_cast<std::int32_t>(tile.row + i),
                                static_cast<std::int32_t>(tile.col + j)});
      }
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

Found pairs_between(SingleDistances& distances, float low, float high, int threads,
                    const Control& control) {
  std::vector<Found> parts(static_cast<std::size_t>(threads));
  distances.compute(threads, control,
                    [&](const Tile& tile, const float* r2, index_t stride, int worker) {
                      collect(tile, r2, stride, low, high, parts[static_cast<std::size_t>(worker)]);
                    });
  Found all = std::move(parts.front());
  for (auto part = parts.begin() + 1; part != parts.end(); ++part) {
    all.below += part->below;
    all.inside.insert(all.inside.end(), part->inside.begin(), part->inside.end());
  }
  return all;
}

// The squared distances of these pairs in double, ascending.
std::vector<double> sorted_in_double(const CenteredRows<double>& X, const std::vector<Pair>& pairs,
                                     int threads) {
  constexpr index_t at_a_time = 16;
  const auto count = static_cast<index_t>(pairs.size());
  std::vector<double> r2(pairs.size());
  parallel_for((count + at_a_time - 1) / at_a_time, threads, [&](index_t share, int) {
    const Buffer<double> x(X.d), y(X.d);
    for (index_t k = share * at_a_time; k < std::min(count, (share + 1) * at_a_time); ++k) {
      const Pair& pair = pairs[static_cast<std::size_t>(k)];
      read_row(X, pair.i, {0, X.d}, x.data());
      read_row(X, pair.j, {0, X.d}, y.data());
      r2[static_cast<std::size_t>(k)] =
          simd::tile_kernels<double>().squared_distance(x.data(), y.data(), X.d);
    }
  });
  std::sort(r2.begin(), r2.end());
  return r2;
}

}  // namespace

bool prefers_single(const CenteredRows<double>& X) {
  return X.fit_one_block() && X.d >= fewest_columns && X.n > tile_size &&
         X.n <= std::numeric_limits<std::int32_t>::max();
}

double median_in_single(const CenteredRows<double>& X, SingleDistances& distances,
                        const std::vector<std::pair<index_t, index_t>>& sample, int threads,
                        const Control& control) {
  const index_t count = X.n * (X.n - 1) / 2;
  const double error = safety * (4.0 + distance_error_factor(X.d, 1)) *
                       static_cast<double>(std::numeric_limits<float>::epsilon()) *
                       static_cast<double>(distances.block().max_norm());
  const Bracket bracket = bracket_by(distances.block(), sample, threads);
  if (!(bracket.low > 4.0 * error) || !(bracket.low > 1e-30)) return unknown;
  const double from = bracket.low - error, to = bracket.high + error;
  const Found found =
      pairs_between(distances, static_cast<float>(from), static_cast<float>(to), threads, control);
  const index_t first = (count - 1) / 2 - found.below, second = count / 2 - found.below;
  if (first < 0 || second >= static_cast<index_t>(found.inside.size())) return unknown;
  const Ranks ranks(found.inside, from, to);
  // The distance in double of one of these ranks is within `error` of the one in single precision,
  // and the pair that has it within twice as much.
  const double least = ranks.of(first) - 2.0 * error, most = ranks.of(second) + 2.0 * error;
  if (least < from || most > to) return unknown;
  index_t below = 0;
  std::vector<Pair> near;
  for (const Pair& pair : found.inside) {
    const auto r2 = static_cast<double>(pair.r2);
    below += static_cast<index_t>(r2 < least);
    if (r2 >= least && r2 <= most) near.push_back(pair);
  }
  if (near.size() > most_near) return unknown;
  const std::vector<double> r2 = sorted_in_double(X, near, threads);
  const auto place = [&](index_t rank) { return r2[static_cast<std::size_t>(rank - below)]; };
  return 0.5 * (std::sqrt(place(first)) + std::sqrt(place(second)));
}

}  // namespace eigentropy
