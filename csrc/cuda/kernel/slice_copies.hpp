// Copies of slices from global to shared memory that pass no register where the GPU can do that.
#pragma once

#include <cstring>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Begins to copy 4, 8 or 16 bytes (PTX's cp.async; an ordinary copy below compute capability 8.0).
// The thread has them after wait_for_slices, other threads after a barrier behind that.
template <int bytes>
__device__ void copy_slice(void* to_shared, const void* from_global) {
#ifndef __CUDACC__
  std::memcpy(to_shared, from_global, bytes);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], %2;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to_shared))),
               "l"(from_global), "n"(bytes)
               : "memory");
#else
  struct alignas(bytes) Part {
    unsigned char values[bytes];
  };
  *static_cast<Part*>(to_shared) = *static_cast<const Part*>(from_global);
#endif
}

template <class Index = int>
__device__ void wait_for_slices() {
#if defined(__CUDACC__) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800)
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// threadIdx.x, read anew at each call. From threadIdx.x itself the compiler would keep all that it
// derives, addresses of a dozen places, through the whole sweep, and spill registers for that.
template <class Index = int>
__device__ Index own_thread() {
#ifndef __CUDACC__
  return static_cast<Index>(threadIdx.x);
#else
  Index thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
#endif
}

}  // namespace eigentropy::cuda
