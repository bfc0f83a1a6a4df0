#include "cpu/gradient/resolvents.hpp"

#include <algorithm>

#include "base/tiles.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/simd/gradient_kernels.hpp"

namespace eigentropy {
namespace {

// Matrices up to this order are inverted by elimination of one row after the other; for larger ones
// products are faster.
constexpr index_t eliminated_until = 32;

// Blocks of a symmetric product are computed whole up to this order. Other products are computed in
// bands of as many rows, by whatever number of threads: the result does not depend on it.
constexpr index_t whole_until = 128;

// Where fewer multiplications are to be done, a second thread starts too late.
constexpr index_t several_threads_from = index_t{1} << 22;

// The order of the first of two blocks is a multiple of this, the height of BLAS's register block.
index_t first_half(index_t n) { return (n / 2 + 15) / 16 * 16; }

template <class T>
MatrixView<T> block(MatrixView<T> A, index_t row, index_t rows, index_t col, index_t cols) {
  return {A.row(row) + col, rows, cols, A.stride};
}

// A matrix, or the transpose of the matrix that is stored.
template <class T>
struct Factor {
  MatrixView<T> stored;
  bool transposed = false;

  index_t cols() const { return transposed ? stored.rows : stored.cols; }
  const T* row(index_t i) const { return transposed ? stored.data + i : stored.row(i); }
  Factor rows(index_t first, index_t count) const {
    return transposed ? Factor{block(stored, 0, stored.rows, first, count), true}
                      : Factor{block(stored, first, count, 0, stored.cols), false};
  }
};

// C <- beta C + alpha A B. BLAS is column-major: C^T = B^T A^T.
template <class T>
void multiply(T alpha, Factor<T> A, MatrixView<T> B, T beta, MatrixView<T> C, int threads) {
  if (C.rows * C.cols * A.cols() < several_threads_from) threads = 1;
  parallel_for((C.rows + whole_until - 1) / whole_until, threads, [&](index_t band, int) {
    const index_t first = band * whole_until, rows = std::min(whole_until, C.rows - first);
    blas::gemm('N', A.transposed ? 'T' : 'N', blas::to_blas(C.cols), blas::to_blas(rows),
               blas::to_blas(A.cols()), alpha, B.data, blas::to_blas(B.stride), A.row(first),
               blas::to_blas(A.stored.stride), beta, C.row(first), blas::to_blas(C.stride));
  });
}

// to <- from^T, in tiles whose rows and columns fit the first-level cache together.
template <class T>
void transpose(MatrixView<T> from, MatrixView<T> to) {
  constexpr index_t edge = 16;
  for (index_t i0 = 0; i0 < from.rows; i0 += edge) {
    for (index_t j0 = 0; j0 < from.cols; j0 += edge) {
      for (index_t j = j0; j < std::min(j0 + edge, from.cols); ++j) {
        for (index_t i = i0; i < std::min(i0 + edge, from.rows); ++i) to.row(j)[i] = from.row(i)[j];
      }
    }
  }
}

// C <- C - A B for symmetric C and A B: one triangle of the blocks is computed and mirrored.
template <class T>
void subtract_symmetric(Factor<T> A, MatrixView<T> B, MatrixView<T> C, int threads) {
  const index_t n = C.rows;
  if (n <= whole_until) return multiply(T(-1), A, B, T(1), C, 1);
  const index_t k = A.cols(), m = first_half(n), rest = n - m;
  if (n * n * k < several_threads_from) threads = 1;
  parallel_for(2, threads, [&](index_t half, int) {
    const index_t first = half * m, size = half == 0 ? m : rest;
    subtract_symmetric(A.rows(first, size), block(B, 0, k, first, size),
                       block(C, first, size, first, size), 1);
  });
  const MatrixView<T> below = block(C, m, rest, 0, m);
  multiply(T(-1), A.rows(m, rest), block(B, 0, k, 0, m), T(1), below, threads);
  transpose(below, block(C, 0, m, m, rest));
}

template <class T>
void invert_by_elimination(MatrixView<T> A) {
  if (simd::gradient_kernels<T>().eliminate(A.data, A.rows, A.stride)) return;
  throw SolverError("a shifted matrix is not positive definite");
}

// A <- A^-1 by blocks; almost all of the work is products. With P = A11^-1 and Q = (A22 - A21 P
// A12)^-1:
//   [P + P A12 Q A21 P   .]
//   [     -Q A21 P       Q]
// `room` has n^2 elements.
template <class T>
void invert(MatrixView<T> A, T* room, int threads) {
  const index_t n = A.rows;
  if (n <= eliminated_until) return invert_by_elimination(A);
  const index_t m = first_half(n), rest = n - m;
  const MatrixView<T> A11 = block(A, 0, m, 0, m), A12 = block(A, 0, m, m, rest),
                      A21 = block(A, m, rest, 0, m), A22 = block(A, m, rest, m, rest);
  const MatrixView<T> W{room, rest, m, m};
  invert(A11, room, threads);
  multiply<T>(T(1), {A21}, A11, T(0), W, threads);
  subtract_symmetric<T>({W}, A12, A22, threads);
  invert(A22, room + rest * m, threads);
  multiply<T>(T(-1), {A22}, W, T(0), A21, threads);
  subtract_symmetric<T>({W, true}, A21, A11, threads);
  transpose(A21, A12);
}

template <class T>
void copy_shifted(MatrixView<const T> A, double shift, MatrixView<T> out) {
  for (index_t i = 0; i < A.rows; ++i) {
    std::copy_n(A.row(i), A.cols, out.row(i));
    out.row(i)[i] += static_cast<T>(shift);
  }
}

// row <- row + factor * term
template <class T>
void add(double factor, const T* term, T* row, index_t n) {
  const T w = static_cast<T>(factor);
  for (index_t j = 0; j < n; ++j) row[j] += w * term[j];
}

// row i <- c0 e_i + c1 a_i
template <class T>
void start_row(MatrixView<const T> A, const RationalFunction& r, index_t i, T* row) {
  for (index_t j = 0; j < A.cols; ++j) row[j] = static_cast<T>(r.linear) * A.row(i)[j];
  row[i] += static_cast<T>(r.constant);
}

}  // namespace

template <class T>
MatrixView<T> function_of_matrix(MatrixView<const T> A, const RationalFunction& r,
                                 MatrixView<T> out, T* room, int threads, Control& control) {
  const SingleThreadedBlas one_thread;
  const index_t n = A.rows;
  // Terms are added in the order of the poles for every number of threads.
  const index_t together = poles_together(r.poles, threads);
  const auto inverse = [&](index_t k) { return MatrixView<T>{room + 2 * k * n * n, n, n, n}; };
  for (index_t first = 0; first < r.poles; first += together) {
    const index_t count = std::min(together, r.poles - first);
    const auto invert_shifted = [&](index_t k, int threads_within) {
      control.check();
      copy_shifted(A, r.shifts[first + k], inverse(k));
      invert(inverse(k), inverse(k).data + n * n, threads_within);
    };
    if (count == 1) {
      invert_shifted(0, threads);
    } else {
      parallel_for(count, threads, [&](index_t k, int) { invert_shifted(k, 1); });
    }
    for_each_row_block(n, threads, [&](index_t begin, index_t end, index_t) {
      for (index_t i = begin; i < end; ++i) {
        if (first == 0) start_row(A, r, i, out.row(i));
        for (index_t k = 0; k < count; ++k) {
          add(r.weights[first + k], inverse(k).row(i), out.row(i), n);
        }
      }
    });
  }
  return inverse((r.poles - 1) % together);
}

#define EIGENTROPY_INSTANTIATE(T)                                                         \
  template MatrixView<T> function_of_matrix(MatrixView<const T>, const RationalFunction&, \
                                            MatrixView<T>, T*, int, Control&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
