// Bisection by Sturm counts, many shifts at once (Barth, Martin and Wilkinson, 1967), until every
// interval holds one eigenvalue or is as narrow as rounding allows; then root finding on det(T -
// x), which the count computes anyway, in each interval that holds one (Chandrupatla, 1997: inverse
// quadratic interpolation where it is safe, bisection elsewhere). The shifts of a step are
// independent of each other, so that they fill SIMD vectors and threads. Eigenvalues in a common
// interval share its steps.
//
// All arithmetic is in double: the exponent range of a float is enough for two or three minors, not
// for hundreds.
#include "base/eigen/bisection.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/buffer.hpp"
#include "base/simd/sturm_kernels.hpp"
#include "base/threads.hpp"

namespace eigentropy {
namespace {

using simd::sturm_lanes;
using simd::SturmLanes;

// Off-diagonal entries below this fraction of the largest entry are raised to it, which moves no
// eigenvalue by more than twice as much, so that no minor is lost to underflow.
constexpr int negligible_exponent = -54;

// A block of rows changes the size of the minors by at most 2^block_bits.
constexpr int block_bits = 900;

// A vector of fixed capacity.
template <class T>
class List {
 public:
  explicit List(index_t room) : elements_(room) {}
  void push_back(const T& element) { elements_[size_++] = element; }
  void clear() { size_ = 0; }
  index_t size() const { return size_; }
  const T& operator[](index_t i) const { return elements_[i]; }
  const T* begin() const { return elements_.data(); }
  const T* end() const { return elements_.data() + size_; }

 private:
  Buffer<T> elements_;
  index_t size_ = 0;
};

// T 2^-exponent with entries of at most 1.
class ScaledTridiagonal {
 public:
  template <class T>
  ScaledTridiagonal(const T* d, const T* e, index_t n, int exponent)
      : rows_(n + 1), ends_(n / 2 + 1) {
    const double negligible = std::ldexp(1.0, negligible_exponent);
    double left = 0.0;
    for (index_t i = 0; i < n; ++i) {
      const double diagonal = std::ldexp(static_cast<double>(d[i]), -exponent);
      double right = 0.0;
      if (i + 1 < n) {
        right = std::max(std::abs(std::ldexp(static_cast<double>(e[i]), -exponent)), negligible);
      }
      low_ = std::min(low_, diagonal - left - right);
      high_ = std::max(high_, diagonal + left + right);
      rows_.push_back({diagonal, left * left});
      left = right;
    }
    // The kernel takes two rows at a time. This added row multiplies det(T - x) by 4 - x > 0.
    if (n % 2 != 0) rows_.push_back({4.0, 0.0});
    divide_into_blocks();
  }

  simd::SturmMatrix view() const { return {rows_.begin(), ends_.begin(), ends_.size()}; }
  // No eigenvalue is outside (Gershgorin).
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  // The step from (p_{i-1}, p_i) to (p_i, p_{i+1}) stretches by 1 + 4 + 1 at most, its inverse by
  // (1 + 4 + 1) / e_i^2.
  void divide_into_blocks() {
    int bits = 0;
    for (index_t i = 0; i < rows_.size(); i += 2) {
      const int more = bits_of(rows_[i]) + bits_of(rows_[i + 1]);
      if (bits + more > block_bits) {
        ends_.push_back(i);
        bits = 0;
      }
      bits += more;
    }
    ends_.push_back(rows_.size());
  }
  static int bits_of(const simd::SturmRow& row) {
    return 3 - (row.left2 > 0.0 ? std::min(0, std::ilogb(row.left2)) : 0);
  }

  List<simd::SturmRow> rows_;
  List<index_t> ends_;
  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
};

// |det(T - x)| = mantissa 2^exponent, and how many eigenvalues are below x.
struct Sample {
  double x;
  double mantissa;
  long long exponent;
  index_t below;
};

struct Interval {
  Sample low, high;
  index_t count() const { return high.below - low.below; }
  double width() const { return high.x - low.x; }
};

Sample sample_of(const SturmLanes& lanes, index_t k) {
  return {lanes.x[k], std::abs(lanes.mantissa[k]), lanes.exponent[k], lanes.below[k]};
}

// The search for one eigenvalue in a bracket: a is the last sample, b the other end of the bracket,
// c the sample before a on either side.
class RootSearch {
 public:
  RootSearch() = default;
  RootSearch(const Interval& interval, double tolerance)
      : a_(interval.high), b_(interval.low), c_(interval.high), tolerance_(tolerance) {}

