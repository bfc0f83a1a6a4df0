// Kernels with one warp for each row, and sums over a warp or a block, always in the same order.
#pragma once

#include "cuda/runtime.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {

constexpr int warp_size = 32;

// For kernels that give each row of a matrix a warp, whose lanes read neighbouring columns. With
// eight warps a block has 256 threads, and such blocks fill a multiprocessor on every GPU.
constexpr auto warps_per_block = static_cast<int>(tuned("warps_per_block"));
constexpr unsigned threads_of_warps = warps_per_block * warp_size;

inline dim3 blocks_of_warps(index_t rows) { return dim3(blocks_for(rows, warps_per_block)); }

// Templates, because __device__ functions in a header must be templates or inline, and the emulated
// device already defines __device__ as inline.
template <class Index = index_t>
__device__ Index row_of_warp() {
  return static_cast<Index>(blockIdx.x) * warps_per_block +
         static_cast<Index>(threadIdx.x) / warp_size;
}
template <class Index = index_t>
__device__ Index lane() {
  return static_cast<Index>(threadIdx.x) % warp_size;
}

// Returns the sum to all lanes. All lanes of the warp must call it.
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
// Returns the result to all threads of a block. The block has `threads` threads, a power of two;
// `shared` has one element for each.
template <int threads, class Combine, class T>
__device__ T block_reduce(T value, T* shared, Combine combine) {
  const auto thread = static_cast<int>(threadIdx.x);
  __syncthreads();  // after an earlier use of `shared`
  shared[thread] = value;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half) shared[thread] = combine(shared[thread], shared[thread + half]);
  }
  __syncthreads();
  return shared[0];
}

}  // namespace eigentropy::cuda
