// Where the median of all pairs is, by the distances of a sample of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace eigentropy {

struct Bracket {
  double low, high;
};

// 3 standard errors of a rank, (1/2) sqrt(count) each, to both sides of the middle. The median of
// all pairs is outside once in 400 times. The sample is reordered.
inline Bracket bracket_of_median(double* sample, std::ptrdiff_t count) {
  const auto margin = static_cast<std::ptrdiff_t>(1.5 * std::sqrt(static_cast<double>(count)));
  const auto of_rank = [&](std::ptrdiff_t rank) {
    rank = std::clamp<std::ptrdiff_t>(rank, 0, count - 1);
    std::nth_element(sample, sample + rank, sample + count);
    return sample[rank];
  };
  return {of_rank(count / 2 - margin), of_rank(count / 2 + margin)};
}

}  // namespace eigentropy
