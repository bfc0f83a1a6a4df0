// Instructions of tensor cores for halves, and those that bring their operands: PTX's mma.m16n8k16,
// ldmatrix and cp.async, of compute capability 8.0.
#pragma once

#include <cuda_fp16.h>

#include "cuda/kernel/product_tile.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Products of small matrices of halves by the tensor cores, with sums in float32.
//
// What a lane holds of A (16 x 16), B (16 x 8) and D (16 x 8), as PTX lays them out (PTX ISA,
// "Matrix Fragments for mma.m16n8k16 with floating point type"), two halves in a register, the one
// with the smaller index in the lower bits. With group = lane / 4 and member = lane % 4,
//   a[r] = A(group + 8 (r % 2), 2 member + 8 (r / 2) + {0, 1})
//   b[r] = B(2 member + 8 r + {0, 1}, group)
//   d[r] = D(group + 8 (r / 2), 2 member + r % 2)
// Two D side by side are thus an A, once their numbers are rounded to halves.
struct HalfCore {
  static constexpr int rows = 16, cols = 8, depth = 16;

  // d += A B. All lanes of a warp call it together. The cores truncate sums instead of rounding
  // them, so that the errors of many sums have one sign: keep sums in d short, and add what is
  // small first.
  static __device__ void add_product(const unsigned (&a)[4], unsigned b0, unsigned b1,
                                     float (&d)[4]) {
#ifndef __CUDACC__
    emulated::add_product_of_halves(a, {b0, b1}, d);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    __trap();  // never called on a device without these instructions
#endif
  }

  // The same with half of the depth, 8: a[0], a[1] and b[0] are there, mma.m16n8k8.
  static __device__ void add_shallow_product(unsigned a0, unsigned a1, unsigned b, float (&d)[4]) {
#ifndef __CUDACC__
    emulated::add_product_of_halves({a0, a1}, {b}, d);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a0), "r"(a1), "r"(b));
#else
    __trap();
#endif
  }

  // Four matrices of 8 x 8 halves from shared memory. Lane l says where row l % 8 of matrix l / 8
  // begins, 16 bytes each. In r[q] is what lane l has of matrix q: its row l / 4, columns 2 (l % 4)
  // and the next one; if transposed, its column l / 4, rows 2 (l % 4) and the next one.
  template <bool transposed = false>
  static __device__ void load(const __half* row, unsigned (&r)[4]) {
#ifndef __CUDACC__
    emulated::load_matrices(row, transposed, r);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
    if constexpr (transposed) {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                   : "r"(address)
                   : "memory");
    } else {
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                   : "r"(address)
                   : "memory");
    }
#else
    __trap();
#endif
  }
};

// Copies of 16 bytes from global to shared memory that go on while the thread does. The thread
// collects them in groups, and waits until all but its latest `pending` groups are there; others
// see them after a barrier behind that.
inline __device__ void start_copy(void* to_shared, const void* from_global) {
#ifndef __CUDACC__
  emulated::start_copy(to_shared, from_global);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                   static_cast<unsigned>(__cvta_generic_to_shared(to_shared))),
               "l"(from_global)
               : "memory");
#else
  __trap();
#endif
}
inline __device__ void end_group_of_copies() {
#ifndef __CUDACC__
  emulated::end_group_of_copies();
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
template <int pending>
__device__ void wait_for_copies() {
#ifndef __CUDACC__
  emulated::wait_for_copies(pending);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
#endif
}

// 2^x with a relative error of up to 2^-22; 0 below 2^-126.
inline __device__ float fast_power_of_two(float x) {
#ifndef __CUDACC__
  const float y = exp2f(x);
  return y < 0x1p-126F ? 0.0F : y;
#else
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#endif
}

}  // namespace eigentropy::cuda
