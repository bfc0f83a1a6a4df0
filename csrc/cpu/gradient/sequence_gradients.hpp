// The entropies of many sequences of rows, each with a kernel of its own, and their gradients.
#pragma once

#include <memory>
#include <vector>

#include "base/control.hpp"
#include "cpu/gradient/entropy_gradient.hpp"
#include "cpu/gradient/log_functions.hpp"
#include "cpu/gradient/spectral_slopes.hpp"

namespace eigentropy {

// Rows [first, first + rows) of a matrix.
struct Sequence {
  index_t first, rows;
};

struct SequenceOptions {
  SpectralMeasure measure;
  double alpha = 0.5;
  // Whether log A may be a rational function of A, at t = 1 or order 1.
  bool may_approximate = true;
  // In units of the median distance of a sequence: what a sigma that is NaN stands for.
  double share_of_median = 1.0;
};

// What is computed, with one entry for each sequence.
template <class T>
struct SequenceResults {
  double* nats;
  double* sigmas;  // given; NaN: of the median distance, which is written
  double* kernel_sums;
  bool* solved;            // false: a solver has failed, and nats are NaN
  MatrixView<T> gradient;  // of all rows; null data: not wanted
};

// Each sequence is solved by one thread, in memory that the thread keeps for the next sequence and
// the next call.
template <class T>
class SequenceGradients {
 public:
  using Real = T;

  void solve(InputView<T> rows, const std::vector<Sequence>& sequences,
             const SequenceOptions& options, const LogFunctions& functions,
             const SequenceResults<T>& results, int threads, Control& control);

 private:
  std::vector<std::unique_ptr<EntropyGradient<T>>> workers_;
};

}  // namespace eigentropy
