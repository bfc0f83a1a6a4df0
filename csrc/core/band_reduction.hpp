// Dense to band: the first stage of the two-stage reduction of a symmetric matrix.
#pragma once

#include "core/band.hpp"
#include "core/control.hpp"
#include "core/views.hpp"

namespace eigentropy {

// band <- a matrix of bandwidth band.width, a multiple of 16, with the eigenvalues of A. A, of
// which the upper triangle (row-major) is read, is destroyed. (4/3) n^3 flops, nearly all in matrix
// products; the result does not depend on the number of threads. `from` .. `to` is its stretch of
// the progress.
template <class T>
void reduce_to_band(SymmetricView<T> A, BandView<T> band, int threads, Control& control,
                    double from, double to);

}  // namespace eigentropy
