#include "cpu/operator/low_rank.hpp"

#include <algorithm>
#include <functional>

#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"

namespace eigentropy {
namespace {

// out_ij <- s_i s_j out_ij for some of the columns j
void scale(const double* of_rows, const double* of_cols, Columns columns, MatrixView<double> out) {
  for (index_t i = 0; i < out.rows; ++i) {
    double* const row = out.row(i);
    for (index_t j = columns.begin; j < columns.end; ++j) row[j] *= of_rows[i] * of_cols[j];
  }
}

// out <- out - P^T F in some of the columns, with P, rank x count, the pivots' columns of F.
// BLAS is column-major and sees the transposes: out^T <- out^T - F^T P.
void subtract(MatrixView<const double> F, const Buffer<double>& P, Columns columns,
              MatrixView<double> out) {
  if (F.rows == 0) return;  // nothing yet
  blas::gemm('N', 'T', blas::to_blas(columns.count()), blas::to_blas(out.rows),
             blas::to_blas(F.rows), -1.0, F.data + columns.begin, blas::to_blas(F.stride), P.data(),
             blas::to_blas(out.rows), 1.0, out.data + columns.begin, blas::to_blas(out.stride));
}

// out <- L^-1 out in some of the columns: out^T <- out^T (L^T)^-1, and L^T is upper triangular.
void solve(const double* L, Columns columns, MatrixView<double> out) {
  const int count = blas::to_blas(out.rows);
  blas::trsm('R', 'U', 'N', 'N', blas::to_blas(columns.count()), count, 1.0, L, count,
             out.data + columns.begin, blas::to_blas(out.stride));
}

// Chosen columns, rows x count.
Buffer<double> gather_columns(MatrixView<const double> F, const index_t* chosen, index_t count) {
  Buffer<double> gathered(F.rows * count);
  for (index_t l = 0; l < F.rows; ++l) {
    for (index_t i = 0; i < count; ++i) gathered[l * count + i] = F.row(l)[chosen[i]];
  }
  return gathered;
}

Buffer<double> gather(const Buffer<double>& values, const index_t* chosen, index_t count) {
  Buffer<double> gathered(count);
  std::transform(chosen, chosen + count, gathered.begin(), [&](index_t i) { return values[i]; });
  return gathered;
}

}  // namespace

void residual_block(const ScaledKernel& kernel, MatrixView<const double> F, const index_t* pivots,
                    index_t count, MatrixView<double> out, int threads, Control& control) {
  const CenteredRows<double> rows = select_rows(kernel.rows, pivots, count);
  const Buffer<double> s = gather(kernel.scaling, pivots, count);
  const Buffer<double> P = gather_columns(F, pivots, count);
  const MatrixView<const double> F_of_pivots{P.data(), F.rows, count, count};
  Buffer<index_t> all(count);
  for (index_t i = 0; i < count; ++i) all[i] = i;
  gaussian_kernel_rows(rows, kernel.sigma, all.data(), count, out, threads, control,
                       [&](Columns columns) {
                         scale(s.data(), s.data(), columns, out);
                         subtract(F_of_pivots, P, columns, out);
                       });
}

void factor_rows(const ScaledKernel& kernel, MatrixView<const double> F, const index_t* pivots,
                 index_t count, const double* L, MatrixView<double> out, int threads,
                 Control& control) {
  const Buffer<double> s = gather(kernel.scaling, pivots, count);
  const Buffer<double> P = gather_columns(F, pivots, count);
  gaussian_kernel_rows(kernel.rows, kernel.sigma, pivots, count, out, threads, control,
                       [&](Columns columns) {
                         scale(s.data(), kernel.scaling.data(), columns, out);
                         subtract(F, P, columns, out);
                         solve(L, columns, out);
                       });
}

void gram_columns(MatrixView<const double> F, index_t first, MatrixView<double> out, int threads,
                  Control& control) {
  const index_t down = tile_count(out.rows), across = tile_count(out.cols);
  const int n = blas::to_blas(F.cols), stride = blas::to_blas(F.stride);
  const SingleThreadedBlas one_thread;
  parallel_for(down * across, threads, [&](index_t tile, int) {
    control.check();
    const index_t row = tile / across * tile_size, col = tile % across * tile_size;
    const index_t rows = std::min(tile_size, out.rows - row);
    const index_t cols = std::min(tile_size, out.cols - col);
    if (row >= first + col + cols) {  // below the diagonal
      for (index_t i = row; i < row + rows; ++i) std::fill_n(out.row(i) + col, cols, 0.0);
      return;
    }
    blas::gemm('T', 'N', blas::to_blas(cols), blas::to_blas(rows), n, 1.0, F.row(first + col),
               stride, F.row(row), stride, 0.0, out.row(row) + col, blas::to_blas(out.stride));
  });
}

}  // namespace eigentropy
