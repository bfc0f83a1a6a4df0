// G in half precision, for products in single precision.
#pragma once

#include <cuda_fp16.h>

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"

namespace eigentropy::cuda {

// G_ij in [0, 1], rounded to the nearest float16: by at most 2^-11 of itself, and by at most 2^-25
// below 2^-14 = 6.1e-5, where float16 has fewer digits. 1 is exact, and entries below 2^-25 = 3e-8
// become 0. G is n x n, both triangles, 2 n stride bytes. Products are cuBLAS's on tensor cores,
// which multiply halves and add in single precision.
//
// A vector W is multiplied as two halves, W = (H + L) / c with c a power of two that takes the
// largest |W_ij| to [2^14, 2^15): H = half(c W), L = half(c W - H). The error is 2^-22 of an entry,
// or 2^-39 of the largest entry if that is more. A product with m vectors is thus a product with 2
// m vectors of halves, 4 n^2 m flops.
class HalfMatrix {
 public:
  HalfMatrix() = default;
  // `stage` has sweep_launches(queue, X, 0) tasks.
  HalfMatrix(const Queue& queue, const PackedRows<float>& X, Stage& stage);

  bool is_there() const { return G_.size() > 0; }
  // out_i <- factors_i sum_j G_ij factors_j V_j for V (n x m, row-major), all in device memory.
  // `order` is that of the packed rows.
  void multiply(const Queue& queue, const double* factors, RowOrder order, const float* V,
                index_t m, float* out) const;

 private:
  index_t n_ = 0, stride_ = 0;
  DeviceBuffer<__half> G_;
};

}  // namespace eigentropy::cuda
