// Products of the diffusion operator with vectors on the device, with or without its matrix.
#pragma once

#include <atomic>

#include "base/control.hpp"
#include "base/operator.hpp"
#include "cuda/kernel/gaussian_sweep.hpp"
#include "cuda/operator/half_matrix.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// A = diag(s) G diag(s), with s of cpu/operator/kernel_operator.hpp. Blocks of threads compute G
// tile by tile in T, or by tensor cores with about the error of float32 (Path), and multiply each
// tile with the vectors of its columns while it is in shared memory: a tile's products are summed
// in T, sums over tiles in float64, each of them by one thread and in a fixed order. G is computed
// whole, not one triangle of it. That is 2 n^2 (d + m) flops and n^2 exponentials for m <= 80
// vectors; more vectors are cut into stripes, each of which computes G again.
//
// With keeps_matrix, both triangles of G are in device memory, n x n, of which one is computed and
// copied to the other. A product is then cuBLAS's, 2 n^2 m flops in true single or double
// precision.
//
// Bytes on the device, n and d rounded up to tiles, T = 4 or 8:
//   n (d + 1) T          the rows, transposed, and their |x|^2; twice that while it is made
//   n^2 T                or the matrix, once it is there, 2 n^2 for that in half precision
//   16 n                 s and the weights of a pass
// A product takes n m T for the scaled vectors and, without the matrix, at most some 200 MB for
// sums in float64, whatever n is; with it, n m (8 + 8 T) for those of stripes of its columns, twice
// that and 4 n m with one in half precision.
//
// keep_in_half keeps G in float16, for an operator of float. The sums over G have been computed
// from the exact G before. The products are then those of an operator whose entries are rounded by
// 2^-11; Python decides when that is allowed.
//
// All functions may be called from several threads at once, each with a queue of its own on the
// operator's device. The operator must outlive the work that they start, and the stream on which it
// was made must outlive the operator, whose memory is freed in that stream's order.
template <class T>
class KernelOperator {
 public:
  // Passes over G once for q and, if options.passes() is 2, once more for d, and waits for the
  // results.
  // `memory_limit` is not used: OutOfDeviceMemory is thrown if memory is short. Throws
  // invalid_argument if an entry of the operator is not finite, and Interrupted.
  KernelOperator(const Queue& queue, DeviceRows<T> X, const KernelOperatorOptions& options,
                 Control& control);

  index_t n() const { return n_; }
  double trace() const { return trace_; }
  double kernel_sum() const { return kernel_sum_; }  // sum_ij G_ij
  const Buffer<double>& degrees() const { return degrees_; }
  const Buffer<double>& scaling() const { return s_; }

  // Keeps G in half precision and drops the rows. Only for operators of float without a matrix;
  // throws invalid_argument for double. Trace, degrees and |A|_F^2, which is computed first, stay
  // those of the exact G. Call it before others use the operator. After Interrupted or
  // OutOfDeviceMemory the operator is unchanged.
  void keep_in_half(const Queue& queue, Control& control);

  // |A|_F^2. The first call takes a pass over G and waits for it.
  double frobenius2(const Queue& queue, Control& control) const;

  // By which arithmetic pairs of tiles are computed without a matrix. Waits for the device.
  TileWays tile_ways(const Queue& queue) const { return count_tile_ways(queue, X_); }

  // out (n x m) <- A V for V (n x m), both in device memory, row-major and without gaps between
  // rows; they must not overlap. Does not wait for the result, unless it takes several launches:
  // then the host is at most two launches ahead of the device and checks `control` before each.
  // After Interrupted, some rows of `out` may still be written, in stream order.
  void multiply(const Queue& queue, const T* V, T* out, index_t m, Control& control) const;

 private:
  // out_i <- factors_i sum_j G_ij factors_j, or with the squares of G.
  Buffer<double> row_sums(const Queue& queue, Entries entries, const Buffer<double>& factors,
                          Stage& stage) const;
  void multiply_matrix(const Queue& queue, const T* V, T* out, index_t m) const;
  bool has_matrix() const { return matrix_.size() > 0 || half_.is_there(); }

  index_t n_;
  PackedRows<T> X_;                 // without its rows, once there is the matrix
  DeviceBuffer<T> matrix_;          // n x X_.stride, in the order of the packed rows
  HalfMatrix half_;                 // or that
  DeviceBuffer<double> on_device_;  // s
  double trace_ = 0.0, kernel_sum_ = 0.0;
  Buffer<double> degrees_, s_;
  mutable std::atomic<double> frobenius2_;  // NaN: not known yet
};

}  // namespace eigentropy::cuda
