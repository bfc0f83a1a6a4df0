// Eigenvalues of symmetric tridiagonal matrices by bisection and root finding.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// d (n): diagonal, e (n - 1): off-diagonal of a symmetric tridiagonal matrix T. d <- its
// eigenvalues, ascending, each within a small multiple of eps |T| of the exact one and the same to
// the bit for every number of threads. All eigenvalues are NaN if an entry is not finite.
template <class T>
void bisect(T* d, const T* e, index_t n, int threads, Control& control);

}  // namespace eigentropy
