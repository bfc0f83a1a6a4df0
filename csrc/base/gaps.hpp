// Wide gaps between the values of a column, and how they are closed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/centers.hpp"
#include "base/control.hpp"
#include "base/threads.hpp"
#include "base/views.hpp"

namespace eigentropy {

// Values of a column from `begin` on, up to the next segment: z is moved to (z - begin) + position.
struct Segment {
  double begin, position;
};

// A column that is moved segment by segment. If some rows hold a fill value such as 1e20, no single
// centre serves all rows: next to a centre that such rows draw away, the others lose their digits.
// G is 0 across a gap of many sigma, however wide the gap is. So a wide gap may be made narrow: no
// entry of G changes, and all values come near each other.
struct ClosedColumn {
  index_t column = 0;
  std::vector<Segment> segments;  // ascending

  double operator()(double z) const {
    const auto next = std::upper_bound(
        segments.begin(), segments.end(), z,
        [](double value, const Segment& segment) { return value < segment.begin; });
    const Segment& segment = *(next - 1);
    return (z - segment.begin) + segment.position;
  }
};

// Which gaps are closed.
struct Closing {
  double separation;  // the gaps that are much wider than this
  std::size_t most;   // no more of a column than this: the widest
};

// So many gaps of each column that their segments take at most 256 MiB in all, or 4 KiB a column.
// Of a column with more gaps, values may lose digits beside the widest that are left.
inline std::size_t most_closed_gaps(index_t columns) {
  return static_cast<std::size_t>(std::max<index_t>(255, (index_t{1} << 24) / columns));
}

// Values of a column that spans this many separations keep 26 bits within one of them.
constexpr double widest_span = 0x1p26;

// The first power of two above `separation`. Places that are multiples of it keep data on a grid
// exact.
inline double gap_step(double separation) {
  return separation > 0.0 && std::isfinite(separation) ? std::ldexp(1.0, std::ilogb(separation) + 1)
                                                       : std::numeric_limits<double>::infinity();
}

// A gap is closed if that makes the gap narrower. What is left of it is 1 to 3 times `separation`.
inline double narrowest_closed_gap(double separation) { return 2.0 * gap_step(separation); }

// Where the segments of ascending values begin: at the first value, and behind each gap that is
// closed.
inline std::vector<std::size_t> segment_begins(const double* values, std::size_t n,
                                               const Closing& how) {
  std::vector<std::size_t> begins;
  const auto gap = [values](std::size_t i) { return values[i] - values[i - 1]; };
  for (std::size_t i = 1; i < n; ++i) {
    if (gap(i) > narrowest_closed_gap(how.separation)) begins.push_back(i);
  }
  if (begins.size() > how.most) {
    std::nth_element(
        begins.begin(), begins.begin() + static_cast<std::ptrdiff_t>(how.most), begins.end(),
        [&](std::size_t i, std::size_t j) { return gap(i) != gap(j) ? gap(i) > gap(j) : i < j; });
    begins.resize(how.most);
    std::sort(begins.begin(), begins.end());
  }
  begins.insert(begins.begin(), 0);
  return begins;
}

// Throws invalid_argument if gaps were left and values lose their digits beside them.
inline void require_digits(double span, std::size_t segments, const Closing& how) {
  if (segments <= how.most || span <= widest_span * how.separation) return;
  throw std::invalid_argument("a column of Z has more than " + std::to_string(how.most) +
                              " values that are far from each other beside sigma, and values near "
                              "each other lose their digits: pass a larger sigma, or remove rows "
                              "with huge values");
}

// The segments of ascending values, around 0. None where no gap is wide, or where what is left is
// wider than a double can say.
inline std::vector<Segment> close_gaps(const double* values, std::size_t n, const Closing& how) {
  const std::vector<std::size_t> begins = segment_begins(values, n, how);
  if (begins.size() == 1) return {};
  const double step = gap_step(how.separation);
  std::vector<Segment> segments;
  segments.reserve(begins.size());
  double next = 0.0, sum = 0.0, last = 0.0;
  for (std::size_t k = 0; k < begins.size(); ++k) {
    const std::size_t begin = begins[k], end = k + 1 < begins.size() ? begins[k + 1] : n;
    segments.push_back({values[begin], next});
    for (std::size_t i = begin; i < end; ++i) sum += (values[i] - values[begin]) + next;
    last = (values[end - 1] - values[begin]) + next;
    next = std::ceil((last + how.separation) / step) * step;
  }
  require_digits(last, segments.size(), how);
  if (!std::isfinite(next)) return {};
  const double center = coarse_center(0.0, last, sum, static_cast<index_t>(n));
  for (Segment& segment : segments) segment.position -= center;
  return segments;
}

// The same for values in any order, which are sorted. None where a value is not finite.
inline std::vector<Segment> sort_and_close_gaps(double* values, index_t n, const Closing& how) {
  if (!std::all_of(values, values + n, [](double z) { return std::isfinite(z); })) return {};
  std::sort(values, values + n);
  return close_gaps(values, static_cast<std::size_t>(n), how);
}

// The columns of these that have wide gaps. read(some_columns, values) writes these columns one
// after the other, `rows` values each. As many at a time are read as fit 32 MiB.
template <class Read>
std::vector<ClosedColumn> close_columns(const std::vector<index_t>& columns, index_t rows,
                                        const Closing& how, int threads, const Control& control,
                                        const Read& read) {
  const index_t at_a_time = std::max<index_t>(1, (index_t{1} << 22) / rows);
  std::vector<ClosedColumn> closed;
  for (auto begin = columns.begin(); begin != columns.end();) {
    const index_t count = std::min<index_t>(at_a_time, columns.end() - begin);
    const std::vector<index_t> some(begin, begin + count);
    const Buffer<double> values(count * rows);
    read(some, values.data());
    std::vector<std::vector<Segment>> segments(some.size());
    parallel_for(count, threads, [&](index_t k, int) {
      control.check();
      segments[static_cast<std::size_t>(k)] =
          sort_and_close_gaps(values.data() + k * rows, rows, how);
    });
    for (std::vector<Segment>& of_column : segments) {
      if (!of_column.empty()) closed.push_back({*begin, std::move(of_column)});
      ++begin;
    }
  }
  return closed;
}

}  // namespace eigentropy
