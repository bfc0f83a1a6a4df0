#include "cuda/kernel/packed_halves.hpp"

#include "cuda/kernel/split_half.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

constexpr index_t round_up(index_t value, index_t unit) { return (value + unit - 1) / unit * unit; }

struct Larger {
  __device__ float operator()(float a, float b) const { return a > b ? a : b; }
};

// What one instruction writes.
constexpr int halves_of_pack = 8;
struct alignas(16) PackOfHalves {
  __half values[halves_of_pack];
};

// Each block has a tile of rows, each thread a row of it: neighbours read neighbouring numbers.
__global__ void pack(const float* x, index_t n, index_t d, index_t stride, index_t depth,
                     __half* high, __half* low, float* tile_scales) {
  __shared__ float shared[halves_side];
  const index_t i = static_cast<index_t>(blockIdx.x) * halves_side + threadIdx.x;
  const auto entry = [&](index_t k) { return i < n && k < d ? x[k * stride + i] : 0.0F; };
  float largest = 0.0F;
  for (index_t k = 0; k < d; ++k) largest = Larger{}(largest, fabsf(entry(k)));
  const float scale = scale_to_halves(block_reduce<halves_side>(largest, shared, Larger{}), 100);
  if (threadIdx.x == 0) tile_scales[blockIdx.x] = 1.0F / scale;
  for (index_t k = 0; k < depth; k += halves_of_pack) {
    PackOfHalves highs, lows;
    for (int p = 0; p < halves_of_pack; ++p) {
      const SplitHalf split(scale * entry(k + p));
      highs.values[p] = split.high;
      lows.values[p] = split.low;
    }
    *reinterpret_cast<PackOfHalves*>(high + i * depth + k) = highs;
    *reinterpret_cast<PackOfHalves*>(low + i * depth + k) = lows;
  }
}

}  // namespace

PackedHalves pack_halves(const Queue& queue, const float* x, index_t n, index_t d, index_t stride) {
  const Range range("pack_halves");
  PackedHalves packed;
  packed.rows = round_up(n, halves_side);
  packed.d = d;
  packed.depth = round_up(d, halves_depth);
  packed.high = DeviceBuffer<__half>(queue, packed.rows * packed.depth);
  packed.low = DeviceBuffer<__half>(queue, packed.rows * packed.depth);
  packed.tile_scales = DeviceBuffer<float>(queue, packed.rows / halves_side);
  launch(queue, pack, static_cast<unsigned>(packed.rows / halves_side), halves_side, 0, x, n, d,
         stride, packed.depth, packed.high.data(), packed.low.data(), packed.tile_scales.data());
  return packed;
}

}  // namespace eigentropy::cuda
