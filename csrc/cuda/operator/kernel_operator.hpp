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

// A = diag(s) G diag(s), s as in cpu/operator/kernel_operator.hpp. Blocks of threads compute G tile
// by tile in T, or by tensor cores with about the error of float32 (Tiling), and multiply each tile
// with the vectors of its columns while it is in shared memory: a tile's products are summed in T,
// sums over tiles in float64, each of them by one thread and in a fixed order. G is computed whole,
// not one triangle of it. That is 2 n^2 (d + m) flops and n^2 exponentials for m <= 80 vectors;
// more are taken in stripes, each of which computes G again.
//
// With the matrix (keeps_matrix), G is n x n in device memory, both triangles, of which one is
// computed, and a product is cuBLAS's, 2 n^2 m flops in true single or double precision.
//
// Bytes on the device, n and d rounded up to tiles, T = 4 or 8:
//   n (d + 1) T          the rows, transposed, and their |x|^2; twice that while it is made
//   n^2 T                or the matrix, once it is there, 2 n^2 for that in half precision
//   16 n                 s and the weights of a pass
// A product takes n m T for the scaled vectors and, without the matrix, at most some 200 MB for
// sums in float64, whatever n is; with it, n m (8 + 8 T) for those of stripes of its columns, twice
// that and 4 n m with one in half precision.
//
// keep_in_half: G in float16 for an operator of float. Sums over G are done by then, and of the
// exact one. A then differs from the operator that they belong to by rounding of 2^-11 in each
// entry, which python/eigentropy/half.py says when to allow.
//
// All functions may be called from several threads at once, each with a queue of its own on the
// operator's device. It must outlive what they asked for, and the stream with which it was made
// must outlive it: its memory goes back in that stream's order.
template <class T>
class KernelOperator {
 public:
  // One pass over G for q, and if alpha is not 0 one more for d. `memory_limit` is not looked at:
  // what does not fit throws OutOfDeviceMemory. Throws invalid_argument if an entry of the operator
  // is not finite, Interrupted. Waits for the results.
  KernelOperator(const Queue& queue, DeviceRows<T> X, const KernelOperatorOptions& options,
                 Control& control);

  index_t n() const { return n_; }
  double trace() const { return trace_; }
  double kernel_sum() const { return kernel_sum_; }  // sum_ij G_ij
  const Buffer<double>& degrees() const { return degrees_; }
  const Buffer<double>& scaling() const { return s_; }

  // Keeps G in half precision from now on, and no rows, for operators of float without a matrix;
  // invalid_argument for others of double. All that is known of A stays that of the exact G, and
  // frobenius2 is among it then. For before others use the operator. After Interrupted or
  // OutOfDeviceMemory it is as it was.
  void keep_in_half(const Queue& queue, Control& control);

  // |A|_F^2. The first call takes a pass over G and waits for it.
  double frobenius2(const Queue& queue, Control& control) const;

  // out (n x m) <- A V for V (n x m), both in device memory, row-major and without room between the
  // rows; they do not overlap. Does not wait for the result, unless it takes so long that it is
  // done in several launches: of these at most two are ahead of the device, and `control` is looked
  // at before each. After Interrupted some rows of `out` may still be written, in stream order.
  void multiply(const Queue& queue, const T* V, T* out, index_t m, Control& control) const;

 private:
  // out_i <- factors_i sum_j G_ij factors_j, or with the squares of G.
  Buffer<double> row_sums(const Queue& queue, Entries entries, const Buffer<double>& factors,
                          Stage& stage) const;
  void multiply_matrix(const Queue& queue, const T* V, T* out, index_t m) const;
  bool has_matrix() const { return matrix_.size() > 0 || half_.is_there(); }

  index_t n_;
  PackedRows<T> X_;                 // without its rows, once there is the matrix
  DeviceBuffer<T> matrix_;          // n x X_.stride
  HalfMatrix half_;                 // or that
  DeviceBuffer<double> on_device_;  // s
  double trace_ = 0.0, kernel_sum_ = 0.0;
  Buffer<double> degrees_, s_;
  mutable std::atomic<double> frobenius2_;  // NaN: not known yet
};

}  // namespace eigentropy::cuda
