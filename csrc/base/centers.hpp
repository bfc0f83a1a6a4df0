// The centre and the scale of rows: see CenteredRows.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/views.hpp"

namespace eigentropy {

// A multiple of 2^k near the column's mean, where 2^k is between 1/32 and 1/16 of the column's
// range.
inline double coarse_center(double low, double high, double sum, index_t n) {
  const double width = high - low;
  if (width == 0.0) return low;
  if (!std::isfinite(width)) return 0.0;  // a column of +-1e308: its values are offsets already
  const double step = std::ldexp(1.0, std::ilogb(width) - 4);
  if (step == 0.0) return low;  // denormal numbers
  const double mean = sum / static_cast<double>(n);
  // The sum of numbers near the largest one overflows.
  const double center = std::isfinite(mean) ? mean : low + 0.5 * width;
  const double steps = center / step;
  return std::isfinite(steps) ? std::nearbyint(steps) * step : center;
}

// How the values of a column are moved before distances are computed.
struct Centering {
  // Gaps that are much wider than this are made about as narrow as this: see ClosedColumn.
  double separation = std::numeric_limits<double>::infinity();
  // Whether no value may lose a digit. The centre is then 0, unless all values are much nearer to
  // the centre than to 0: the difference of two such numbers is exact (Sterbenz).
  bool keeps_digits = false;
};

// How rows are moved whose distances are wanted, however far from each other the rows are.
inline Centering centering_for_distances() {
  return {std::numeric_limits<double>::infinity(), true};
}

inline double center_of(double low, double high, double sum, index_t n, const Centering& how) {
  const double center = coarse_center(low, high, sum, n);
  return how.keeps_digits && !(std::abs(center) > 4.0 * (high - low)) ? 0.0 : center;
}

// A power of two, so that dividing by it is exact. Not below 2^-1022, whose inverse is a number.
inline double row_scale(double largest_offset) {
  return largest_offset > 0.0 ? std::ldexp(1.0, std::max(-1022, std::ilogb(largest_offset))) : 1.0;
}

}  // namespace eigentropy
