// Both triangles of symmetric matrices of which one is there.
#pragma once

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The lower triangle of each of `count` matrices of order n (device, row-major, one after the
// other) <- the upper one.
template <class T>
void mirror_upper_triangles(const Queue& queue, T* A, index_t n, index_t count);

}  // namespace eigentropy::cuda
