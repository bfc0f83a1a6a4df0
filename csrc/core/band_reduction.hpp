// Dense to band: the first stage of the two-stage reduction of a symmetric matrix.
#pragma once

#include "core/band.hpp"
#include "core/buffer.hpp"
#include "core/control.hpp"
#include "core/views.hpp"

namespace eigentropy {

// The memory of a reduction, about 6 n width: for matrices of order n or less, one after the other.
template <class T>
struct BandReductionWork {
  BandReductionWork(index_t n, index_t width, int threads);

  Buffer<T> V, Y;         // reflectors and their product with A; a row for each row of A
  Buffer<T> left, right;  // [V W] and [W V], packed
  Buffer<T> top;          // the same for the rows of the next panel
  Buffer<T> W;            // a block of rows for each thread
  Buffer<T> square;       // a diagonal block for each thread
  Buffer<T> T_, S, inner;
};

// band <- a matrix of bandwidth band.width, a multiple of 16, with the eigenvalues of A. A, of
// which the upper triangle (row-major) is read, is destroyed. (4/3) n^3 flops, nearly all in matrix
// products; the result does not depend on the number of threads. `from` .. `to` is its stretch of
// the progress.
template <class T>
void reduce_to_band(SymmetricView<T> A, BandView<T> band, BandReductionWork<T>& work, int threads,
                    Control& control, double from, double to);

template <class T>
void reduce_to_band(SymmetricView<T> A, BandView<T> band, int threads, Control& control,
                    double from, double to);

}  // namespace eigentropy
