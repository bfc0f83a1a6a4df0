// The median distance between the rows of a matrix.
#pragma once

#include <utility>
#include <vector>

#include "base/control.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/rows/single_distances.hpp"

namespace eigentropy {

// The median of |x_i - x_j| over all pairs i < j, to a few units in the last place. For an even
// number of pairs it is the mean of the two in the middle. If more than half of the pairs are
// duplicates, it is the median of the positive distances, or 0 if there are none. Multiply by
// X.scale for the units of the input.
template <class T>
double median_distance(const CenteredRows<T>& X, int threads, Control& control);

// The same with distances in single precision that the caller may use again: those of the same n >=
// 2 rows, perhaps around another centre. They are computed here, but not where rows are so near
// each other that single precision cannot tell them apart: are_kept() tells.
double median_distance(const CenteredRows<double>& X, SingleDistances& distances, int threads,
                       Control& control);

// The sample of pairs of n >= 2 rows whose distances bracket the median. It is drawn at random with
// a fixed seed.
std::vector<std::pair<index_t, index_t>> sampled_pairs(index_t n);

}  // namespace eigentropy
