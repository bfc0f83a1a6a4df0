// The spectral entropy S(1) or the kernel entropy of a batch of rows, and its gradient with respect
// to the rows, without eigenvectors.
#pragma once

#include <optional>
#include <vector>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/operator.hpp"
#include "base/views.hpp"
#include "cpu/gradient/log_functions.hpp"
#include "cpu/gradient/resolvents.hpp"
#include "cpu/gradient/spectral_slopes.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// An interval that contains eigenvalues.
struct Interval {
  double lower, upper;
};

// For each batch call build(), then solve() with a function that approximates the logarithm on
// bulk_interval(), or solve_order_two(). Memory is reused from batch to batch: a training loop has
// thousands of batches of one size, and mapping fresh pages would take as long as a part of the
// arithmetic.
template <class T>
class EntropyGradient {
 public:
  // A = D^-1/2 K D^-1/2 of the rows, or the kernel G itself, both triangles. X and the memory that
  // it reads must stay valid until solve() has returned. Throws what build_matrix throws.
  void build(const CenteredRows<T>& X, const OperatorOptions& options, int threads,
             Control& control);

  index_t n() const { return X_.n; }
  index_t d() const { return X_.d; }
  MatrixView<const T> A() const { return {A_.data(), n(), n(), n()}; }
  const Buffer<double>& densities() const { return q_; }  // q_i
  const Buffer<double>& degrees() const { return d_; }    // d_i, or q_i of the kernel
  double kernel_sum() const { return kernel_sum_; }       // sum_ij G_ij

  // An interval for all eigenvalues except those that are known: the extreme Ritz values after
  // `steps` Lanczos steps, widened by their residuals. An eigenvalue far from all others is found
  // in few steps; at the end of a dense bulk, the residual is larger than the part of the spectrum
  // that is missed. Returns (0, 1) if Lanczos breaks down before that. Of the diffusion operator
  // the eigenvalue 1 is known; of the kernel, the largest ones that as many steps find.
  Interval bulk_interval(int steps, int threads);

  // Returns S(1) in nats and writes its gradient, n x d, to `gradient`. Of the kernel, where T = n,
  // this is the von Neumann entropy of G / n.
  //   S = log T - M / T,  T = tr A,  M = tr A log A,  dS/dA = -(log A - M / T) / T
  // `log` approximates the logarithm from `lowest` on; its last pole is the one closest to 0.
  // Throws SolverError as function_of_matrix does, or if an eigenvalue is seen below `lowest`.
  double solve(const RationalFunction& log, double lowest, MatrixView<T> gradient, int threads,
               Control& control);

  // solve() with the first function that reaches over the interval of the eigenvalues. Null for few
  // rows, whose eigenvectors take no longer, where no function reaches far enough, and where an
  // eigenvalue lies outside of the interval after all.
  std::optional<double> solve_by_logarithm(const LogFunctions& functions, MatrixView<T> gradient,
                                           int threads, Control& control);

  // S in nats and its gradient from all eigenvectors of A.
  //   dS/dA = V diag(dS/dlambda) V^T
  // Throws SolverError if LAPACK fails.
  double solve_by_eigenvectors(SpectralMeasure measure, MatrixView<T> gradient, int threads,
                               Control& control);

  // S in nats by the eigenvalues of A, which is destroyed.
  double value(SpectralMeasure measure, int threads, Control& control);

  // Returns the Renyi entropy of order 2 of G / n in nats and writes its gradient, unless the data
  // of `gradient` are null.
  //   S = 2 log n - log |G|_F^2,  dS/dG = -2 G / |G|_F^2
  // Throws invalid_argument if A is the diffusion operator.
  double solve_order_two(MatrixView<T> gradient, int threads, Control& control);

 private:
  // Eigenpairs that are set aside, so that they do not widen the interval of the others. Vector k
  // is row k.
  struct EigenPairs {
    std::vector<double> values;
    Buffer<T> vectors;

    index_t count() const { return static_cast<index_t>(values.size()); }
    double value(index_t k) const { return values[static_cast<std::size_t>(k)]; }
  };
  struct Normalization;

  EigenPairs known_eigenpair() const;
  EigenPairs largest_eigenpairs(int steps, int threads) const;
  const T* known(index_t k) const { return known_.vectors.data() + k * n(); }
  bool all_above(double lowest);
  double inside() const;
  void fill_bulk(int threads);
  Buffer<double> complete_log(double at_inside, int threads);
  static Buffer<double> multiply(MatrixView<const T> M, const T* x, int threads);
  static double smallest_eigenvalue(MatrixView<const T> inverse, double shift, int threads);
  Normalization through_normalization(const Buffer<double>& b, int threads) const;
  void slopes_by_distance(double factor, const Normalization& through, int threads);
  void gradient_by_slopes(double factor, const Buffer<double>& b, MatrixView<T> gradient,
                          int threads, Control& control);
  void gradient_by_rows(MatrixView<T> gradient, int threads, Control& control) const;

  CenteredRows<T> X_;
  OperatorOptions options_;
  double kernel_sum_ = 0.0, trace_ = 0.0;
  Buffer<double> q_, d_;
  EigenPairs known_;  // moved inside(): to the mean of the other eigenvalues
  Buffer<T> A_;
  Buffer<T> bulk_;           // A with the known eigenvalues moved inside
  Buffer<T> W_;              // log of the bulk, log A, then -2 sigma^2 dS/dr2_ij
  Buffer<double> row_sums_;  // of W
  Buffer<T> room_;
};

}  // namespace eigentropy
