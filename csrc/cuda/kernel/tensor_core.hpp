// Products of small matrices of float32 by the tensor cores, with about the error of float32.
//
// Tensor cores multiply TF32, which has 11 significant bits. 3xTF32: each factor is split into a
// big and a small part of TF32, together 22 bits and more, and of the four products three are
// added, the small ones first. Plain TF32 would be off by 2^-11.
#pragma once

#include "cuda/kernel/product_tile.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// x = big + small + rest, |rest| <= 2^-23 |x|: after big has taken 11 of a float's bits, 12 are
// left, of which TF32 keeps 11. If x is so large that big is infinite, the result is NaN.
struct SplitFloat {
  explicit __device__ SplitFloat(float x) : big(round_to_tf32(x)), small(round_to_tf32(x - big)) {}
  // Rounds to nearest, ties away from zero, as PTX's cvt.rna.tf32.f32, by two integer operations.
  static __device__ float round_to_tf32(float x) {
    return __uint_as_float((__float_as_uint(x) + 0x1000U) & ~0x1fffU);
  }
  float big, small;
};

// What a lane holds of A (16 x 8), B (8 x 8) and their product (16 x 8), as PTX lays them out for
// mma.m16n8k8 with .tf32 (PTX ISA, "Matrix Fragments for mma.m16n8k8"). With group = lane / 4 and
// member = lane % 4, its registers are
//   a[r] = A(group + 8 (r % 2), member + 4 (r / 2))
//   b[r] = B(member + 4 r, group)
//   d[r] = D(group + 8 (r / 2), 2 member + r % 2)
struct TensorCore {
  static constexpr int rows = 16, cols = 8, depth = 8;

  // Indices of a lane: those above, and the rows and columns of its products.
  struct Lane {
    int group, member;
    __device__ Lane()
        : group(static_cast<int>(threadIdx.x) % 32 / 4),
          member(static_cast<int>(threadIdx.x) % 4) {}
    __device__ int row_of(int r) const { return group + r / 2 * 8; }
    __device__ int col_of(int r) const { return 2 * member + r % 2; }
  };

  struct A {
    float big[4], small[4];
  };
  struct B {
    float big[2], small[2];
  };
  template <class Fragment>
  static __device__ void set(Fragment& fragment, int r, float value) {
    const SplitFloat split(value);
    fragment.big[r] = split.big;
    fragment.small[r] = split.small;
  }

  // d += A B without the product of the small parts, which is at most 2^-22 |A| |B|. All lanes of a
  // warp call it together. The cores truncate sums instead of rounding them, so that the errors of
  // many sums have one sign: keep sums in d short and add them up elsewhere.
  static __device__ void add_product(const A& a, const B& b, float (&d)[4]) {
    add_tf32_product(a.small, b.big, d);
    add_tf32_product(a.big, b.small, d);
    add_tf32_product(a.big, b.big, d);
  }

  static __device__ void add_tf32_product(const float (&a)[4], const float (&b)[2], float (&d)[4]) {
#ifndef __CUDACC__
    emulated::add_tf32_product(a, b, d);
#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(__float_as_uint(a[0])), "r"(__float_as_uint(a[1])), "r"(__float_as_uint(a[2])),
          "r"(__float_as_uint(a[3])), "r"(__float_as_uint(b[0])), "r"(__float_as_uint(b[1])));
#else
    __trap();  // never called on a device without tensor cores
#endif
  }
};

}  // namespace eigentropy::cuda
