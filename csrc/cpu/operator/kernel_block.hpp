// Products of the Gaussian kernel between two blocks of rows, which may come from two machines.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/kernel/row_strips.hpp"

namespace eigentropy {

// B_ij = G(x_i, y_j) for the x of one block and the y of another, or the symmetric matrix of one
// block with itself. It is computed tile by tile as in KernelOperator, and each tile is used for
// both sides: for B V and for B^T W. All rows have been moved to one centre: common_centers.
//
// Memory: the rows are the caller's. A product takes (rows + cols) m (T + float64), and a few tiles
// for each thread. If B is kept, the first product writes it, and later ones read no rows.
template <class T>
class KernelBlock {
 public:
  KernelBlock(index_t rows, index_t cols, bool symmetric, bool keeps);

  // What is multiplied and what becomes of it. Of a symmetric B only that of `rows` is looked at.
  struct Vectors {
    MatrixView<const T> of_rows, of_cols;   // W and V
    MatrixView<double> out_rows, out_cols;  // B V and B^T W
  };

  // `scale` is that of the exponent; rows and cols begin with row 0. Returns sum_ij (s_i B_ij
  // s_j)^2 of B and, if it is between two blocks, of B^T, as both are parts of the whole; 0 if
  // `s_rows` is null. s has as many entries as the block has rows.
  double multiply(const PackedRows<T>& rows, const PackedRows<T>& cols, T scale,
                  const Vectors& vectors, const double* s_rows, const double* s_cols, int threads,
                  Control& control);

  bool is_kept() const { return is_kept_; }

 private:
  class Tiles;

  // Row i of the second block is row first_col_ + i of what a sweep goes over.
  index_t rows_, cols_, first_col_;
  bool symmetric_, is_kept_ = false;
  Buffer<T> matrix_;  // the tiles one after the other, if B is kept
};

}  // namespace eigentropy
