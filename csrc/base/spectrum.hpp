// What every eigenvalue solver needs around it: a scale for its matrix, a check of its answer.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/views.hpp"

namespace eigentropy {

// The number that a matrix is divided by whose largest entry is `largest`: a power of two, so that
// the division is exact. It is 1 unless the squares of the entries would leave the range of T;
// |A|_F^2 and the reflectors are sums of such squares.
template <class T>
double scale_of(double largest) {
  const double limit = sizeof(T) == sizeof(double) ? 0x1p400 : 0x1p40;
  if (largest == 0.0 || (largest < limit && largest > 1.0 / limit)) return 1.0;
  return std::ldexp(1.0, std::max(std::ilogb(largest), -1000));  // 1 / scale must not overflow
}

// Where all eigenvalues of a matrix are known to lie.
struct EigenvalueBounds {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// True if w can be the spectrum of a matrix with these traces and bounds, to rounding:
//
//   |sum w - trace| <= 50 n eps |A|_F,  |sum w^2 - frobenius2| <= 100 n eps |A|_F^2,
//   low - 50 n eps |A| <= w_i <= high + 50 n eps |A|,  |A| the largest of |low|, |high|, or |A|_F
//
// Costs nothing and catches a solver that fails silently.
template <class T>
bool spectrum_matches(const T* w, index_t n, double trace, double frobenius2,
                      EigenvalueBounds bounds = {}) {
  // Each eigenvalue is wrong by a modest multiple of eps |A| and |A| <= |A|_F; the errors of n
  // of them add up to less than this. `!(x <= tolerance)` also rejects NaN.
  const double rounding =
      50.0 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(n);
  const double frobenius = std::sqrt(frobenius2);
  const double norm = std::min(frobenius, std::max(std::abs(bounds.low), std::abs(bounds.high)));
  double sum = 0.0, squares = 0.0;
  for (index_t i = 0; i < n; ++i) {
    const double value = static_cast<double>(w[i]);
    if (!(value >= bounds.low - rounding * norm && value <= bounds.high + rounding * norm)) {
      return false;
    }
    sum += value;
    squares += value * value;
  }
  return std::abs(sum - trace) <= rounding * frobenius &&
         std::abs(squares - frobenius2) <= 2.0 * rounding * frobenius2;
}

}  // namespace eigentropy
