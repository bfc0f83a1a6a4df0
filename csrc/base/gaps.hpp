// Wide gaps between the values of a column, and how they are closed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "base/centers.hpp"
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

// So many gaps of a column are closed, the widest: 4 KiB a column. More are there if hundreds of
// rows are far from all others, each at a place of its own.
constexpr std::size_t most_closed_gaps = 255;

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
                                               double separation) {
  std::vector<std::size_t> begins;
  const auto gap = [values](std::size_t i) { return values[i] - values[i - 1]; };
  for (std::size_t i = 1; i < n; ++i) {
    if (gap(i) > narrowest_closed_gap(separation)) begins.push_back(i);
  }
  if (begins.size() > most_closed_gaps) {
    std::nth_element(
        begins.begin(), begins.begin() + most_closed_gaps, begins.end(),
        [&](std::size_t i, std::size_t j) { return gap(i) != gap(j) ? gap(i) > gap(j) : i < j; });
    begins.resize(most_closed_gaps);
    std::sort(begins.begin(), begins.end());
  }
  begins.insert(begins.begin(), 0);
  return begins;
}

// The segments of ascending values, around 0. None where no gap is wide, or where what is left is
// wider than a double can say.
inline std::vector<Segment> close_gaps(const double* values, std::size_t n, double separation) {
  const std::vector<std::size_t> begins = segment_begins(values, n, separation);
  if (begins.size() == 1) return {};
  const double step = gap_step(separation);
  std::vector<Segment> segments;
  double next = 0.0, sum = 0.0, last = 0.0;
  for (std::size_t k = 0; k < begins.size(); ++k) {
    const std::size_t begin = begins[k], end = k + 1 < begins.size() ? begins[k + 1] : n;
    segments.push_back({values[begin], next});
    for (std::size_t i = begin; i < end; ++i) sum += (values[i] - values[begin]) + next;
    last = (values[end - 1] - values[begin]) + next;
    next = std::ceil((last + separation) / step) * step;
  }
  if (!std::isfinite(next)) return {};
  const double center = coarse_center(0.0, last, sum, static_cast<index_t>(n));
  for (Segment& segment : segments) segment.position -= center;
  return segments;
}

}  // namespace eigentropy
