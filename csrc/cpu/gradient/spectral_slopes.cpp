#include "cpu/gradient/spectral_slopes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace eigentropy {
namespace {

// As NOISE_FLOOR_EPS of the Python package.
constexpr double noise_floor_eps = 10.0;

// (x^(a - 1) - 1) / (a - 1), and log x where a is 1
double renyi_slope(double x, double excess) {
  return excess == 0.0 ? std::log(x) : std::expm1(excess * std::log(x)) / excess;
}

// S(t), of eigenvalues in units of the largest one; those of noise are below `floor`.
double shannon(const Buffer<double>& x, double floor, double t, double* slopes) {
  double T = 0.0, M = 0.0;
  for (const double value : x) {
    if (!(value > floor)) continue;
    const double power = std::pow(value, t);
    T += power;
    M += power * std::log(value);
  }
  for (index_t i = 0; slopes != nullptr && i < x.size(); ++i) {
    const double value = std::max(x[i], floor);
    slopes[i] = -t / T * (t * std::pow(value, t - 1.0) * (std::log(value) - M / T));
  }
  return std::log(T) - t / T * M;
}

// Renyi entropy with the largest probability, `share`, in front, so that no power overflows.
double renyi(const Buffer<double>& x, double floor, double order, double share, double* slopes) {
  const double excess = order - 1.0;
  double F = 0.0;
  for (const double value : x) {
    if (value > floor) F += value * renyi_slope(value, excess);
  }
  // 1 + it is at least the term of the largest probability, but for rounding.
  const double excess_sum = std::max(share - 1.0, excess * share * F);
  for (index_t i = 0; slopes != nullptr && i < x.size(); ++i) {
    slopes[i] = -share * order / (1.0 + excess_sum) * renyi_slope(std::max(x[i], floor), excess);
  }
  if (excess == 0.0) return -std::log(share) - share * F;
  return -std::log(share) - std::log1p(excess_sum) / excess;
}

}  // namespace

template <class T>
double entropy_of_eigenvalues(const T* w, index_t n, double trace, SpectralMeasure measure,
                              double* slopes) {
  const double floor = noise_floor_eps * static_cast<double>(std::numeric_limits<T>::epsilon());
  const auto largest = static_cast<double>(*std::max_element(w, w + n));
  Buffer<double> x(n);
  std::transform(w, w + n, x.begin(),
                 [&](T value) { return static_cast<double>(value) / largest; });
  const double nats = measure.normalized
                          ? shannon(x, floor, measure.exponent, slopes)
                          : renyi(x, floor, measure.exponent, largest / trace, slopes);
  for (index_t i = 0; slopes != nullptr && i < n; ++i) slopes[i] /= largest;
  return nats;
}

template double entropy_of_eigenvalues(const float*, index_t, double, SpectralMeasure, double*);
template double entropy_of_eigenvalues(const double*, index_t, double, SpectralMeasure, double*);

}  // namespace eigentropy
