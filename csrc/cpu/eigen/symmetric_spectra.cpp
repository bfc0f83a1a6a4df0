#include "cpu/eigen/symmetric_spectra.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/errors.hpp"
#include "base/solve_checked.hpp"
#include "base/spectrum.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/eigen/lane_solver.hpp"

namespace eigentropy {
namespace {

// A matrix of at most this order is solved by one thread, if there are as many matrices as threads,
// or if further threads would not make it faster. A larger one keeps all threads busy by itself;
// solving several at once would take a large copy for each thread.
constexpr index_t small_order = 1500;

struct Magnitude {
  double largest = 0.0;          // max |A_ij| of the finite entries
  double frobenius2 = 0.0;       // may be infinite or NaN
  index_t first_nonfinite = -1;  // row
};

// The extremes of some entries, and the sum of their squares. Many independent sums make the loop
// as fast as memory.
template <class T>
struct Stretch {
  static constexpr index_t lanes = 8;
  T sizes[lanes] = {}, differences[lanes] = {};
  double squares[lanes] = {};

  void add(const T* entries, index_t count) {
    index_t j = 0;
    for (; j + lanes <= count; j += lanes) {
      for (index_t k = 0; k < lanes; ++k) add(entries[j + k], k);
    }
    for (; j < count; ++j) add(entries[j], 0);
  }
  void add(T entry, index_t k) {
    const T size = std::abs(entry);
    sizes[k] = size > sizes[k] ? size : sizes[k];  // false for NaN
    differences[k] += entry - entry;               // 0, or NaN if the entry is not finite
    squares[k] += static_cast<double>(entry) * static_cast<double>(entry);
  }

