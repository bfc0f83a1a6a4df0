// Sums and minima over the threads of a warp or a block, always in the same order.
#pragma once

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

constexpr int warp_size = 32;

// In all lanes. All lanes of the warp must take part.
template <class T>
__device__ T warp_sum(T value) {
  for (int mask = warp_size / 2; mask > 0; mask /= 2) {
    value += __shfl_xor_sync(0xffffffffU, value, mask);
  }
  return value;
}

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Smaller {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

// In all threads of a block of `threads`, a power of two; `shared` has one element for each.
template <int threads, class Combine, class T>
__device__ T block_reduce(T value, T* shared, Combine combine) {
  const auto thread = static_cast<int>(threadIdx.x);
  __syncthreads();  // of an earlier use of `shared`
  shared[thread] = value;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) shared[thread] = combine(shared[thread], shared[thread + half]);
  }
  __syncthreads();
  return shared[0];
}

}  // namespace eigentropy::cuda
