// What one pass over all pairs of rows leaves for the functions that are called after it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>

#include "base/control.hpp"
#include "base/gaps.hpp"
#include "base/gaussian.hpp"
#include "cpu/rows/centered_rows.hpp"
#include "cpu/rows/median_distance.hpp"
#include "cpu/rows/median_in_single.hpp"
#include "cpu/rows/single_distances.hpp"

namespace eigentropy {

// The median distance of rows, and their distances in single precision where these serve. The first
// spectrum takes them; one in float32 works in their memory.
class KeptDistances {
 public:
  template <class S>
  KeptDistances(InputView<S> Z, int threads, Control& control) {
    const ColumnRanges ranges = column_ranges(Z, threads, control);
    for (std::size_t j = 0; j < ranges.low.size(); ++j) {
      widest_column_ = std::max(widest_column_, ranges.high[j] - ranges.low[j]);
    }
    const Centering exact = centering_for_distances();
    auto X = center_rows<S, double>(Z, common_centers(ranges, Z.rows, exact, {}));
    X.keeps_digits = exact.keeps_digits;
    scale_ = X.scale;
    if (!prefers_single(X)) {
      median_ = median_distance(X, threads, control);
      return;
    }
    distances_ = std::make_unique<SingleDistances>(
        center_rows<S, float>(Z, common_centers(ranges, Z.rows, {}, {})), true, threads, control);
    median_ = median_distance(X, *distances_, threads, control);
    const double largest = static_cast<double>(distances_->block().max_norm());
    reach_ = distances_->rows().scale * std::sqrt(largest);
    if (!distances_->are_kept()) distances_.reset();
  }

  // In units of scale().
  double median() const { return median_; }
  double scale() const { return scale_; }

  // Largest distance of a row from the centre in units of sigma; nothing where it is not known, or
  // where a kernel of this width closes gaps between rows.
  std::optional<double> reach(double sigma) const {
    if (!reach_.has_value() || !closes_no_gap(sigma)) return std::nullopt;
    return *reach_ / sigma;
  }

  // The distances if the kernel of this width is made of them, otherwise null. They are gone
  // afterwards.
  std::unique_ptr<SingleDistances> take_for(double sigma) {
    std::unique_ptr<SingleDistances> taken = std::move(distances_);
    return closes_no_gap(sigma) ? std::move(taken) : nullptr;
  }

 private:
  bool closes_no_gap(double sigma) const {
    return widest_column_ <= narrowest_closed_gap(centering_for_kernel<float>(sigma).separation);
  }

  double median_ = 0.0, scale_ = 1.0, widest_column_ = 0.0;
  std::optional<double> reach_;  // in units of the input
  std::unique_ptr<SingleDistances> distances_;
};

// Largest distance of a row from the centre in units of sigma, where gaps across which G is 0 count
// as narrow: see ClosedColumn. Distances that are kept may tell.
template <class S>
double reach_of(InputView<S> Z, double sigma, const KeptDistances* kept, int threads,
                Control& control) {
  const std::optional<double> known = kept == nullptr ? std::nullopt : kept->reach(sigma);
  if (known.has_value()) return *known;
  const auto X = center_rows<S, double>(Z, centering_for_kernel<double>(sigma), threads, control);
  return X.scale / sigma * largest_norm(X, threads, control);
}

}  // namespace eigentropy