  T largest() const { return *std::max_element(sizes, sizes + lanes); }
  bool finite() const {
    return std::all_of(differences, differences + lanes, [](T x) { return x == 0; });
  }
  double sum() const { return std::accumulate(squares, squares + lanes, 0.0); }
};

// The extremes and the squares of one tile of the upper triangle.
template <class T>
Magnitude magnitude(InputView<T> A, const Tile& tile) {
  Magnitude found;
  Buffer<T> gathered(A.col_stride == 1 ? 0 : tile.cols);
  for (index_t i = tile.row; i < tile.row + tile.rows; ++i) {
    const index_t first = std::max(i, tile.col), count = tile.col + tile.cols - first;
    const T* row = A.row(i) + first;
    if (A.col_stride != 1) {
      for (index_t j = 0; j < count; ++j) gathered[j] = A(i, first + j);
      row = gathered.data();
    }
    Stretch<T> stretch;
    stretch.add(row, count);
    found.largest = std::max(found.largest, static_cast<double>(stretch.largest()));
    const auto corner = first == i ? static_cast<double>(row[0]) : 0.0;
    found.frobenius2 += 2.0 * stretch.sum() - corner * corner;
    if (!stretch.finite() && found.first_nonfinite < 0) found.first_nonfinite = i;
  }
  return found;
}

// The extremes and the squares of the upper triangle.
template <class T>
Magnitude magnitude(InputView<T> A, int threads) {
  const Buffer<Magnitude> found(upper_tile_count(A.rows));
  for_each_upper_tile(A.rows, threads,
                      [&](const Tile& tile, index_t index) { found[index] = magnitude(A, tile); });
  Magnitude total;
  for (const Magnitude& one : found) {
    total.largest = std::max(total.largest, one.largest);
    total.frobenius2 += one.frobenius2;
    const bool earlier = total.first_nonfinite < 0 || one.first_nonfinite < total.first_nonfinite;
    if (one.first_nonfinite >= 0 && earlier) total.first_nonfinite = one.first_nonfinite;
  }
  return total;
}

template <class T>
Magnitude checked_magnitude(InputView<T> A, int threads) {
  const Magnitude size = magnitude(A, threads);
  if (size.first_nonfinite >= 0) {
    throw std::invalid_argument(
        "A has NaN or infinity in the upper triangle; the first is in row " +
        std::to_string(size.first_nonfinite));
  }
  return size;
}

template <class T>
double checked_scale(InputView<T> A, int threads) {
  return scale_of<T>(checked_magnitude(A, threads).largest);
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
InputView<T> input_view(SymmetricView<T> A) {
  return {A.data, A.n, A.n, A.stride, 1};
}

template <class T>
Traces traces(SymmetricView<T> A, double frobenius2) {
  double trace = 0.0;
  for (index_t i = 0; i < A.n; ++i) trace += static_cast<double>(A.row(i)[i]);
  return {trace, frobenius2};
}

constexpr const char* wrong_sums = "the eigenvalues do not add up to the trace of the matrix";

template <class T>
void require_match(const T* w, index_t n, const Traces& expected) {
  if (spectrum_matches(w, n, expected.trace, expected.frobenius2)) return;
  throw SolverError(wrong_sums);
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
  const Traces expected = traces(copy, magnitude(input_view(copy), threads).frobenius2);
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
void solve_by_lapack(InputView<T> A, double scale, SymmetricView<T> copy, T* w) {
  Control unused;  // a small problem ends before anyone could ask it to stop
  solve_copy(A, scale, copy, w, 1, unused, [&](SymmetricView<T> matrix, T* values) {
    eigenvalues(matrix, values, Reduction::lapack, 1, unused, 0.0, 1.0);
  });
}

template <class T>
void solve_small(InputView<T> A, SmallProblem<T>& memory, T* w) {
  const Scratch::Scope scope(memory.scratch);
  const double scale = checked_scale(A, 1);
  const SymmetricView<T> copy{memory.matrix.data(), A.rows, A.rows};
  const Control unused;
  const auto by_memory = [&](SymmetricView<T> matrix, T* values) {
    memory.solver.eigenvalues(matrix, values);
  };
  solve_checked([&] { solve_copy(A, scale, copy, w, 1, unused, by_memory); },
                [&] { solve_by_lapack(A, scale, copy, w); });
  finish(w, A.rows, scale);
}

// A matrix that a solver in lanes has failed on.
template <class T>
void solve_otherwise(InputView<T> A, T* w) {
  const double scale = checked_scale(A, 1);
  const Buffer<T> memory(A.rows * A.rows);
  const SymmetricView<T> copy{memory.data(), A.rows, A.rows};
  solve_checked([] { throw SolverError(wrong_sums); }, [&] { solve_by_lapack(A, scale, copy, w); });
  finish(w, A.rows, scale);
}

// The number of the first matrix that is not finite.
class FirstRefused {
 public:
  void refuse(index_t b) {
    index_t first = first_;
    while (b < first && !first_.compare_exchange_weak(first, b)) {
    }
  }
  template <class T>
  void check(const MatrixBatch<T>& A) const {
    if (first_ == none) return;
    try {
      checked_scale(A[first_], 1);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument("matrix " + std::to_string(first_) + ": " + error.what());
    }
    throw std::invalid_argument("matrix " + std::to_string(first_) +
                                " had NaN or infinity, and has changed since");
  }

 private:
  static constexpr index_t none = std::numeric_limits<index_t>::max();
  std::atomic<index_t> first_{none};
};

// solve(first, last, worker) for `step` matrices at a time, on one thread each.
template <class T, class Solve>
void for_each_small(const MatrixBatch<T>& A, index_t step, int threads, Control& control,
                    const Solve& solve) {
  const SingleThreadedBlas one_thread;
  std::atomic<index_t> done{0};
  parallel_for((A.count + step - 1) / step, threads, [&](index_t task, int worker) {
    const index_t first = task * step, last = std::min(A.count, first + step);
    control.check();  // do not read the caller's A once the caller has stopped waiting
    solve(first, last, worker);
    done += last - first;
    control.set_progress(static_cast<double>(done) / static_cast<double>(A.count));
  });
  control.check();
}

template <class T>
void solve_one_to_a_thread(const MatrixBatch<T>& A, T* w, int threads, Control& control) {
  std::vector<SmallProblem<T>> memory;
  for (index_t i = 0; i < std::min<index_t>(threads, A.count); ++i) memory.emplace_back(A.n);
  FirstRefused refused;
  for_each_small(A, 1, threads, control, [&](index_t b, index_t, int worker) {
    try {
      solve_small(A[b], memory[static_cast<std::size_t>(worker)], w + b * A.n);
    } catch (const std::invalid_argument&) {
      refused.refuse(b);
    }
  });
  refused.check(A);
}

template <class T>
void solve_in_lanes(const MatrixBatch<T>& A, T* w, int threads, Control& control) {
  using Outcome = typename LaneProblem<T>::Outcome;
  const index_t step = LaneSolver<T>::task(A.count, threads);
  std::vector<LaneSolver<T>> solvers;
  for (int i = 0; i < threads; ++i) solvers.emplace_back(A.n);
  FirstRefused refused;
  for_each_small(A, step, threads, control, [&](index_t first, index_t last, int worker) {
    LaneProblem<T> problems[LaneSolver<T>::most_problems];
    for (index_t b = first; b < last; ++b) {
      problems[b - first].matrix = {A[b].data, A.n, A.row_stride, A.col_stride};
      problems[b - first].w = w + b * A.n;
    }
    solvers[static_cast<std::size_t>(worker)].solve(problems, last - first);
    for (index_t b = first; b < last; ++b) {
      const LaneProblem<T>& problem = problems[b - first];
      if (problem.outcome == Outcome::not_finite) refused.refuse(b);
      if (problem.outcome == Outcome::failed) solve_otherwise(A[b], problem.w);
    }
  });
  refused.check(A);
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

template <class T>
void solve_one_after_the_other(const MatrixBatch<T>& A, Reduction reduction, T* w, int threads,
                               Control& control) {
  const CommonTeam team(threads);
  const std::vector<double> scales = checked_scales(A, threads);
  const Buffer<T> memory(A.n * A.n);
  const SymmetricView<T> copy{memory.data(), A.n, A.n};
  const double share = 1.0 / static_cast<double>(A.count);
  for (index_t b = 0; b < A.count; ++b) {
    const double from = static_cast<double>(b) * share;
    solve_large(A[b], scales[static_cast<std::size_t>(b)], reduction, copy, w + b * A.n, threads,
                control, from, from + share);
  }
}

}  // namespace

template <class T>
Buffer<T> symmetric_spectra(const MatrixBatch<T>& A, Reduction reduction, int threads,
                            Control& control) {
  if (A.count == 1 && A.n < worth_threads) threads = 1;
  Buffer<T> w(A.count * A.n);
  const bool automatic = reduction == Reduction::automatic;
  const bool one_to_a_thread =
      A.count > 1 && (A.n < worth_threads || (A.n <= small_order && A.count >= threads));
  if (automatic && prefers_lanes<T>(A.count, A.n)) {
    solve_in_lanes(A, w.data(), threads, control);
  } else if (automatic && one_to_a_thread) {
    solve_one_to_a_thread(A, w.data(), threads, control);
  } else {
    solve_one_after_the_other(A, reduction, w.data(), threads, control);
  }
  return w;
}

template <class T>
Buffer<T> symmetric_spectrum_in_place(SymmetricView<T> A, int threads, Control& control) {
  const CommonTeam team(threads);
  Magnitude size = checked_magnitude(input_view(A), threads);
  const double scale = scale_of<T>(size.largest);
  if (scale != 1.0) {
    copy_upper(input_view(A), scale, A, threads);
    size = magnitude(input_view(A), threads);
  }
  const Traces expected = traces(A, size.frobenius2);
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
