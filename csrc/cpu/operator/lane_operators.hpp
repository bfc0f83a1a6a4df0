// Spectra of the operators of small kernels, as many at once as a SIMD vector has lanes.
#pragma once

#include <vector>

#include "base/buffer.hpp"
#include "base/operator.hpp"
#include "base/views.hpp"
#include "cpu/eigen/lane_solver.hpp"
#include "cpu/simd/lane_gaussian_kernels.hpp"
#include "cpu/simd/lane_operator_kernels.hpp"

namespace eigentropy {

// Rows in memory, one after the other, and how their Gaussian kernels are computed.
template <class T>
struct KernelRows {
  const T* rows;
  index_t d;
  T scale;       // of the exponent
  bool cancels;  // whether |x|^2 + |y|^2 - 2 x.y is not precise enough
};

// One thread's memory for some groups of kernels, of order max_n or less, and what is known of
// each. What it finds for a kernel does not depend, to the bit, on the kernels beside it.
//
//   start(order);  {gather | compute | interleave}, one group at a time;  find_eigenvalues();
//   results
template <class T>
class LaneOperators {
 public:
  LaneOperators(index_t max_n, const OperatorOptions& options);

  // No kernel that follows has more rows than `order`.
  void start(index_t order);

  // The next group: `count` kernels, as many as there are lanes or, the last time, fewer.
  void gather(SymmetricView<T> G, const simd::LaneSubset* subsets, index_t count);
  void compute(const KernelRows<T>& rows, const simd::LaneSubset* subsets, index_t count);
  void interleave(const simd::LaneSource<T>* kernels, index_t count);

  void find_eigenvalues() { solver_.find_eigenvalues(); }

  // w <- the n eigenvalues of a problem, descending.
  void copy(index_t problem, index_t n, T* w) const { solver_.copy(problem, n, w); }
  double kernel_sum(index_t problem) const { return kernel_sums_[problem]; }
  double trace(index_t problem) const { return traces_[problem]; }
  double squares(index_t problem) const { return squares_[problem]; }

 private:
  void set_lanes(const simd::LaneSubset* subsets, index_t count, simd::LaneSubset* lanes);
  void add_group();
  void fill_density_weights();
  void fill_scaling(index_t first);

  const simd::LaneOperatorKernels<T>& kernels_ = simd::lane_operator_kernels<T>();
  const simd::LaneGaussianKernels<T>& gaussian_ = simd::lane_gaussian_kernels<T>();
  OperatorOptions options_;
  LaneSolver<T> solver_;
  index_t lanes_, max_n_, order_ = 0;
  index_t problems_ = 0;          // so far, with those of unused lanes
  Buffer<T> weights_, products_;  // a vector for each row
  Buffer<T> packed_;              // rows of a group, if kernels are computed
  Buffer<double> row_sums_;
  Buffer<double> kernel_sums_, traces_, squares_;
  std::vector<index_t> unused_;  // rows at the start of each lane of the group at hand
};

}  // namespace eigentropy
