// Partial Cholesky factorisation of the diffusion operator, row by row.
//
//   A_ij = s_i s_j exp(-|z_i - z_j|^2 / (2 sigma^2)),   s_i = q_i^-alpha / sqrt(d_i)
//   R    = A - F^T F                                     F: rank x n
//
// With every pivot p, F gets the row R_p,: / sqrt(R_pp), so that R stays positive semidefinite and
// its row and column p become 0. Which rows are pivots is decided by the caller.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// The operator, of which rows are computed when they are asked for. float64, since R is a
// difference of nearly equal numbers.
struct ScaledKernel {
  CenteredRows<double> rows;
  double sigma;
  Buffer<double> scaling;  // s, n
};

// R_pp' of pivots p: count x count.
void residual_block(const ScaledKernel& kernel, MatrixView<const double> F, const index_t* pivots,
                    index_t count, MatrixView<double> out, int threads, Control& control);

// out <- L^-1 R_p,: for pivots p: count x n, the rows that they add to F. L, count x count, is the
// lower triangular factor of the pivots' residual_block: L L^T = R_pp'.
void factor_rows(const ScaledKernel& kernel, MatrixView<const double> F, const index_t* pivots,
                 index_t count, const double* L, MatrixView<double> out, int threads,
                 Control& control);

// out_li = F_l . F_(first + i): the columns of F F^T from `first` on, rank x (rank - first). Its
// upper triangle; below are zeros, here and there.
void gram_columns(MatrixView<const double> F, index_t first, MatrixView<double> out, int threads,
                  Control& control);

}  // namespace eigentropy
