// The steps of chasing a bulge down a band.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// Widths must be multiples of this.
constexpr index_t band_vector = 16;

// A reflector H = I - tau v v^T, v_0 = 1, is stored as v (width entries) followed by tau. It and
// `work` are aligned to 64 bytes.
constexpr index_t reflector_size(index_t width) { return width + band_vector; }
constexpr index_t chase_work_size(index_t width) { return 4 * (width + 2 * band_vector); }

template <class T>
struct BandKernels {
  // H x = beta e_0 for x of `width` entries; returns beta.
  T (*reflect)(const T* x, index_t width, T* reflector);

  // One step. `block` is column-major: its first `width` rows hold a symmetric D (lower triangle,
  // `columns` <= width of it are there, the others are 0), the next `width` rows B.
  //   D <- H D H,  B <- H' B H,  H <- H'  with H' such that the first column becomes beta e_0
  // B is skipped where it is not there, columns < width. `row`, the number of the block's first
  // row, tells where vectors are aligned, if they are in the whole matrix. The 15 entries above
  // each column's diagonal are overwritten; the 15 below B are read and written unchanged.
  void (*chase)(T* block, index_t stride, index_t row, index_t width, index_t columns, T* reflector,
                T* work);

  static const BandKernels &baseline(), &avx2(), &avx512();
};

template <class T>
const BandKernels<T>& band_kernels() {
  return active_kernels<BandKernels<T>>();
}

}  // namespace eigentropy::simd
