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

// A = diag(s) G diag(s) with s_i = w_i / sqrt(d_i), w_i = q_i^-alpha: gaussian_kernel.hpp has G, q
// and d. The upper triangle of G comes tile by tile, in T, and each tile is multiplied with the
// vectors of its rows and of its columns; sums over tiles are in float64. Without the matrix that
// is n^2 (d + 2 m) flops and n^2 / 2 exponentials for m vectors, with it n^2 2 m.
//
// Memory: the rows, packed, n d T; or half the matrix, n^2 T / 2, once it is there. A product takes
// n m (T + float64), and a few tiles a thread. Of rows that would take more than the limit,
// stretches of which two fit are read whenever they are needed: the caller's rows must stay.
//
// All functions may be called from several threads at once.
template <class T>
class KernelOperator {
 public:
  // One pass over the tiles for q, and if alpha is not 0 one more for d. Throws invalid_argument if
  // a row or an entry of the operator is not finite.
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

  // |A|_F^2: known from the first product on; before, it takes a pass over the tiles.
  double frobenius2(int threads, Control& control) const;

  // out (n x m) <- A V for V (n x m).
  template <class S>
  void multiply(MatrixView<const S> V, MatrixView<S> out, int threads, Control& control) const;

 private:
  class Tiles;

  // All tiles, once: out_i <- factors_i sum_j G_ij factors_j V_j, and |A|_F^2 if it is wanted.
  template <class S>
  void sweep(MatrixView<const S> V, const double* factors, MatrixView<S> out, bool frobenius2,
             int threads, Stage& stage) const;
  Buffer<double> row_sums(const Buffer<double>& w, int threads, Stage& stage) const;
  index_t tiles() const;
  bool has_matrix() const { return stretch_ == 0; }

  CenteredRows<T> X_;
  T scale_;
  Buffer<T> matrix_;                   // tile after tile, if it is kept
  index_t stretch_;                    // rows in memory at a time; 0: no rows, but the matrix
  std::unique_ptr<RowStrips<T>> all_;  // if these are all rows
  double trace_ = 0.0, kernel_sum_ = 0.0;
  Buffer<double> degrees_, s_;
  mutable std::atomic<double> frobenius2_;  // NaN: not known yet
};

}  // namespace eigentropy
