// Entropies of few rows, and given their groups, from the rows to the numbers in one call.
#pragma once

#include <optional>
#include <vector>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/subsets.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

struct BriefOptions {
  double share_of_median = 1.0;  // of the distances between rows: the width of the kernel
  double narrowest = 0.0;        // the least width in units of the largest entry, nearly
  double alpha = 0.5;
  double t = 1.0;
  double unit = 1.0;  // of the entropies, in nats
  double tol = 0.0;   // relative, of an entropy from float32
  // Whether the distances behind the median serve for the spectrum, too, if that is in float32.
  bool keeps_distances = false;
  // Float32 is tried where all rows are nearer to the centre than this, in units of sigma.
  double reach_for_single = 0.0;
};

// Partitions of the rows into groups. All have the same number of groups, with the same shares of
// the rows: group y of partition b is the subset b * shares.size() + y.
struct Partitions {
  Subsets groups;
  Buffer<double> shares;
};

struct BriefEntropies {
  double sigma = 0.0;
  double entropy = 0.0;                 // S(Z) of all rows
  double kernel_sum = 0.0;              // sum_ij G_ij
  std::vector<double> given_partition;  // S(Z|Y) = sum_y p_y S(Z|y) of each partition
  double kernel_sum_of_last = 0.0;      // of the groups of the last partition together
};

// The entropies of n >= 2 rows as a whole, and given each partition: S(t) of the eigenvalues of the
// operator of the rows or of a group. That of all rows is in float32 where the bound of the
// rounding meets `tol`; those of the groups are in float64. Nothing is returned where a row is not
// finite, or where the width is below `narrowest`. The indices of a group may be in another order
// afterwards. Throws as diffusion_spectrum and subset_spectra do.
template <class S>
std::optional<BriefEntropies> brief_entropies(InputView<S> Z, Partitions& partitions,
                                              const BriefOptions& options, int threads,
                                              Control& control);

}  // namespace eigentropy
