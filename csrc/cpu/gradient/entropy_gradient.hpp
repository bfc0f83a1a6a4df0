// The spectral entropy S(1) of a batch of rows and its gradient by them, without eigenvectors.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/gradient/resolvents.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// Where eigenvalues are.
struct Interval {
  double lower, upper;
};

// One batch after the other: build(), and then solve() with a function that is near the logarithm
// on bulk_interval(). The memory of a batch serves the next: a training loop has thousands of one
// size, and to fault fresh pages in takes as long as some of the arithmetic.
template <class T>
class EntropyGradient {
 public:
  // A = D^-1/2 K D^-1/2 of the rows, both triangles. X, and what it reads, must live until the
  // gradient is there. Throws what build_matrix throws.
  void build(const CenteredRows<T>& X, double sigma, double alpha, int threads, Control& control);

  index_t n() const { return X_.n; }
  index_t d() const { return X_.d; }
  MatrixView<const T> A() const { return {A_.data(), n(), n(), n()}; }
  const Buffer<double>& densities() const { return q_; }  // q_i
  const Buffer<double>& degrees() const { return d_; }    // d_i
  double kernel_sum() const { return kernel_sum_; }       // sum_ij G_ij

  // Of the eigenvalues but the known one, 1: the extreme Ritz values of so many Lanczos steps, with
  // their residuals. An eigenvalue far from all others is found in few steps; at the end of a dense
  // bulk residuals are large beside what is missed. (0, 1) where the start has no such steps.
  Interval bulk_interval(int steps, int threads) const;

  // S(1) in nats, for a function near log(x); its gradient, n x d, goes to `gradient`.
  //   S = log T - M / T,  T = tr A,  M = tr A log A,  dS/dA = -(log A - M / T) / T
  // `log` is near the logarithm from `lowest` on; its last pole is the one next to 0. Throws
  // SolverError as function_of_matrix does, or if an eigenvalue is seen below `lowest`.
  double solve(const RationalFunction& log, double lowest, MatrixView<T> gradient, int threads,
               Control& control);

 private:
  void fill_bulk(int threads);
  Buffer<double> products_with_log(int threads) const;
  static Buffer<double> multiply(MatrixView<const T> M, const T* x, int threads);
  static double smallest_eigenvalue(MatrixView<const T> inverse, double shift, int threads);
  void slopes_by_distance(const Buffer<double>& b, double trace, double at_inside, int threads);
  void gradient_by_rows(MatrixView<T> gradient, int threads, Control& control) const;

  CenteredRows<T> X_;
  double sigma_ = 1.0, alpha_ = 0.5, kernel_sum_ = 0.0, trace_ = 0.0;
  // The place of the known eigenvalue in the bulk: the mean of the others, so that it does not
  // widen their interval.
  double inside_ = 0.0;
  Buffer<double> q_, d_;
  Buffer<T> v_;  // the known eigenvector
  Buffer<T> A_;
  Buffer<T> bulk_;           // A with the known eigenvalue moved inside
  Buffer<T> W_;              // log of the bulk, then -2 sigma^2 dS/dr2_ij
  Buffer<double> row_sums_;  // of W
  Buffer<T> room_;
};

}  // namespace eigentropy
