// Shannon entropies of spectra.
#pragma once

#include <algorithm>

#include "base/views.hpp"

namespace eigentropy {

// S(t) in nats of n numbers w, of which one at least is not 0:
//   S = log T - M / T,  T = sum x^t,  M = sum x^t log x^t,  x = |w| / max |w|
// Those up to 10 eps of the largest are the solver's noise, and count as 0.
template <class T>
double shannon_nats(const T* w, index_t n, double t);

// sum_i weights_i values_i, one after the other.
double weighted_sum(const double* values, const double* weights, index_t count);

// Brings n >= 1 eigenvalues, descending, to [0, 1], where the exact ones lie, and returns how far
// they have left it.
template <class T>
double clip_to_unit(T* w, index_t n) {
  const double above = static_cast<double>(w[0]) - 1.0;
  const double below = -static_cast<double>(w[n - 1]);
  std::transform(w, w + n, w, [](T value) { return std::clamp(value, T(0), T(1)); });
  return std::max({0.0, below, above});
}

}  // namespace eigentropy
