// A float as the sum of two halves.
#pragma once

#include <cuda_fp16.h>

#include <cstring>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// x = high + low + rest with |rest| <= 2^-22 |x| for 2^-2 <= |x| < 65504, and |rest| <= 2^-25 below
// that.
struct SplitHalf {
  explicit __device__ SplitHalf(float x)
      : high(__float2half_rn(x)), low(__float2half_rn(x - __half2float(high))) {}
  __half high, low;
};

// Two of them, each pair of halves in a register, x in the lower bits.
struct SplitPair {
  __device__ SplitPair(float x, float y) {
    const __half2 highs = __floats2half2_rn(x, y);
    const float2 back = __half22float2(highs);
    const __half2 lows = __floats2half2_rn(x - back.x, y - back.y);
    std::memcpy(&high, &highs, sizeof high);
    std::memcpy(&low, &lows, sizeof low);
  }
  unsigned high, low;
};

// The power of two, from 2^-most to 2^most, that takes `largest` to [2^14, 2^15); 1 for 0.
inline __device__ float scale_to_halves(float largest, int most) {
  if (!(largest > 0.0F) || !isfinite(largest)) return 1.0F;
  int exponent;
  frexpf(largest, &exponent);  // largest < 2^exponent
  return ldexpf(1.0F, min(max(15 - exponent, -most), most));
}

}  // namespace eigentropy::cuda
