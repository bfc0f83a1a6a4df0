#include "cuda/operator/half_matrix.hpp"

#include <cmath>

#include "cuda/blas.hpp"
#include "cuda/kernel/scaled_vectors.hpp"
#include "cuda/kernel/written_tiles.hpp"
#include "cuda/operator/stripe_sums.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

constexpr int threads = 256;

struct Larger {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

// One of `threads` blocks each: the largest |W_i| of a part of them.
__global__ void find_largest(const float* W, index_t size, float* largest) {
  __shared__ float shared[threads];
  float found = 0.0F;
  for (index_t i = static_cast<index_t>(blockIdx.x) * threads + threadIdx.x; i < size;
       i += static_cast<index_t>(gridDim.x) * threads) {
    found = Larger{}(found, fabsf(W[i]));
  }
  found = block_reduce<threads>(found, shared, Larger{});
  if (threadIdx.x == 0) largest[blockIdx.x] = found;
}

// unit <- the power of two that takes the largest to [2^14, 2^15); 1 where there is none.
__global__ void choose_unit(const float* largest, float* unit) {
  __shared__ float shared[threads];
  const float all = block_reduce<threads>(largest[threadIdx.x], shared, Larger{});
  if (threadIdx.x != 0) return;
  int exponent = 15;  // all < 2^exponent
  if (all > 0.0F && isfinite(all)) frexpf(all, &exponent);
  constexpr int largest_exponent = 126;
  *unit = ldexpf(1.0F, min(15 - exponent, largest_exponent));
}

// H | L, side by side: n x 2 m
__global__ void split(const float* W, index_t n, index_t m, const float* unit, __half* parts) {
  const index_t place = static_cast<index_t>(blockIdx.x) * threads + threadIdx.x;
  if (place >= n * m) return;
  const float value = *unit * W[place];
  const __half high = __float2half_rn(value);
  __half* const row = parts + place / m * 2 * m;
  row[place % m] = high;
  row[m + place % m] = __float2half_rn(value - __half2float(high));
}

// out_ic <- factors_i (sums_ic + sums_i,m+c) / unit
__global__ void join(const double* sums, const double* factors, RowOrder order, index_t n,
                     index_t m, const float* unit, float* out) {
  const index_t place = static_cast<index_t>(blockIdx.x) * threads + threadIdx.x;
  if (place >= n * m) return;
  const double* const row = sums + place / m * 2 * m;
  const double sum = row[place % m] + row[m + place % m];
  const index_t to = order[place / m];
  out[to * m + place % m] = static_cast<float>(factors[to] * sum / static_cast<double>(*unit));
}

}  // namespace

HalfMatrix::HalfMatrix(const Queue& queue, const PackedRows<float>& X, Stage& stage)
    : n_(X.n), stride_(X.stride), G_(queue, X.n * X.stride) {
  write_gaussian(queue, X, G_.data(), stage);
}

// diag(f) / c sum over stripes J of G_.J (H + L)_J
void HalfMatrix::multiply(const Queue& queue, const double* factors, RowOrder order, const float* V,
                          index_t m, float* out) const {
  const index_t size = n_ * m;
  const DeviceBuffer<float> scaled(queue, size), largest(queue, threads), unit(queue, 1);
  scale_vectors<float>(queue, {V, n_, m, 0, m, factors, order}, scaled.data(), n_, m);
  launch(queue, find_largest, threads, threads, 0, scaled.data(), size, largest.data());
  launch(queue, choose_unit, 1, threads, 0, largest.data(), unit.data());
  const DeviceBuffer<__half> parts(queue, 2 * size);
  launch(queue, split, blocks_for(size, threads), threads, 0, scaled.data(), n_, m, unit.data(),
         parts.data());
  const BlasHandle blas(queue);
  const auto multiply_stripes = [&](index_t first, index_t count, index_t columns, float* to) {
    // Row-major and symmetric: (G W)^T = W^T G.
    const blas::Factor<__half> W{parts.data() + first * 2 * m, 2 * m, columns * 2 * m, CUBLAS_OP_N};
    const blas::Factor<__half> G{G_.data() + first, stride_, columns, CUBLAS_OP_N};
    blas::gemm(blas, 2 * m, n_, columns, 1.0F, W, G, 0.0F, blas::Result<float>{to, 2 * m, 2 * size},
               count);
  };
  const auto sums = sum_over_stripes<float>(queue, n_, 2 * size, multiply_stripes);
  launch(queue, join, blocks_for(size, threads), threads, 0, sums.data(), factors, order, n_, m,
         unit.data(), out);
}

}  // namespace eigentropy::cuda
