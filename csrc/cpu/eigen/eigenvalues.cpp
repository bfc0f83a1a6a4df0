#include "cpu/eigen/eigenvalues.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/eigen/band.hpp"
#include "base/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/eigen/band_reduction.hpp"
#include "cpu/eigen/tridiagonal.hpp"

namespace eigentropy {
namespace {

// The order from which the two-stage reduction is faster: benchmarks/cpp/bench_eigenvalues.cpp
// measures it.
constexpr index_t two_stage_from = 128;

// Width of the band between the two stages: a wide one makes the products of the first stage
// efficient, a narrow one the second stage short, O(n^2 width).
template <class T>
index_t band_width(index_t n) {
  return n < (sizeof(T) == sizeof(double) ? 1200 : 1700) ? 16 : 32;
}

// Symmetric tridiagonal matrix: n diagonal and n - 1 off-diagonal entries.
template <class T>
struct Tridiagonal {
  T* diagonal;
  T* off_diagonal;
};

// x - x is 0 for a finite x and NaN otherwise. Many independent sums make the loop as fast as
// memory.
template <class T>
bool all_finite(const T* values, index_t count) {
  constexpr index_t lanes = 16;
  T sums[lanes] = {};
  index_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (index_t k = 0; k < lanes; ++k) sums[k] += values[i + k] - values[i + k];
  }
  for (; i < count; ++i) sums[0] += values[i] - values[i];
  return std::all_of(sums, sums + lanes, [](T sum) { return sum == 0; });
}

template <class T>
void require_finite(SymmetricView<T> A) {
  for (index_t i = 0; i < A.n; ++i) {
    if (all_finite(A.row(i) + i, A.n - i)) continue;
    index_t j = i;
    while (std::isfinite(A.row(i)[j])) ++j;
    throw std::invalid_argument("no eigenvalues: entry (" + std::to_string(i) + ", " +
                                std::to_string(j) + ") of the " + std::to_string(A.n) + " x " +
                                std::to_string(A.n) + " matrix is " + std::to_string(A.row(i)[j]));
  }
}

// The memory of a one-stage reduction.
template <class T>
struct OneStage {
  explicit OneStage(index_t max_n)
      : reflectors(std::max<index_t>(1, max_n)), work(work_size(blas::to_blas(max_n))) {}

  void reduce(SymmetricView<T> A, Tridiagonal<T> out) {
    check_info("sytrd", blas::sytrd('L', blas::to_blas(A.n), A.data, blas::to_blas(A.stride),
                                    out.diagonal, out.off_diagonal, reflectors.data(), work.data(),
                                    blas::to_blas(work.size())));
  }

  static index_t work_size(int n) {
    T size = 0;
    check_info("sytrd", blas::sytrd('L', n, static_cast<T*>(nullptr), std::max(1, n), nullptr,
                                    nullptr, nullptr, &size, -1));
    return blas::work_size(size);
  }

  Buffer<T> reflectors;
  Buffer<T> work;
};

// The memory of a two-stage reduction.
template <class T>
struct TwoStage {
  TwoStage(index_t max_n, int thread_count)
      : width(band_width<T>(max_n)),
        threads(thread_count),
        entries(band_size(max_n, width, band_stride(width))),
        reducer(max_n, width, threads) {}

  void reduce(SymmetricView<T> A, Tridiagonal<T> out, Control& control, double from, double to) {
    const BandView<T> band{entries.data(), A.n, width, band_stride(width)};
    const double between = from + 0.8 * (to - from);
    reducer.reduce(A, band, control, from, between);
    tridiagonalize(band, out.diagonal, out.off_diagonal, threads, control);
    control.set_progress(to);
  }

  index_t width;
  int threads;
  Buffer<T> entries;
  BandReducer<T> reducer;
};

Reduction choose(Reduction reduction, index_t n) {
  if (reduction != Reduction::automatic) return reduction;
  return n >= two_stage_from ? Reduction::two_stage : Reduction::one_stage;
}

}  // namespace

template <class T>
void eigenvalues(SymmetricView<T> A, T* w, Reduction reduction, int threads, Control& control,
                 double from, double to) {
  control.check();
  if (A.n < worth_threads) threads = 1;
  const CommonTeam team(threads);
  require_finite(A);
  Buffer<T> off_diagonal(std::max<index_t>(1, A.n));
  const Tridiagonal<T> tridiagonal{w, off_diagonal.data()};
  reduction = choose(reduction, A.n);
  if (reduction == Reduction::two_stage) {
    TwoStage<T>(A.n, threads).reduce(A, tridiagonal, control, from, from + 0.98 * (to - from));
  } else {
    const Control::Detachable owns_its_memory(control);
    // The threads of sytrd wait for each other once per column. On a busy machine that takes far
    // longer than one thread alone.
    const SingleThreadedBlas one_thread;
    OneStage<T>(A.n).reduce(A, tridiagonal);
  }
  if (reduction == Reduction::lapack) {
    eigenvalues_by_sterf(w, off_diagonal.data(), A.n);
  } else {
    tridiagonal_eigenvalues(w, off_diagonal.data(), A.n, threads, control);
  }
  control.set_progress(to);
  control.check();
}

