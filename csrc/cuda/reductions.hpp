// One warp to a row, and sums over the threads of a warp or a block, always in the same order.
#pragma once

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

constexpr int warp_size = 32;

// Kernels that give each row of a matrix a warp, whose lanes read neighbouring columns.
// Eight: a block is 256 threads, which fill a multiprocessor on every GPU. Not measured yet.
constexpr int warps_per_block = 8;
constexpr unsigned threads_of_warps = warps_per_block * warp_size;

inline dim3 blocks_of_warps(index_t rows) { return dim3(blocks_for(rows, warps_per_block)); }

// Templates: a header's __device__ functions have to be that, or inline, which emulated/ makes of
// __device__ already.
template <class Index = index_t>
__device__ Index row_of_warp() {
  return static_cast<Index>(blockIdx.x) * warps_per_block +
         static_cast<Index>(threadIdx.x) / warp_size;
}
template <class Index = index_t>
__device__ Index lane() {
  return static_cast<Index>(threadIdx.x) % warp_size;
}

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
