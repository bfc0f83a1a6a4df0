// The vectors of a stripe as tensor cores read them: each number as the sum of two halves.
#pragma once

#include <cuda_fp16.h>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

constexpr int vector_tile = 64;   // rows with scales of their own
constexpr int turned_tile = 128;  // the same of turned vectors
constexpr int vector_slice = 32;  // columns are filled up to a multiple of this

// What belongs to a column of G, which is a row of the vectors: its share of the exponent, and a
// factor of its entries, a power of two.
struct alignas(8) GaussianColumn {
  float exponent, factor;
};

// Row j: V_jc factor_j = scales_tc (high_jc + low_jc), for the tile t of the row.
//
// Columns of a tile have scales that take the largest number of each to [2^14, 2^15), and factors
// are 2^15, which takes entries of G to where halves have all their digits: what is below 2^-40 is
// lost. Rows of V may be smaller than others of their tile by more than that leaves digits for,
// since weights (q_i / q_min)^-alpha are. The factor of such a row and its numbers share what is
// missing.
struct SplitVectors {
  index_t width = 0;                     // columns, with padding
  DeviceBuffer<__half> high, low;        // rows x width; turned: width x rows
  DeviceBuffer<float> scales;            // tiles x width
  DeviceBuffer<GaussianColumn> columns;  // rows
};

// Of V (rows x m, rows a multiple of vector_tile) and rows with |x|^2 of `norms`; exponents are
// exponent_scale |x|^2.
SplitVectors split_vectors(const Queue& queue, const float* V, index_t rows, index_t m,
                           const float* norms, float exponent_scale);
// The same with one vector in a row, without padding, and rows a multiple of turned_tile.
SplitVectors split_turned_vectors(const Queue& queue, const float* V, index_t rows, index_t m,
                                  const float* norms, float exponent_scale);

}  // namespace eigentropy::cuda
