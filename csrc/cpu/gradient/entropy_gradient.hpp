// The spectral entropy S(1) of a batch of rows and its gradient with respect to the rows, without
// eigenvectors.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/gradient/resolvents.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// An interval that contains eigenvalues.
struct Interval {
  double lower, upper;
};

// For each batch call build(), then solve() with a function that approximates the logarithm on
// bulk_interval(). Memory is reused from batch to batch: a training loop has thousands of batches
// of one size, and mapping fresh pages would take as long as a part of the arithmetic.
template <class T>
class EntropyGradient {
 public:
  // A = D^-1/2 K D^-1/2 of the rows, both triangles. X and the memory that it reads must stay valid
  // until solve() has returned. Throws what build_matrix throws.
  void build(const CenteredRows<T>& X, double sigma, double alpha, int threads, Control& control);

  index_t n() const { return X_.n; }
  index_t d() const { return X_.d; }
  MatrixView<const T> A() const { return {A_.data(), n(), n(), n()}; }
  const Buffer<double>& densities() const { return q_; }  // q_i
  const Buffer<double>& degrees() const { return d_; }    // d_i
  double kernel_sum() const { return kernel_sum_; }       // sum_ij G_ij

  // An interval for all eigenvalues except the known eigenvalue 1: the extreme Ritz values after
  // `steps` Lanczos steps, widened by their residuals. An eigenvalue far from all others is found
  // in few steps; at the end of a dense bulk, the residual is larger than the part of the spectrum
  // that is missed. Returns (0, 1) if Lanczos breaks down before that.
  Interval bulk_interval(int steps, int threads) const;

  // Returns S(1) in nats and writes its gradient, n x d, to `gradient`.
  //   S = log T - M / T,  T = tr A,  M = tr A log A,  dS/dA = -(log A - M / T) / T
  // `log` approximates the logarithm from `lowest` on; its last pole is the one closest to 0.
  // Throws SolverError as function_of_matrix does, or if an eigenvalue is seen below `lowest`.
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
  // The known eigenvalue is moved here: the mean of the other eigenvalues, so that it does not
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
