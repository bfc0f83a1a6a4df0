// Products of the diffusion operator with vectors, without its matrix.
#pragma once

#include <atomic>
#include <memory>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/operator.hpp"
#include "base/views.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

template <class T>
class RowStrips;

// A = diag(s) G diag(s) with s_i = w_i / sqrt(d_i), w_i = q_i^-alpha: gaussian_kernel.hpp defines
// G, q and d. Or G / n, the density matrix, with s_i = n^-1/2 and degrees q. The upper triangle of
// G is computed tile by tile in T. Each tile is used twice, for its row block and for its column
// block; sums over tiles are in float64. For m vectors that takes n^2 (d + 2 m) flops and n^2 / 2
// exponentials, or 2 n^2 m flops if the matrix is kept.
//
// Memory: n d T for the packed rows or, if the matrix is kept, n^2 T / 2 for half of it. A product
// takes n m (T + float64) more, and a few tiles for each thread. If the packed rows would take more
// than the limit, two stretches of rows are in memory at a time and are read again whenever they
// are needed; the caller's rows must then stay valid.
//
// All functions may be called from several threads at once.
template <class T>
class KernelOperator {
 public:
  // Passes over all tiles once for q and, if options.passes() is 2, once more for d. Throws
  // invalid_argument if a row or an entry of the operator is not finite.
  KernelOperator(CenteredRows<T> X, const KernelOperatorOptions& options, int threads,
                 Control& control);
  ~KernelOperator();
  KernelOperator(const KernelOperator&) = delete;
  KernelOperator& operator=(const KernelOperator&) = delete;

  index_t n() const { return X_.n; }
  double trace() const { return trace_; }
  double kernel_sum() const { return kernel_sum_; }  // sum_ij G_ij
  const Buffer<double>& degrees() const { return degrees_; }
  const Buffer<double>& scaling() const { return s_; }

  // |A|_F^2. The first product computes it on the way; before that, this function passes over all
  // tiles.
  double frobenius2(int threads, Control& control) const;

  // out (n x m) <- A V for V (n x m).
  template <class S>
  void multiply(MatrixView<const S> V, MatrixView<S> out, int threads, Control& control) const;

 private:
  class Tiles;

  // Passes over all tiles once: out_i <- factors_i sum_j G_ij factors_j V_j, and |A|_F^2 if
  // `frobenius2`.
  template <class S>
  void sweep(MatrixView<const S> V, const double* factors, MatrixView<S> out, bool frobenius2,
             int threads, Stage& stage) const;
  Buffer<double> row_sums(const Buffer<double>& w, bool frobenius2, int threads,
                          Stage& stage) const;
  index_t tiles() const;
  bool has_matrix() const { return stretch_ == 0; }

  CenteredRows<T> X_;
  T scale_;
  Buffer<T> matrix_;                   // the tiles one after the other, if the matrix is kept
  index_t stretch_;                    // rows in memory at a time; 0 if the matrix is kept instead
  std::unique_ptr<RowStrips<T>> all_;  // the rows, if all of them are in memory
  double trace_ = 0.0, kernel_sum_ = 0.0;
  Buffer<double> degrees_, s_;
  mutable std::atomic<double> frobenius2_;  // NaN: not known yet
};

}  // namespace eigentropy
