// An entropy as a function of the eigenvalues of A, and its slopes.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"

namespace eigentropy {

// S(t) of the diffusion operator, or the Renyi entropy of order t of the density matrix, which is
// the von Neumann entropy at order 1.
struct SpectralMeasure {
  bool normalized;  // whether it is S(t) of the diffusion operator
  double exponent;  // t, or the order
};

// S in nats of the n eigenvalues w of a matrix with this trace. slopes_i <- dS/dw_i, if it is
// given; those of the Renyi entropy leave out a constant, which has no effect where the trace is
// constant.
//   x = w / max w,  S(t) = log T - (t / T) M,  T = sum x^t,  M = sum x^t log x
//   p = w / trace,  S_a = log(sum p^a) / (1 - a)
// Eigenvalues up to 10 eps of the largest one are the solver's noise: they do not count in S, and
// enter the slopes as that level.
template <class T>
double entropy_of_eigenvalues(const T* w, index_t n, double trace, SpectralMeasure measure,
                              double* slopes);

}  // namespace eigentropy
