#include "cpu/eigen/symmetric_spectra.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/errors.hpp"
#include "base/solve_checked.hpp"
#include "base/spectrum.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"

namespace eigentropy {
namespace {

// A matrix of at most this order is solved by one thread, if there are as many matrices as threads.
// A larger one keeps all threads busy by itself; solving several at once would take a large copy
// for each thread.
constexpr index_t small_order = 1500;

struct Magnitude {
  double largest = 0.0;          // max |A_ij| of the finite entries
  index_t first_nonfinite = -1;  // row
};

// The extremes of the upper triangle.
template <class T>
Magnitude magnitude(InputView<T> A, int threads) {
  const Buffer<Magnitude> found(upper_tile_count(A.rows));
  for_each_upper_tile(A.rows, threads, [&](const Tile& tile, index_t index) {
    T largest = 0;
    index_t first = -1;
    for (index_t i = tile.row; i < tile.row + tile.rows; ++i) {
      bool finite = true;
      for (index_t j = std::max(i, tile.col); j < tile.col + tile.cols; ++j) {
        const T size = std::abs(A(i, j));
        finite &= size <= std::numeric_limits<T>::max();
        largest = std::max(largest, size);
      }
      if (!finite && first < 0) first = i;
    }
    found[index] = {static_cast<double>(largest), first};
  });
  Magnitude total;
  for (const Magnitude& one : found) {
    total.largest = std::max(total.largest, one.largest);
    const bool earlier = total.first_nonfinite < 0 || one.first_nonfinite < total.first_nonfinite;
    if (one.first_nonfinite >= 0 && earlier) total.first_nonfinite = one.first_nonfinite;
  }
  return total;
}

template <class T>
double checked_scale(InputView<T> A, int threads) {
  const Magnitude size = magnitude(A, threads);
  if (size.first_nonfinite >= 0) {
    throw std::invalid_argument(
        "A has NaN or infinity in the upper triangle; the first is in row " +
        std::to_string(size.first_nonfinite));
  }
  return scale_of<T>(size.largest);
}

// out <- the upper triangle of A / scale. A and out may be the same memory.
template <class T>
void copy_upper(InputView<T> A, double scale, SymmetricView<T> out, int threads) {
  const double factor = 1.0 / scale;
  for_each_upper_tile(A.rows, threads, [&](const Tile& tile, index_t) {
    for (index_t i = tile.row; i < tile.row + tile.rows; ++i) {
      T* row = out.row(i);
      for (index_t j = std::max(i, tile.col); j < tile.col + tile.cols; ++j) {
        row[j] = static_cast<T>(static_cast<double>(A(i, j)) * factor);
      }
    }
  });
}

struct Traces {
  double trace;
  double frobenius2;
};

template <class T>
Traces traces(SymmetricView<T> A, int threads) {
  double trace = 0.0;
  for (index_t i = 0; i < A.n; ++i) trace += static_cast<double>(A.row(i)[i]);
  return {trace, frobenius2(A, threads)};
}

template <class T>
void require_match(const T* w, index_t n, const Traces& expected) {
  if (spectrum_matches(w, n, expected.trace, expected.frobenius2)) return;
  throw SolverError("the eigenvalues do not add up to the trace of the matrix");
}

// Turns the ascending eigenvalues of A / scale into the descending eigenvalues of A.
template <class T>
void finish(T* w, index_t n, double scale) {
  std::reverse(w, w + n);
  if (scale == 1.0) return;
  for (index_t i = 0; i < n; ++i) w[i] = static_cast<T>(static_cast<double>(w[i]) * scale);
}

// Solves a copy of one matrix in the memory of `copy`, which solve(copy, w) overwrites.
template <class T, class Solve>
void solve_copy(InputView<T> A, double scale, SymmetricView<T> copy, T* w, int threads,
                const Control& control, const Solve& solve) {
  control.check();  // do not read the caller's A once the caller has stopped waiting
  copy_upper(A, scale, copy, threads);
  const Traces expected = traces(copy, threads);
  solve(copy, w);
  require_match(w, A.rows, expected);
}

// Solves one matrix with all threads.
template <class T>
void solve_large(InputView<T> A, double scale, Reduction wanted, SymmetricView<T> copy, T* w,
                 int threads, Control& control, double from, double to) {
  const auto solve_by = [&](Reduction reduction) {
    solve_copy(A, scale, copy, w, threads, control, [&](SymmetricView<T> matrix, T* values) {
      eigenvalues(matrix, values, reduction, threads, control, from, to);
    });
  };
  solve_checked([&] { solve_by(wanted); }, [&] { solve_by(Reduction::lapack); });
  finish(w, A.rows, scale);
}

template <class T>
void solve_small(InputView<T> A, double scale, SmallProblem<T>& memory, T* w) {
  const Scratch::Scope scope(memory.scratch);
  const SymmetricView<T> copy{memory.matrix.data(), A.rows, A.rows};
  Control unused;  // a small problem ends before anyone could ask it to stop
  const auto by_memory = [&](SymmetricView<T> matrix, T* values) {
    memory.solver.eigenvalues(matrix, values);
  };
  const auto by_lapack = [&](SymmetricView<T> matrix, T* values) {
    eigenvalues(matrix, values, Reduction::lapack, 1, unused, 0.0, 1.0);
  };
  solve_checked([&] { solve_copy(A, scale, copy, w, 1, unused, by_memory); },
                [&] { solve_copy(A, scale, copy, w, 1, unused, by_lapack); });
  finish(w, A.rows, scale);
}

template <class T>
void solve_one_to_a_thread(const MatrixBatch<T>& A, const std::vector<double>& scales, T* w,
                           int threads, Control& control) {
  const SingleThreadedBlas one_thread;
  std::vector<SmallProblem<T>> memory;
  for (int i = 0; i < threads; ++i) memory.emplace_back(A.n);
  std::atomic<index_t> done{0};
  parallel_for(A.count, threads, [&](index_t b, int worker) {
    solve_small(A[b], scales[static_cast<std::size_t>(b)], memory[static_cast<std::size_t>(worker)],
                w + b * A.n);
    control.set_progress(static_cast<double>(++done) / static_cast<double>(A.count));
    control.check();
  });
}

template <class T>
void solve_one_after_the_other(const MatrixBatch<T>& A, const std::vector<double>& scales,
                               Reduction reduction, T* w, int threads, Control& control) {
  const Buffer<T> memory(A.n * A.n);
  const SymmetricView<T> copy{memory.data(), A.n, A.n};
  const double share = 1.0 / static_cast<double>(A.count);
  for (index_t b = 0; b < A.count; ++b) {
    const double from = static_cast<double>(b) * share;
    solve_large(A[b], scales[static_cast<std::size_t>(b)], reduction, copy, w + b * A.n, threads,
                control, from, from + share);
  }
}

template <class T>
std::vector<double> checked_scales(const MatrixBatch<T>& A, int threads) {
  std::vector<double> scales;
  scales.reserve(static_cast<std::size_t>(A.count));
  Scratch scratch;
  for (index_t b = 0; b < A.count; ++b) {
    const Scratch::Scope scope(scratch);
    try {
      scales.push_back(checked_scale(A[b], threads));
    } catch (const std::invalid_argument& error) {
      if (A.count == 1) throw;
      throw std::invalid_argument("matrix " + std::to_string(b) + ": " + error.what());
    }
  }
  return scales;
}

}  // namespace

template <class T>
Buffer<T> symmetric_spectra(const MatrixBatch<T>& A, Reduction reduction, int threads,
                            Control& control) {
  const std::vector<double> scales = checked_scales(A, threads);
  Buffer<T> w(A.count * A.n);
  if (reduction == Reduction::automatic && A.n <= small_order && A.count >= threads &&
      A.count > 1) {
    solve_one_to_a_thread(A, scales, w.data(), threads, control);
  } else {
    solve_one_after_the_other(A, scales, reduction, w.data(), threads, control);
  }
  return w;
}

template <class T>
Buffer<T> symmetric_spectrum_in_place(SymmetricView<T> A, int threads, Control& control) {
  const InputView<T> input{A.data, A.n, A.n, A.stride, 1};
  const double scale = checked_scale(input, threads);
  if (scale != 1.0) copy_upper(input, scale, A, threads);
  const Traces expected = traces(A, threads);
  Buffer<T> w(A.n);
  eigenvalues(A, w.data(), Reduction::two_stage, threads, control, 0.0, 1.0);
  require_match(w.data(), A.n, expected);
  finish(w.data(), A.n, scale);
  return w;
}

#define EIGENTROPY_INSTANTIATE(T)                                                        \
  template Buffer<T> symmetric_spectra(const MatrixBatch<T>&, Reduction, int, Control&); \
  template Buffer<T> symmetric_spectrum_in_place(SymmetricView<T>, int, Control&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
