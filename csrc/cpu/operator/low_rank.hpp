// Partial Cholesky factorisation of the diffusion operator, row by row.
//
//   A_ij = s_i s_j exp(-|z_i - z_j|^2 / (2 sigma^2)),   s_i = q_i^-alpha / sqrt(d_i)
//   R    = A - F^T F                                     F: rank x n
//
// Each pivot p adds the row R_p,: / sqrt(R_pp) to F. R stays positive semidefinite, and its row and
// column p become 0. The caller chooses the pivots.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// The operator; its rows are computed on demand. In float64, because R is a difference of nearly
// equal numbers.
struct ScaledKernel {
  CenteredRows<double> rows;
  double sigma;
  Buffer<double> scaling;  // s, n
};

// R_pp' of pivots p: count x count.
void residual_block(const ScaledKernel& kernel, MatrixView<const double> F, const index_t* pivots,
                    index_t count, MatrixView<double> out, int threads, Control& control);

// out <- L^-1 R_p,: for pivots p, count x n: the rows that the pivots add to F. L, count x count,
// is the lower triangular factor of the pivots' residual_block: L L^T = R_pp'.
void factor_rows(const ScaledKernel& kernel, MatrixView<const double> F, const index_t* pivots,
                 index_t count, const double* L, MatrixView<double> out, int threads,
                 Control& control);

// out_li = F_l . F_(first + i): the columns of F F^T from `first` on, rank x (rank - first). Only
// the upper triangle is computed; some entries below it are 0.
void gram_columns(MatrixView<const double> F, index_t first, MatrixView<double> out, int threads,
                  Control& control);

}  // namespace eigentropy
