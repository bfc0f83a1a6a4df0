// The median distance, from distances in single precision wherever these do not decide it.
#pragma once

#include <utility>
#include <vector>

#include "base/control.hpp"
#include "cpu/rows/centered_rows.hpp"
#include "cpu/rows/single_distances.hpp"

namespace eigentropy {

// Whether median_in_single takes less time than distances in double: products must be most of the
// work.
bool prefers_single(const CenteredRows<double>& X);

// The median of |x_i - x_j|, to a few units in the last place of a double. The distances in single
// precision, which are computed here, may be those of the same rows around another centre. Those of
// a `sample` of pairs say where the median is. NaN if they mislead, or if distances in single
// precision leave too many pairs, such as ties, whose differences would have to be taken in double.
// The distances may not have been computed then: are_kept() tells.
double median_in_single(const CenteredRows<double>& X, SingleDistances& distances,
                        const std::vector<std::pair<index_t, index_t>>& sample, int threads,
                        const Control& control);

}  // namespace eigentropy