  index_t index() const { return std::min(a_.below, b_.below); }
  double midpoint() const { return 0.5 * (a_.x + b_.x); }
  bool done() const { return std::abs(a_.x - b_.x) <= 2.0 * tolerance_; }

  double next() {
    const double t = ++steps_ > patience ? 0.5 : interpolated();
    return a_.x + t * (b_.x - a_.x);
  }

  void narrow(Sample sample) {
    sample.below = std::clamp(sample.below, index(), index() + 1);
    if (sample.below == a_.below) {
      c_ = a_;
    } else {
      c_ = b_;
      b_ = a_;
    }
    a_ = sample;
  }

 private:
  // Steps after which bisection takes over; ten are usual.
  static constexpr int patience = 20;

  // Where between a (0) and b (1) the next sample is to be.
  double interpolated() const {
    const long long exponent = std::max({a_.exponent, b_.exponent, c_.exponent});
    const double fa = value(a_, exponent), fb = value(b_, exponent), fc = value(c_, exponent);
    const double xi = (a_.x - b_.x) / (c_.x - b_.x), phi = (fa - fb) / (fc - fb);
    if (!(phi * phi < xi && (1.0 - phi) * (1.0 - phi) < 1.0 - xi)) return 0.5;
    const double t = fa / (fb - fa) * fc / (fb - fc) +
                     (c_.x - a_.x) / (b_.x - a_.x) * fa / (fc - fa) * fb / (fc - fb);
    // A step of the tolerance at least, so that the bracket closes from both sides.
    const double least = tolerance_ / std::abs(b_.x - a_.x);
    return std::clamp(t, least, 1.0 - least);
  }

  // det(T - x) / 2^exponent, taken to be negative on a's side of the root.
  double value(const Sample& sample, long long exponent) const {
    const auto shift = std::max(sample.exponent - exponent, -2000LL);
    const double size = std::ldexp(sample.mantissa, static_cast<int>(shift));
    return sample.below == a_.below ? -size : size;
  }

  Sample a_, b_, c_;
  double tolerance_ = 0.0;
  int steps_ = 0;
};

class Bisection {
 public:
  Bisection(const ScaledTridiagonal& matrix, index_t n, double tolerance, double* w, int threads,
            Control& control)
      : matrix_(matrix.view()),
        kernels_(simd::active_kernels<simd::SturmKernels>()),
        tolerance_(tolerance),
        w_(w),
        threads_(std::max(1, threads)),
        control_(control),
        crowded_(n),
        divided_(n),
        isolated_(n),
        shifts_(std::max(n, least_pieces)),
        samples_(shifts_.size()) {
    // The size of det(T - x) at this end does not matter: at worst the first interpolations are
    // poor.
    classify({{matrix.low() - tolerance, 1.0, 0, 0}, {matrix.high() + tolerance, 1.0, 0, n}});
  }

  void run() {
    while (crowded_.size() > 0) divide();
    parallel_for(chunks(isolated_.size(), searches_of_a_task),
                 threads_for(isolated_.size() * steps_of_a_search),
                 [&](index_t task, int) { search(task); });
  }

 private:
  // Shifts of a step while there are few intervals: enough for the lanes of some threads.
  static constexpr index_t least_pieces = 256;

  // Searches of one task: enough that lanes whose search has ended find another one.
  static constexpr index_t searches_of_a_task = 256;

  // Steps of a search, on average.
  static constexpr index_t steps_of_a_search = 8;

  // Rows times shifts below which starting a thread takes longer than it saves.
  static constexpr index_t least_work = index_t{1} << 21;

  int threads_for(index_t shifts) const {
    const index_t rows = matrix_.ends[matrix_.blocks - 1];
    return static_cast<int>(std::clamp<index_t>(rows * shifts / least_work, 1, threads_));
  }

  static index_t chunks(index_t count, index_t size) { return (count + size - 1) / size; }

  // Sorts an interval by the work that is left in it.
  void classify(const Interval& interval) {
    if (interval.count() == 0) return;
    if (interval.width() <= 2.0 * tolerance_) {
      std::fill(w_ + interval.low.below, w_ + interval.high.below,
                0.5 * (interval.low.x + interval.high.x));
    } else if (interval.count() == 1) {
      isolated_.push_back(interval);
    } else {
      crowded_.push_back(interval);
    }
  }

