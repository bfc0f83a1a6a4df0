// Rational functions of a symmetric matrix with poles left of its spectrum.
#pragma once

#include "core/buffer.hpp"
#include "core/control.hpp"
#include "core/views.hpp"

namespace eigentropy {

// c0 + c1 x + sum_k w_k / (x + s_k)
struct RationalFunction {
  double constant, linear;
  const double* shifts;
  const double* weights;
  index_t poles;
};

// r(A), n x n, for a symmetric A of which all entries are there. A + s_k must be positive definite
// for every k, or SolverError. n^3 operations a pole; each thread has one pole at a time, with two
// matrices of its own.
template <class T>
Buffer<T> function_of_matrix(MatrixView<const T> A, const RationalFunction& r, int threads,
                             Control& control);

}  // namespace eigentropy
