// The rules that every computation of the Gaussian kernel follows, with or without its matrix, on
// the host and on a device.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/buffer.hpp"
#include "base/centers.hpp"
#include "base/distances.hpp"
#include "base/views.hpp"

namespace eigentropy {

// G = exp(exponent_scale * r2) on centred rows that were divided by row_scale.
template <class T>
T exponent_scale(double sigma, double row_scale) {
  const double relative = sigma / row_scale;
  const double scale = -0.5 / (relative * relative);
  // A tiny sigma would give -inf, and -inf * 0 is not 0.
  const double limit = static_cast<double>(std::numeric_limits<T>::max()) / 16.0;
  return static_cast<T>(std::max(scale, -limit));
}

// exp(-r^2 / 2) is 0 for r of this many sigma: below the smallest number of T.
template <class T>
constexpr double zero_kernel_distance = sizeof(T) == sizeof(double) ? 40.0 : 16.0;

// How rows are moved of which only G is wanted.
template <class T>
Centering centering_for_kernel(double sigma) {
  return {zero_kernel_distance<T> * sigma, false};
}

// Exponents may be wrong by this much: about the relative error of G.
template <class T>
constexpr double exponent_tolerance = sizeof(T) == sizeof(double) ? 1e-12 : 1e-5;

// In a cloud that is very wide compared with sigma, the error of |x|^2 + |y|^2 - 2 x.y may change
// an exponent by more than its tolerance. The distances that matter are then computed from
// differences: those with G above 1e-20, and those that the error may have moved beyond it. `scale`
// is that of the exponent. An error of `allowed` changes no entry in float32: entries of duplicates
// stay 1.
template <class T>
Refinement refinement_of_kernel(double error, double scale) {
  if (error * -scale <= exponent_tolerance<T>) return {};
  return {46.0 / -scale + 2.0 * error, 1e-8 / -scale};
}

// w_i = (q_i / q_ref)^-alpha with q_ref the smallest q. A does not depend on q_ref; this one keeps
// w <= 1 and float32 away from overflow for large n and alpha.
template <class T>
Buffer<T> density_weights(const Buffer<double>& q, double q_ref, double alpha) {
  Buffer<T> w(q.size());
  std::transform(q.begin(), q.end(), w.begin(),
                 [&](double value) { return static_cast<T>(std::pow(value / q_ref, -alpha)); });
  return w;
}

// s with G / n = diag(s) G diag(s). Returns its trace, which is 1: G_ii = 1.
inline double fill_density_scaling(Buffer<double>& s) {
  std::fill(s.begin(), s.end(), 1.0 / std::sqrt(static_cast<double>(s.size())));
  return 1.0;
}

// `sum` is finite if all entries of the operator are.
template <class T>
void require_finite_operator(double sum, index_t n, double alpha) {
  if (std::isfinite(sum)) return;
  throw std::invalid_argument("the operator of " + std::to_string(n) +
                              " rows has entries that are not finite: (q_i q_j)^alpha is beyond " +
                              (sizeof(T) == sizeof(float) ? "float32" : "float64") +
                              " for alpha = " + std::to_string(alpha));
}

}  // namespace eigentropy
