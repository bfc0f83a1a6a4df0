// Products of the diffusion operator with vectors, without its matrix.
#pragma once

#include <atomic>
#include <cstdint>
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
// With a limit for 16 bits, which takes rows that are in memory and T = float, the first tiles of G
// are kept as roots of 16 bits (GaussianKernels), as many as fit: n^2 bytes for all. They come with
// the first pass, whose sums are of G itself; later passes read them. What that does to the
// eigenvalues, _spectra/half_precision.py says.
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
  const Buffer<double>& kernel_sums() const { return kernel_sums_; }  // q
  double density_frobenius2() const { return density_frobenius2_; }   // NaN: not asked for
  bool has_matrix() const { return stretch_ == 0; }
  // The part of G that is kept in 16 bits.
  double share_in_16_bits() const {
    return static_cast<double>(tiles_in_16_bits_) / static_cast<double>(tiles());
  }

  // |A|_F^2. The first product computes it on the way; before that, this function passes over all
  // tiles.
  double frobenius2(int threads, Control& control) const;

  // out (n x m) <- A V for V (n x m).
  template <class S>
  void multiply(MatrixView<const S> V, MatrixView<S> out, int threads, Control& control) const;

  // out (n x m) <- G V: with one pass, for columns of several matrices that G makes.
  template <class S>
  void multiply_kernel(MatrixView<const S> V, MatrixView<S> out, int threads,
                       Control& control) const;

 private:
  class Tiles;

  // Passes over all tiles once: out_i <- factors_i sum_j G_ij factors_j V_j, and |A|_F^2 if
  // `frobenius2`. Without factors, each is 1.
  template <class S>
  void sweep(MatrixView<const S> V, const double* factors, MatrixView<S> out, bool frobenius2,
             int threads, Stage& stage) const;
  Buffer<double> row_sums(const Buffer<double>& w, bool frobenius2, int threads,
                          Stage& stage) const;
  index_t tiles() const;
  void make_room_for_roots(double limit);

  CenteredRows<T> X_;
  T scale_;
  Buffer<T> matrix_;                   // the tiles one after the other, if the matrix is kept
  index_t stretch_;                    // rows in memory at a time; 0 if the matrix is kept instead
  std::unique_ptr<RowStrips<T>> all_;  // the rows, if all of them are in memory
  Buffer<std::uint16_t> roots_;        // of the first tiles
  index_t tiles_in_16_bits_ = 0;
  bool roots_are_there_ = false;
  double trace_ = 0.0, kernel_sum_ = 0.0, density_frobenius2_;
  Buffer<double> degrees_, s_, kernel_sums_;
  mutable std::atomic<double> frobenius2_;  // NaN: not known yet
};

}  // namespace eigentropy
