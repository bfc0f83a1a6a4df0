// Gaussian kernel, anisotropic normalisation and symmetric conjugation, on the device: the formulas
// are those of cpu/kernel/gaussian_kernel.hpp.
//
// All functions work on a batch of matrices, each built from some of the rows: each step is one
// launch for all matrices. The matrix of all rows is a batch of one.
#pragma once

#include <vector>

#include "base/operator.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// One matrix of a batch.
template <class T>
struct Problem {
  index_t n;            // order
  index_t stride;       // elements from one of its rows to the next: n, or more if it is padded
  T* entries;           // device; both triangles
  const index_t* rows;  // device; which n of the rows, null: all of them
  // Where the problem begins in arrays with one element for each row of each problem, in the
  // numbering of tiles, and in the slots for the tiles' sums. Batch fills these in.
  index_t first_row = 0, first_tile = 0, first_slot = 0;
};

template <class T>
class Batch {
 public:
  Batch(const Queue& queue, std::vector<Problem<T>> problems);

  index_t count() const { return static_cast<index_t>(problems_.size()); }
  const Problem<T>& operator[](index_t p) const { return problems_[static_cast<std::size_t>(p)]; }
  // All problems, in device memory.
  const Problem<T>* on_device() const { return device_.data(); }
  index_t rows() const { return rows_; }
  index_t tiles() const { return tiles_; }
  index_t slots() const { return slots_; }

 private:
  std::vector<Problem<T>> problems_;
  DeviceBuffer<Problem<T>> device_;
  index_t rows_ = 0, tiles_ = 0, slots_ = 0;
};

// Writes G of each problem, both triangles, G_ii = 1, and returns q: the row sums of all problems,
// in device memory. Every run gives the same bits.
template <class T>
DeviceBuffer<double> gaussian_kernels(const Queue& queue, const DeviceRows<T>& X, double sigma,
                                      const Batch<T>& batch);

// Gathers each problem's G from `shared`, the n x n kernel of all rows, by the problem's `rows`.
// Returns q as above.
template <class T>
DeviceBuffer<double> gather_kernels(const Queue& queue, const T* shared, index_t n,
                                    const Batch<T>& batch);

struct OperatorSums {
  double trace, frobenius2, kernel_sum;
};

template <class T>
struct Operators {
  std::vector<OperatorSums> sums;  // one for each problem
  Buffer<double> degrees;          // d_i of all problems, or q_i if they are not normalised
};

// Turns each G into the operator of these options, in place, and waits. The caller checks for
// entries that are not finite, by require_finite_operator of base/gaussian.hpp on frobenius2.
template <class T>
Operators<T> make_operators(const Queue& queue, const Batch<T>& batch, DeviceBuffer<double> q,
                            const OperatorOptions& options);

}  // namespace eigentropy::cuda
