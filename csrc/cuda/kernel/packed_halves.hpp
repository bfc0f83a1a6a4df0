// The rows as tensor cores read them: each number as the sum of two halves.
#pragma once

#include <cuda_fp16.h>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// x_i = tile_scales[i / halves_side] (high_i + low_i), up to 2^-22 of each number. The scale is a
// power of two that takes the largest number of these rows to [2^14, 2^15). Then what low cannot
// hold is below 2^-39 of that largest number, and the products high.high, high.low and low.high
// have one unit, so that tensor cores add them in one accumulator.
struct PackedHalves {
  index_t rows = 0;                // n rounded up; the padding is zeros
  index_t d = 0, depth = 0;        // depth: d rounded up; the padding is zeros
  DeviceBuffer<__half> high, low;  // rows x depth
  DeviceBuffer<float> tile_scales;
};
constexpr int halves_side = 128, halves_depth = 64;  // units of rows and depth

// Of n rows of d entries, where entry k of row i is x[k * stride + i], in device memory, and
// stride is at least n rounded up.
PackedHalves pack_halves(const Queue& queue, const float* x, index_t n, index_t d, index_t stride);

}  // namespace eigentropy::cuda
