// Rational functions of a symmetric matrix with poles left of its spectrum.
#pragma once

#include <algorithm>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// c0 + c1 x + sum_k w_k / (x + s_k), with a pole at least
struct RationalFunction {
  double constant, linear;
  const double* shifts;
  const double* weights;
  index_t poles;
};

// How many poles have an inverse at the same time: one on each thread.
inline index_t poles_together(index_t poles, int threads) {
  return std::min<index_t>(poles, threads);
}

// out <- r(A), n x n, for a symmetric A of which all entries are there. A + s_k must be positive
// definite for every k, or SolverError. n^3 operations a pole. `room` has 2 n^2 poles_together(),
// and afterwards what is returned: the inverse of the last pole.
template <class T>
MatrixView<T> function_of_matrix(MatrixView<const T> A, const RationalFunction& r,
                                 MatrixView<T> out, T* room, int threads, Control& control);

}  // namespace eigentropy
