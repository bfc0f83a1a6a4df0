// Rational functions of a symmetric matrix with poles left of its spectrum.
#pragma once

#include <algorithm>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// c0 + c1 x + sum_k w_k / (x + s_k), with at least one pole
struct RationalFunction {
  double constant, linear;
  const double* shifts;
  const double* weights;
  index_t poles;
};

// How many inverses are computed at the same time: one on each thread. One that is left over, or
// the only one, is computed by all threads.
inline index_t poles_together(index_t poles, int threads) {
  return std::min<index_t>(poles, threads);
}

// out <- r(A), n x n, for a symmetric A with both triangles stored. Throws SolverError unless A +
// s_k is positive definite for every k. n^3 operations for each pole. `room` holds 2 n^2
// poles_together() elements. Returns the inverse of the last pole, which lies in `room`.
template <class T>
MatrixView<T> function_of_matrix(MatrixView<const T> A, const RationalFunction& r,
                                 MatrixView<T> out, T* room, int threads, Control& control);

}  // namespace eigentropy
