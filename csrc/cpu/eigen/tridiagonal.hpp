// Eigenvalues of symmetric tridiagonal matrices, by the faster of two methods.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// d (n): diagonal, e (n - 1): off-diagonal of a symmetric tridiagonal matrix T. d <- its
// eigenvalues, ascending, each within a small multiple of eps |T| of the exact one and the same to
// the bit for every number of threads. e is destroyed. All eigenvalues are NaN if an entry is not
// finite.
template <class T>
void tridiagonal_eigenvalues(T* d, T* e, index_t n, int threads, Control& control);

// The same for n >= 1 and finite entries, by LAPACK's sterf in double.
void eigenvalues_by_sterf(double* d, double* e, index_t n);
void eigenvalues_by_sterf(float* d, float* e, index_t n);

}  // namespace eigentropy
