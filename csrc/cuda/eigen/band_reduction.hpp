// Dense to band on the device: the first stage of a reduction in two stages.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Matrices of bandwidth `width`, a multiple of 8 and at most 64, with the eigenvalues of `count`
// symmetric matrices of order n (device, one after the other, row-major; only the upper triangles
// are read, and the matrices are destroyed). Entry (j + i, j) is at element j * (width + 1) + i of
// its matrix, n * (width + 1) elements after the one before; elements without an entry are not set.
// Waits for the result. 2 n^3 flops, nearly all in products of matrices; memory 4 n width.
template <class T>
Buffer<T> band_of(const Queue& queue, T* A, index_t n, index_t count, index_t width,
                  Control& control);

}  // namespace eigentropy::cuda
