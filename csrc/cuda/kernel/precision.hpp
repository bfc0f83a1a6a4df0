// Which of two tiles' entries of G are taken from |x|^2 + |y|^2 - 2 x.y, which from differences,
// and which are 0 anyway.
//
// In units of eps, |x|^2 + |y|^2 - 2 x.y is wrong by two kinds of errors.
//
// Norms are summed in float64 and rounded to float32 once, and their sum is rounded again: by up to
// |x|^2 + |y|^2. In float64 the sums of 32 lanes are rounded five times more.
//
// The products of x.y are added in chains of C additions, and the sums of P chains in T again. An
// addition rounds by up to half the distance of two numbers of T around the partial sum s, a root
// mean square of 0.2 s. In rows near each other, where x.y is largest, s grows in proportion to the
// number of terms, and the errors add up to 0.12 sqrt(C / P + P) |x||y|, twice that in 2 x.y. The
// rule takes four times as much, sqrt(C / P + P) |x||y|: that is what the worst of some million
// pairs has. The device's constant is the smaller one of a chain for long rows, because a chain
// of threads ends after longest_sum products; the host sums in one piece (distance_error_factor).
// If all errors have one direction, as in rows of one number repeated, (C + P) / 3 |x||y| can be
// reached.
//
// tests/cpp/cuda/test_precision.cpp shows both.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/gaussian.hpp"
#include "cuda/kernel/sweep_path.hpp"

namespace eigentropy::cuda {

// How a path adds the products of two rows.
struct SumOfProducts {
  index_t at_once;  // products that are added before an addition rounds to T
  index_t longest;  // products of a chain
  // Errors beside those of the additions, in units of eps |x||y|: what the rule takes, and the
  // worst.
  double others, others_of_one_direction;
};
constexpr index_t longest_row = std::numeric_limits<index_t>::max();
constexpr SumOfProducts sum_of_products(Path path) {
  // Tensor cores cut off what does not fit, in one direction: that grows with the products of a
  // chain in the core. The numbers of 3xFP16 are from the sweeps on the emulated device, whose
  // cores keep 24 bits: near rows need 5 eps (registers) and 36 (warpgroups) beside the additions,
  // one number repeated 10 and 77. A GPU's cores may cut less often.
  switch (path) {
    case Path::registers:
      return {32, longest_row, 8.0, 16.0};
    case Path::warpgroups:
      // A chain of 128 products stays in the core.
      return {128, longest_row, 44.0, 96.0};
    default:
      return {1, longest_sum, 0.0, 0.0};
  }
}

// Errors of |x|^2 + |y|^2, in units of eps times itself.
template <class T>
constexpr double error_of_norms = sizeof(T) == sizeof(float) ? 1.0 : 3.5;

// Chains of `length` products and how many there are, for rows of d entries.
struct Chains {
  Chains(index_t d, const SumOfProducts& sum)
      : additions(static_cast<double>((std::min(d, sum.longest) + sum.at_once - 1) / sum.at_once)),
        count(static_cast<double>((d - 1) / sum.longest + 1)) {}
  double additions, count;

  double error() const { return std::sqrt(additions / count + count); }
  double error_of_one_direction() const { return (additions + count) / 3.0; }
};

// |x| of the rows of a tile, rounded outwards.
template <class T>
struct LengthRange {
  T shortest, longest;
};
template <class T>
__host__ __device__ LengthRange<T> length_range(T least_norm, T largest_norm) {
  // The square root of a norm is off by 3/4 eps at most.
  const double eps = sizeof(T) == sizeof(float) ? 0x1p-23 : 0x1p-52;
  return {static_cast<T>(std::sqrt(static_cast<double>(least_norm)) * (1.0 - 2.0 * eps)),
          static_cast<T>(std::sqrt(static_cast<double>(largest_norm)) * (1.0 + 2.0 * eps))};
}

enum class TileWay { products, differences, nothing };

template <class T>
struct PrecisionRule {
  // The error of an exponent, divided by exponent_tolerance, is
  // of_squares (|x|^2 + |y|^2) + of_products |x||y|.
  T of_squares = 0, of_products = 0;
  // As for a matrix (refinement_of_kernel), only distances that matter are taken from differences:
  // r^2 below near + near_per_error times that error.
  T near = 0, near_per_error = 0;
  T nothing = 0;  // exp is 0 where r^2 is larger

  // |x - y|^2 >= (|x| - |y|)^2
  __host__ __device__ TileWay way(LengthRange<T> a, LengthRange<T> b) const {
    const T beyond_b = a.shortest - b.longest, beyond_a = b.shortest - a.longest;
    const T gap = beyond_b > beyond_a ? beyond_b : beyond_a;
    const T least_r2 = gap > 0 ? gap * gap : T(0);
    if (least_r2 > nothing) return TileWay::nothing;
    const T error = of_squares * (a.longest * a.longest + b.longest * b.longest) +
                    of_products * a.longest * b.longest;
    if (error <= 1 || least_r2 > near + near_per_error * error) return TileWay::products;
    return TileWay::differences;
  }
};

// For rows of d entries; `scale` is that of the exponent, and negative.
template <class T>
PrecisionRule<T> precision_rule(Path path, index_t d, double scale) {
  const auto finite = [](double value) {
    return static_cast<T>(std::min(value, static_cast<double>(std::numeric_limits<T>::max())));
  };
  const SumOfProducts sum = sum_of_products(path);
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double unit = eps * -scale / exponent_tolerance<T>;
  // exp2 is 0 below these exponents, by more than any error of an exponent.
  const double least_exponent = sizeof(T) == sizeof(float) ? 152.0 : 1077.0;
  constexpr double log2_of_e = 1.4426950408889634;
  return {finite(unit * error_of_norms<T>), finite(unit * (Chains(d, sum).error() + sum.others)),
          finite(46.0 / -scale), finite(2.0 * exponent_tolerance<T> / -scale),
          finite(least_exponent / (-scale * log2_of_e))};
}

}  // namespace eigentropy::cuda