  // A crowded interval holds at least two eigenvalues. It is cut into as many pieces as it has
  // shifts plus one, so that there are at most n shifts or, at first, `least_pieces`.
  void divide() {
    std::swap(crowded_, divided_);
    crowded_.clear();
    const index_t pieces = std::max<index_t>(2, least_pieces / divided_.size());
    index_t count = 0;
    for (const Interval& interval : divided_) {
      const double piece = interval.width() / static_cast<double>(pieces);
      for (index_t k = 1; k < pieces; ++k) {
        shifts_[count++] = interval.low.x + static_cast<double>(k) * piece;
      }
    }
    evaluate(count);
    const Sample* sample = samples_.data();
    for (const Interval& interval : divided_) {
      Sample low = interval.low;
      for (index_t k = 1; k < pieces; ++k, ++sample) {
        // Rounding may break the order of the counts of neighbours.
        Sample high = *sample;
        high.below = std::clamp(high.below, low.below, interval.high.below);
        classify({low, high});
        low = high;
      }
      classify({low, interval.high});
    }
  }

  // Evaluates the first `count` shifts.
  void evaluate(index_t count) const {
    parallel_for(chunks(count, sturm_lanes), threads_for(count), [&](index_t chunk, int) {
      control_.check();
      const index_t first = chunk * sturm_lanes;
      SturmLanes lanes;
      for (index_t k = 0; k < sturm_lanes; ++k) {
        lanes.x[k] = shifts_[std::min(first + k, count - 1)];
      }
      kernels_.counts(matrix_, lanes);
      for (index_t k = 0; k < std::min(sturm_lanes, count - first); ++k) {
        samples_[first + k] = sample_of(lanes, k);
      }
    });
  }

  // Each lane runs one search after the other.
  void search(index_t task) {
    const index_t first = task * searches_of_a_task;
    const index_t last = std::min(first + searches_of_a_task, isolated_.size());
    RootSearch searches[sturm_lanes];
    SturmLanes lanes;
    index_t running = 0;
    for (index_t next = first; next < last || running > 0;) {
      control_.check();
      for (; running < sturm_lanes && next < last; ++next) {
        searches[running++] = RootSearch(isolated_[next], tolerance_);
      }
      for (index_t k = 0; k < sturm_lanes; ++k) {
        lanes.x[k] = k < running ? searches[k].next() : 0.0;
      }
      kernels_.counts(matrix_, lanes);
      for (index_t k = running - 1; k >= 0; --k) {
        searches[k].narrow(sample_of(lanes, k));
        if (!searches[k].done()) continue;
        w_[searches[k].index()] = searches[k].midpoint();
        searches[k] = searches[--running];
      }
    }
  }

  simd::SturmMatrix matrix_;
  const simd::SturmKernels& kernels_;
  double tolerance_;
  double* w_;
  int threads_;
  Control& control_;
  List<Interval> crowded_, divided_, isolated_;
  Buffer<double> shifts_;
  Buffer<Sample> samples_;
};

template <class T>
bool all_finite(const T* values, index_t n) {
  return std::all_of(values, values + n, [](T value) { return std::isfinite(value); });
}

template <class T>
double largest(const T* values, index_t n) {
  double most = 0.0;
  for (index_t i = 0; i < n; ++i) most = std::max(most, std::abs(static_cast<double>(values[i])));
  return most;
}

}  // namespace

template <class T>
void bisect(T* d, const T* e, index_t n, int threads, Control& control) {
  control.check();
  if (n <= 1) return;
  if (!all_finite(d, n) || !all_finite(e, n - 1)) {
    std::fill(d, d + n, std::numeric_limits<T>::quiet_NaN());
    return;
  }
  const double norm = std::max(largest(d, n), largest(e, n - 1));
  if (norm == 0.0) return;  // nothing to scale by
  const int exponent = std::ilogb(norm) + 1;
  const ScaledTridiagonal matrix(d, e, n, exponent);
  // Half the distance between two doubles: the midpoint of a wider interval is strictly inside it.
  constexpr double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  constexpr double share = std::max(0.125 * eps, 0.5 * std::numeric_limits<double>::epsilon());
  const double tolerance = share * std::max(-matrix.low(), matrix.high());
  Buffer<double> w(n);
  Bisection(matrix, n, tolerance, w.data(), threads, control).run();
  for (index_t i = 0; i < n; ++i) d[i] = static_cast<T>(std::ldexp(w[i], exponent));
}

template void bisect(float*, const float*, index_t, int, Control&);
template void bisect(double*, const double*, index_t, int, Control&);

}  // namespace eigentropy
