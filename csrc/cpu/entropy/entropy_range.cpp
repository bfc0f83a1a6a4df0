#include "cpu/entropy/entropy_range.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/buffer.hpp"
#include "cpu/entropy/shannon.hpp"

namespace eigentropy {
namespace {

// As NOISE_FLOOR_EPS of the Python package.
constexpr double noise_floor_eps = 10.0;

// The level of the largest entropy is sought until a step gains less than this share.
constexpr double level_tolerance = 1e-14;
constexpr int level_steps = 50;

// Two ways to add the same numbers up may differ by this share.
constexpr double sum_rounding = 1e-14;

template <class T>
constexpr double noise_floor() {
  return noise_floor_eps * static_cast<double>(std::numeric_limits<T>::epsilon());
}

double x_log_x(double x) { return x > 0.0 ? x * std::log(x) : 0.0; }

// A sum of numbers, and of x log x over them.
struct Sums {
  double total = 0.0, moment = 0.0;
};

// n intervals whose lower and upper ends descend.
class Intervals {
 public:
  // From `values - delta` to `values + delta`, as far as they are in [0, 1], to the power t. With
  // has_unit the first of them is 1.
  Intervals(const double* values, index_t n, double delta, double t, bool has_unit)
      : n_(n), low_(n), high_(n), above_(n + 1), below_(n + 1), gains_(n + 1) {
    const auto power = [&](double x) {
      const double inside = std::clamp(x, 0.0, 1.0);
      return t == 1.0 ? inside : std::pow(inside, t);
    };
    for (index_t i = 0; i < n; ++i) {
      low_[i] = power(values[i] - delta);
      high_[i] = power(values[i] + delta);
    }
    if (has_unit) low_[0] = high_[0] = 1.0;
    add_up();
  }

  Sums lower() const { return above_[n_]; }
  Sums upper() const { return below_[0]; }

  // Each number as near to a level as its interval allows.
  Sums near(double level) const {
    const index_t over = count_above(low_, level, std::greater<>());
    const index_t reaching = count_above(high_, level, std::greater_equal<>());
    const auto between = static_cast<double>(reaching - over);
    return {above_[over].total + between * level + below_[reaching].total,
            above_[over].moment + between * x_log_x(level) + below_[reaching].moment};
  }

  // The lowest level at which numbers as near to it as can be have this sum, or come nearest to it.
  // A level above it may have the same sum, where no interval reaches so far. Sums that differ by
  // rounding are the same.
  double level_of(double sum) const {
    const double total = sum * (1.0 - sum_rounding);
    Point under{-1.0, 0.0}, over{2.0, 0.0};
    for (const Buffer<double>* ends : {&low_, &high_}) narrow(*ends, total, under, over);
    if (under.level < 0.0) return over.level;
    if (over.level > 1.0) return under.level;
    const double rise = over.sum - under.sum;
    if (rise <= 0.0) return under.level;
    return under.level + (total - under.sum) / rise * (over.level - under.level);
  }

  // The smallest S where the first k >= 1 are at their upper ends, the others at their lower ones.
  double smallest_entropy() const {
    double smallest = std::numeric_limits<double>::infinity();
    for (index_t k = 1; k <= n_; ++k) {
      const auto [total, moment] = raised(k);
      smallest = std::min(smallest, std::log(total) - moment / total);
    }
    return smallest;
  }

  // The largest S of numbers as near to the level as they may be, with `count` equal ones beside
  // them that add up to `rest`. The level belongs to the entropy that is sought: each step takes it
  // from the last one and brings it nearer, since only the numbers at the level follow it.
  double largest_entropy(double rest, index_t count) const {
    const double rest_moment =
        rest > 0.0 ? rest * (std::log(rest) - std::log(static_cast<double>(count))) : 0.0;
    double largest = -1.0, level = 1.0;
    for (int step = 0; step < level_steps; ++step) {
      const Sums sums = near(level);
      const double total = sums.total + rest;
      // Powers of the level are below the smallest number: nothing is known.
      if (!(total > 0.0)) return std::numeric_limits<double>::infinity();
      const double entropy = std::log(total) - (sums.moment + rest_moment) / total;
      const bool is_last = entropy <= largest + level_tolerance * std::abs(largest);
      largest = std::max(largest, entropy);
      if (is_last) break;
      level = total * std::exp(-entropy);
    }
    return largest;
  }

