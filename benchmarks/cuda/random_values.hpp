// Random numbers, made where they are used: a host takes longer for them than a GPU for what is
// measured with them.
#pragma once

#include "cuda/runtime.hpp"

namespace eigentropy::cuda::bench {

// Standard Gaussian entries in device memory, the same for the same seed.
template <class T>
DeviceBuffer<T> gaussian_values(const Queue& queue, index_t size, unsigned seed);

}  // namespace eigentropy::cuda::bench
