#include "cpu/entropy/shannon.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace eigentropy {
namespace {

// As NOISE_FLOOR_EPS of the Python package.
constexpr double noise_floor_eps = 10.0;

// Sums are made of partial sums of so many numbers, which lose fewer digits than one long sum.
constexpr index_t summed_at_once = 128;

struct Sums {
  double total = 0.0, moment = 0.0;
};

}  // namespace

template <class T>
double shannon_nats(const T* w, index_t n, double t) {
  double largest = 0.0;
  for (index_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(static_cast<double>(w[i])));
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double floor = noise_floor_eps * eps * largest;
  double total = 0.0, moment = 0.0;
  for (index_t start = 0; start < n; start += summed_at_once) {
    Sums part;
    for (index_t i = start; i < std::min(n, start + summed_at_once); ++i) {
      const double magnitude = std::abs(static_cast<double>(w[i]));
      if (std::isnan(magnitude)) return magnitude;
      if (!(magnitude > floor)) continue;
      // The largest power is 1: nothing overflows, and what underflows to 0 could not be seen.
      const double ratio = magnitude / largest, log_power = t * std::log(ratio);
      const double power = t == 1.0 ? ratio : std::exp(log_power);
      part.total += power;
      if (power > 0.0) part.moment += power * log_power;
    }
    total += part.total;
    moment += part.moment;
  }
  return std::max(0.0, std::log(total) - moment / total);
}

double weighted_sum(const double* values, const double* weights, index_t count) {
  double sum = 0.0;
  for (index_t i = 0; i < count; ++i) sum += weights[i] * values[i];
  return sum;
}

template double shannon_nats(const float*, index_t, double);
template double shannon_nats(const double*, index_t, double);

}  // namespace eigentropy
