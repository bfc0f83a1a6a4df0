#include "cuda/eigen/mirror.hpp"

#include <algorithm>

#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

constexpr int tile = 32;

// The lower triangle of each matrix <- the upper one.
template <class T>
__global__ void mirror(T* A, index_t n) {
  __shared__ T entries[tile][tile + 1];
  const auto above = static_cast<index_t>(blockIdx.y), right = static_cast<index_t>(blockIdx.x);
  if (above > right) return;
  T* const matrix = A + static_cast<index_t>(blockIdx.z) * n * n;
  const auto x = static_cast<int>(threadIdx.x) % tile, y = static_cast<int>(threadIdx.x) / tile;
  for (int row = y; row < tile; row += warps_per_block) {
    const index_t i = above * tile + row, j = right * tile + x;
    if (i < n && j < n) entries[row][x] = matrix[i * n + j];
  }
  __syncthreads();
  for (int row = y; row < tile; row += warps_per_block) {
    const index_t i = right * tile + row, j = above * tile + x;
    if (i < n && j < n && i > j) matrix[i * n + j] = entries[x][row];
  }
}

}  // namespace

template <class T>
void mirror_upper_triangles(const Queue& queue, T* A, index_t n, index_t count) {
  constexpr index_t most_layers = 65535;  // of a grid
  const unsigned tiles = blocks_for(n, tile);
  for (index_t first = 0; first < count; first += most_layers) {
    const auto layers = static_cast<unsigned>(std::min(most_layers, count - first));
    launch(queue, mirror<T>, dim3(tiles, tiles, layers), dim3(threads_of_warps), 0,
           A + first * n * n, n);
  }
}

template void mirror_upper_triangles(const Queue&, float*, index_t, index_t);
template void mirror_upper_triangles(const Queue&, double*, index_t, index_t);

}  // namespace eigentropy::cuda