template <class T>
struct SmallEigensolver<T>::Work {
  explicit Work(index_t max_n)
      : off_diagonal(std::max<index_t>(1, max_n)), one_stage(std::min(max_n, two_stage_from)) {
    if (max_n >= two_stage_from) two_stage.emplace(max_n, 1);
  }
  Buffer<T> off_diagonal;
  OneStage<T> one_stage;
  std::optional<TwoStage<T>> two_stage;
};

template <class T>
SmallEigensolver<T>::SmallEigensolver(index_t max_n) : work_(std::make_unique<Work>(max_n)) {}

template <class T>
SmallEigensolver<T>::~SmallEigensolver() = default;

template <class T>
SmallEigensolver<T>::SmallEigensolver(SmallEigensolver&&) noexcept = default;

template <class T>
void SmallEigensolver<T>::eigenvalues(SymmetricView<T> A, T* w) {
  require_finite(A);
  const Tridiagonal<T> tridiagonal{w, work_->off_diagonal.data()};
  Control unused;  // the call ends before anyone could ask it to stop
  if (choose(Reduction::automatic, A.n) == Reduction::two_stage) {
    work_->two_stage->reduce(A, tridiagonal, unused, 0.0, 1.0);
  } else {
    work_->one_stage.reduce(A, tridiagonal);
  }
  tridiagonal_eigenvalues(w, work_->off_diagonal.data(), A.n, 1, unused);
}

template <class T>
void top_eigenpairs(SymmetricView<T> A, index_t k, T* w, MatrixView<T> vectors, Control& control) {
  require_finite(A);
  const Control::Detachable owns_its_memory(control);
  const ThreadedBlas all_threads;
  const int n = blas::to_blas(A.n), lda = blas::to_blas(A.stride);
  const int wanted = blas::to_blas(k), first = n - wanted + 1;
  Buffer<T> values(n);
  Buffer<T> columns(A.n * k);
  Buffer<int> support(2 * k);
  int found = 0, integer_size = 0;
  T size = 0;
  check_info("syevr",
             blas::syevr_top(n, A.data, lda, first, n, &found, values.data(), columns.data(), n,
                             support.data(), &size, -1, &integer_size, -1));
  Buffer<T> work(blas::work_size(size));
  Buffer<int> integer_work(integer_size);
  check_info("syevr",
             blas::syevr_top(n, A.data, lda, first, n, &found, values.data(), columns.data(), n,
                             support.data(), work.data(), blas::to_blas(work.size()),
                             integer_work.data(), integer_size));
  if (found != wanted) throw SolverError("syevr found fewer eigenvectors than were asked for");
  control.check();  // do not write the caller's `vectors` once the caller has stopped waiting
  for (index_t j = 0; j < k; ++j) {
    w[j] = values[k - 1 - j];
    const T* column = columns.data() + (k - 1 - j) * A.n;
    for (index_t i = 0; i < A.n; ++i) vectors.row(i)[j] = column[i];
  }
}

template <class T>
void small_eigenpairs(SymmetricView<T> A, T* w) {
  require_finite(A);
  const SingleThreadedBlas one_thread;
  const int n = blas::to_blas(A.n), lda = blas::to_blas(A.stride);
  T size = 0;
  int integer_size = 0;
  check_info("syevd", blas::syevd(n, A.data, lda, w, &size, -1, &integer_size, -1));
  Buffer<T> work(blas::work_size(size));
  Buffer<int> integer_work(integer_size);
  check_info("syevd", blas::syevd(n, A.data, lda, w, work.data(), blas::to_blas(work.size()),
                                  integer_work.data(), integer_size));
}

#define EIGENTROPY_INSTANTIATE(T)                                                            \
  template void eigenvalues(SymmetricView<T>, T*, Reduction, int, Control&, double, double); \
  template class SmallEigensolver<T>;                                                        \
  template void top_eigenpairs(SymmetricView<T>, index_t, T*, MatrixView<T>, Control&);      \
  template void small_eigenpairs(SymmetricView<T>, T*);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
