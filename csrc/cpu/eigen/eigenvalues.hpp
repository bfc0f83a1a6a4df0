// Eigenvalues of symmetric matrices.
#pragma once

#include <memory>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// one_stage: dense -> tridiagonal directly (LAPACK's sytrd). Half of its flops are memory-bound.
// two_stage: dense -> band -> tridiagonal (BandReducer, tridiagonalize), nearly all in products.
// automatic: the faster of the two at this n, by a measured crossover. lapack: LAPACK's sytrd and
// sterf (eigenvalues_by_sterf), the driver to fall back on.
enum class Reduction { automatic, one_stage, two_stage, lapack };

// The order from which a second thread makes the eigenvalues of one matrix faster. Below it,
// waiting for the other core takes longer than the work that the core takes over.
constexpr index_t worth_threads = 400;

// w <- the n eigenvalues of A, ascending. A is destroyed; extra memory is some 300 n. The two-stage
// reduction stops soon after a request to stop; sytrd cannot be stopped. `from` .. `to` is the
// stretch of the progress bar that the call fills. Throws invalid_argument, before anything else,
// if an entry is not finite.
template <class T>
void eigenvalues(SymmetricView<T> A, T* w, Reduction reduction, int threads, Control& control,
                 double from, double to);

// Computes the eigenvalues of many small matrices, of order max_n or less, one after the other on
// one thread.
template <class T>
class SmallEigensolver {
 public:
  explicit SmallEigensolver(index_t max_n);
  ~SmallEigensolver();
  SmallEigensolver(SmallEigensolver&&) noexcept;

  void eigenvalues(SymmetricView<T> A, T* w);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

// One thread's memory for its small matrices.
template <class T>
struct SmallProblem {
  explicit SmallProblem(index_t max_n) : matrix(max_n * max_n), solver(max_n) {}
  Buffer<T> matrix;
  SmallEigensolver<T> solver;
  Scratch scratch;  // for all other buffers of the problem
};

// w <- the k largest eigenvalues of A, descending; vectors (n x k, row-major) <- their
// orthonormal eigenvectors. A is destroyed. Throws invalid_argument if an entry is not finite.
template <class T>
void top_eigenpairs(SymmetricView<T> A, index_t k, T* w, MatrixView<T> vectors, Control& control);

// w <- all eigenvalues of a matrix of up to some thousand rows, ascending; A <- their orthonormal
// eigenvectors, one a row. Runs on the caller's thread alone, since threads that wait for each
// other take long on a busy machine. Throws invalid_argument if an entry is not finite.
template <class T>
void small_eigenpairs(SymmetricView<T> A, T* w);

}  // namespace eigentropy
