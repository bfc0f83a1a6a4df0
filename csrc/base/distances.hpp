// The rounding of squared distances |x|^2 + |y|^2 - 2 x.y.
#pragma once

#include <cmath>

#include "base/views.hpp"

namespace eigentropy {

// Rows of more columns than this are read in blocks of columns. From 512 columns on, the products
// are as fast as they get; at 1024, a block of all rows is about what the eigenvalue solver needs
// beside the matrix anyway.
constexpr index_t widest_block = 1024;

// For rows of d columns that are read in `blocks` blocks, |x|^2 + |y|^2 - 2 x.y is wrong by about
// distance_error_factor * eps * max |x|^2.
inline double distance_error_factor(index_t d, index_t blocks) {
  if (blocks <= 1) return 4.0 + std::sqrt(static_cast<double>(d));
  // Each block adds its error to that of the sum so far, in no preferred direction. (In rows of one
  // number repeated all errors have one direction, and the factor can be 32 + blocks / 4, which
  // DistancesOfFloats in tests/cpp/cpu/test_distances.cpp shows. That would be much too careful
  // elsewhere.)
  return 16.0 + std::sqrt(static_cast<double>(blocks));
}

// Squared distances below `below` suffer from cancellation and are computed again as sums of
// squared differences; 0 means none. If these are a large part of a tile of float32, and products
// in float64 are off by no more than `allowed`, such products replace the differences, because they
// take less time.
struct Refinement {
  double below = 0.0;
  double allowed = 0.0;
};

}  // namespace eigentropy
