// The median distance, from distances in single precision wherever these do not decide it.
#pragma once

#include <utility>
#include <vector>

#include "base/control.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

// Whether median_in_single takes less time than distances in double: products must be most of the
// work.
bool prefers_single(const CenteredRows<double>& X);

// The median of |x_i - x_j|, to a few units in the last place of a double. The distances of a
// `sample` of pairs say where it is. NaN if they mislead, if a row is not finite, or if distances
// in single precision leave too many pairs, such as ties, whose differences would have to be taken
// in double.
double median_in_single(const CenteredRows<double>& X,
                        const std::vector<std::pair<index_t, index_t>>& sample, int threads,
                        Control& control);

}  // namespace eigentropy