  // The smallest F = -sum x log x where the sum is between `least` and `most`. For a given sum the
  // first k are at their upper ends and the others at their lower ones, but for one in between,
  // where F is above its chord. Along the chords F is convex in the sum.
  double smallest_moment(double least, double most) const {
    index_t best = 0;
    for (index_t k = 1; k <= n_; ++k) {
      if (raised(k).moment > raised(best).moment) best = k;
    }
    const double at = std::clamp(raised(best).total, least, most);
    index_t k = 0;  // raised(k) is the last one whose sum is not above `at`
    while (k < n_ && raised(k + 1).total <= at) ++k;
    const Sums before = raised(k), after = raised(std::min(k + 1, n_));
    const double rise = after.total - before.total;
    const double share = rise > 0.0 ? std::max(0.0, (at - before.total) / rise) : 0.0;
    return -(before.moment + share * (after.moment - before.moment));
  }

  // The largest F where the sum is between `least` and `most`. For a given sum all are as near to
  // one level as they may be. F is concave in the sum, with the slope -(1 + log level).
  double largest_moment(double least, double most) const {
    const double level = level_of(most);
    const double slope = 1.0 + std::log(std::max(level, std::numeric_limits<double>::min()));
    return -near(level).moment + std::max(0.0, slope) * (most - least);
  }

 private:
  struct Point {
    double level, sum;
  };

  // above_: of the first lower ends; below_: of the last upper ends; gains_: what it adds to all
  // lower ends to raise the first ones.
  void add_up() {
    above_[0] = gains_[0] = below_[n_] = {};
    for (index_t i = 0; i < n_; ++i) {
      const double low = x_log_x(low_[i]), high = x_log_x(high_[i]);
      above_[i + 1] = {above_[i].total + low_[i], above_[i].moment + low};
      gains_[i + 1] = {gains_[i].total + (high_[i] - low_[i]), gains_[i].moment + (high - low)};
      below_[i] = {high_[i], high};
    }
    for (index_t i = n_ - 1; i >= 0; --i) {
      below_[i].total += below_[i + 1].total;
      below_[i].moment += below_[i + 1].moment;
    }
  }

  Sums raised(index_t k) const {
    return {lower().total + gains_[k].total, lower().moment + gains_[k].moment};
  }

  // How many of these ends come before a level.
  template <class Compare>
  static index_t count_above(const Buffer<double>& ends, double level, Compare comes_before) {
    return std::partition_point(ends.begin(), ends.end(),
                                [&](double end) { return comes_before(end, level); }) -
           ends.begin();
  }

  // Brings the points below a sum, and at or above it, as near to it as there are ends.
  void narrow(const Buffer<double>& ends, double total, Point& under, Point& over) const {
    const double* first = std::partition_point(
        ends.begin(), ends.end(), [&](double end) { return near(end).total >= total; });
    if (first != ends.end() && *first > under.level) under = {*first, near(*first).total};
    if (first != ends.begin() && first[-1] < over.level) over = {first[-1], near(first[-1]).total};
  }

