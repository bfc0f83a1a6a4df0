// Eigenvalues of symmetric matrices in the caller's device memory.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The n eigenvalues of each of `count` matrices (device, count x n x n, one after the other; only
// the upper triangles are read), descending: count x n. A is destroyed. Throws invalid_argument,
// before anything is solved, if an entry is not finite, and SolverError if all drivers fail. If
// the device has no room for a copy of a matrix, there is one driver.
template <class T>
Buffer<T> symmetric_spectra(const Queue& queue, T* A, index_t count, index_t n, Control& control);

}  // namespace eigentropy::cuda
