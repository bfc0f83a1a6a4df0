// A symmetric matrix times vectors.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// out (n x m) <- A V for V (n x m), both row-major. A is read once. Sums within a tile are in A's
// precision, sums over tiles in float64.
template <class T, class S>
void symmetric_product(SymmetricView<T> A, MatrixView<const S> V, MatrixView<S> out, int threads,
                       Control& control);

}  // namespace eigentropy