  index_t n_;
  Buffer<double> low_, high_;
  Buffer<Sums> above_, below_, gains_;
};

// The smallest and the largest S(1) of spectra within the intervals whose sum T is the trace:
//   S = log T + F / T,  F = -sum lambda log lambda
// Where the sum is given, an eigenvalue can only grow if another one shrinks. F hardly changes if
// the two are about equally large, so that S of a flat spectrum changes to second order only.
Range range_of_sum(const Intervals& intervals, const Rounding& rounding) {
  const double least =
      std::max(intervals.lower().total, rounding.trace * (1.0 - 2.0 * rounding.delta));
  const double most =
      std::min(intervals.upper().total, rounding.trace * (1.0 + 2.0 * rounding.delta));
  if (least > most) return {0.0, std::numeric_limits<double>::infinity()};  // of no such spectrum
  return {std::log(least) + intervals.smallest_moment(least, most) / most,
          std::log(most) + intervals.largest_moment(least, most) / least};
}

// The largest sum of t-th powers of `count` numbers in 0 .. most that add up to `total`.
double power_sum(double total, index_t count, double t, double most) {
  if (count == 0) return 0.0;
  const auto all = static_cast<double>(count);
  return t <= 1.0 ? all * std::pow(total / all, t) : total * std::pow(most, t - 1.0);
}

}  // namespace

template <class T>
Range entropy_range(const T* eigenvalues, index_t n, double t, const Rounding& rounding) {
  const auto [delta, trace, has_unit] = rounding;
  Buffer<double> values(n);
  std::copy(eigenvalues, eigenvalues + n, values.begin());
  if (!std::is_sorted(values.begin(), values.end(), std::greater<>())) {
    std::sort(values.begin(), values.end(), std::greater<>());
  }
  if (has_unit) values[0] = 1.0;
  const double cut = std::max(2.0 * delta, noise_floor<T>() * values[0]);
  const auto end =
      std::partition_point(values.begin(), values.end(), [&](double value) { return value > cut; });
  const index_t resolved = std::max<index_t>(1, end - values.begin());
  const index_t unresolved = n - resolved;
  double sum = 0.0;
  for (index_t i = 0; i < resolved; ++i) sum += values[i];

  const Intervals intervals(values.data(), resolved, delta, t, has_unit);
  const double most = std::min(1.0, cut + delta);  // of the unresolved
  const double hidden =
      std::min(std::max(0.0, trace - sum) + (static_cast<double>(resolved) + 2.0 * trace) * delta,
               static_cast<double>(unresolved) * most);
  const double smallest = intervals.smallest_entropy();
  const Range range{std::isfinite(smallest) ? smallest : 0.0,
                    intervals.largest_entropy(power_sum(hidden, unresolved, t, most), unresolved)};
  if (t != 1.0) return range;
  const Range of_sum =
      unresolved == 0 ? range_of_sum(intervals, rounding)
                      : range_of_sum(Intervals(values.data(), n, delta, t, has_unit), rounding);
  return {std::max(range.low, of_sum.low), std::min(range.high, of_sum.high)};
}

double eigenvalue_error(index_t n, double reach, double outside, double eps, double norm) {
  const double of_arithmetic =
      norm * eps * (10.0 + 0.2 * std::sqrt(static_cast<double>(n)) + reach);
  return std::min(1.0, std::max(of_arithmetic, 2.0 * outside));
}

template <class T>
EntropyWithError entropy_with_error(const T* eigenvalues, index_t n, double t,
                                    const Rounding& rounding) {
  const double nats = shannon_nats(eigenvalues, n, t);
  const Range range = entropy_range(eigenvalues, n, t, rounding);
  // All three are sums in float64, which matters where they are nearly 0.
  const auto count = static_cast<double>(n);
  const double own = count * std::numeric_limits<double>::epsilon() * (1.0 + std::log(count));
  return {nats, std::max(range.high - nats, nats - range.low) + own};
}

template EntropyWithError entropy_with_error(const float*, index_t, double, const Rounding&);
template EntropyWithError entropy_with_error(const double*, index_t, double, const Rounding&);
template Range entropy_range(const float*, index_t, double, const Rounding&);
template Range entropy_range(const double*, index_t, double, const Rounding&);

}  // namespace eigentropy
