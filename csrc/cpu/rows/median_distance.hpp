// The median distance between the rows of a matrix.
#pragma once

#include <utility>
#include <vector>

#include "base/control.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// The median of |x_i - x_j| over all pairs i < j, exactly that of the entries of squared_distances:
// of an even number of pairs the mean of the two in the middle. Where more than half of the pairs
// are duplicates it is the median of the positive distances; 0 if there is none. In units of the
// input that is times X.scale.
double median_distance(const CenteredRows<double>& X, int threads, Control& control);

// The pairs of n >= 2 rows whose distances say where to look for the median first: drawn at random,
// always the same ones.
std::vector<std::pair<index_t, index_t>> sampled_pairs(index_t n);

}  // namespace eigentropy
