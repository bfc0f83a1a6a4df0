#include "cuda/kernel/split_vectors.hpp"

#include "cuda/kernel/split_half.hpp"

namespace eigentropy::cuda {
namespace {

constexpr int threads = 128;
constexpr int widest = 128;  // columns of a stripe

// e with |x| < 2^e, close to the least; far below all others for 0.
__device__ int exponent_of(float x) {
  if (!(x > 0.0F) || !isfinite(x)) return -200;
  int exponent;
  frexpf(x, &exponent);
  return exponent;
}

// By how many powers of two the numbers of a row are raised whose largest is 2^-below times that of
// the tile: half of what is missing, if halves have too few digits for it.
__device__ int raised(int below) { return below <= 16 ? 0 : min(below / 2, 28); }

__device__ float largest_of_row(const float* row, int m) {
  float largest = 0.0F;
  for (int c = 0; c < m; ++c) largest = fmaxf(largest, fabsf(row[c]));
  return largest;
}

// Each block splits a tile of rows.
template <int tile, bool turned>
__global__ void split(const float* V, int m, int width, const float* norms, float exponent_scale,
                      __half* high, __half* low, float* scales, GaussianColumn* columns) {
  __shared__ int exponents[tile];
  __shared__ float raising[tile], scaling[widest];
  const auto thread = static_cast<int>(threadIdx.x);
  const index_t first = static_cast<index_t>(blockIdx.x) * tile;
  [[maybe_unused]] const index_t rows = static_cast<index_t>(gridDim.x) * tile;
  const float* const of_tile = V + first * m;
  if (thread < tile) {
    exponents[thread] = exponent_of(largest_of_row(of_tile + thread * m, m));
  }
  __syncthreads();
  if (thread < tile) {
    int highest = exponents[0];
    for (int j = 1; j < tile; ++j) highest = max(highest, exponents[j]);
    const int powers = raised(highest - exponents[thread]);
    raising[thread] = ldexpf(1.0F, powers);
    columns[first + thread] = {exponent_scale * norms[first + thread], ldexpf(1.0F, 15 - powers)};
  }
  __syncthreads();
  if (thread < width) {
    float largest = 0.0F;
    for (int j = 0; j < tile && thread < m; ++j) {
      largest = fmaxf(largest, fabsf(raising[j] * of_tile[j * m + thread]));
    }
    const float scale = scale_to_halves(largest, 110);
    scaling[thread] = scale;
    scales[static_cast<index_t>(blockIdx.x) * width + thread] = ldexpf(1.0F / scale, -15);
  }
  __syncthreads();
  for (int place = thread; place < tile * width; place += threads) {
    const int j = turned ? place % tile : place / width;
    const int c = turned ? place / tile : place % width;
    const SplitHalf parts(c < m ? scaling[c] * (raising[j] * of_tile[j * m + c]) : 0.0F);
    const index_t to = turned ? c * rows + first + j : first * width + place;
    high[to] = parts.high;
    low[to] = parts.low;
  }
}

template <int tile, bool turned>
SplitVectors split_in_tiles(const Queue& queue, const float* V, index_t rows, index_t m,
                            index_t width, const float* norms, float exponent_scale) {
  const index_t tiles = rows / tile;
  SplitVectors parts{
      width, DeviceBuffer<__half>(queue, rows * width), DeviceBuffer<__half>(queue, rows * width),
      DeviceBuffer<float>(queue, tiles * width), DeviceBuffer<GaussianColumn>(queue, rows)};
  launch(queue, split<tile, turned>, static_cast<unsigned>(tiles), threads, 0, V, m, width, norms,
         exponent_scale, parts.high.data(), parts.low.data(), parts.scales.data(),
         parts.columns.data());
  return parts;
}

}  // namespace

SplitVectors split_vectors(const Queue& queue, const float* V, index_t rows, index_t m,
                           const float* norms, float exponent_scale) {
  const index_t width = (m + vector_slice - 1) / vector_slice * vector_slice;
  return split_in_tiles<vector_tile, false>(queue, V, rows, m, width, norms, exponent_scale);
}

SplitVectors split_turned_vectors(const Queue& queue, const float* V, index_t rows, index_t m,
                                  const float* norms, float exponent_scale) {
  return split_in_tiles<turned_tile, true>(queue, V, rows, m, m, norms, exponent_scale);
}

}  // namespace eigentropy::cuda
