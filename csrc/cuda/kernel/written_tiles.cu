#include "cuda/kernel/written_tiles.hpp"

#include <cuda_fp16.h>

#include "cuda/kernel/gaussian_tile.hpp"
#include "cuda/kernel/sweep_plan.hpp"

namespace eigentropy::cuda {
namespace {

// to <- a pack of the tile's entries, unchanged or rounded to half.
template <class Shape, class T>
__device__ void write_pack(T* to, const T* tile) {
  store_pack<Shape>(to, load_pack<Shape>(tile));
}
template <class Shape>
__device__ void write_pack(__half* to, const float* tile) {
  for (int k = 0; k < Shape::pack; ++k) to[k] = __float2half_rn(tile[k]);
}

// G <- the tile, where its columns, which lie behind each other, are rows of G.
template <class Shape, class Entry>
__device__ void write_columns(const typename Shape::T* tile, int tile_i, int tile_j, index_t n,
                              index_t stride, Entry* G) {
  Entry* const corner = G + static_cast<index_t>(tile_j) * Shape::side * stride +
                        static_cast<index_t>(tile_i) * Shape::side;
  for (int element = own_thread() * Shape::pack; element < Shape::side * Shape::side;
       element += Shape::threads * Shape::pack) {
    const int i = element % Shape::side, j = element / Shape::side;
    if (static_cast<index_t>(tile_j) * Shape::side + j >= n) continue;
    write_pack<Shape>(corner + j * stride + i, tile + Shape::place(i, j));
  }
}

// The same of a tile of zeros.
template <class Shape, class Entry>
__device__ void write_zeros(int tile_i, int tile_j, index_t n, index_t stride, Entry* G) {
  Entry* const corner = G + static_cast<index_t>(tile_j) * Shape::side * stride +
                        static_cast<index_t>(tile_i) * Shape::side;
  for (int element = own_thread(); element < Shape::side * Shape::side; element += Shape::threads) {
    const int i = element % Shape::side, j = element / Shape::side;
    if (static_cast<index_t>(tile_j) * Shape::side + j < n) corner[j * stride + i] = Entry{};
  }
}

// Half of a multiprocessor's registers are too few for some of the shapes.
constexpr auto blocks_at_once = static_cast<int>(tuned("written_tile_blocks"));

// Each tile of the upper triangle is computed once and written twice.
template <class Shape, class Entry>
__global__ void __launch_bounds__(Shape::threads, blocks_at_once)
    write_tiles(TileRows<typename Shape::T> X, int first_row_of_tiles, int tiles_of_part, index_t n,
                Entry* G) {
  using T = typename Shape::T;
  T* const tile = shared_memory<T>();
  T* const slices = tile + Shape::side * Shape::side;
  const int tile_i = first_row_of_tiles + static_cast<int>(blockIdx.x);
  const int tiles = static_cast<int>(X.stride / Shape::side);
  const int begin = static_cast<int>(blockIdx.y) * tiles_of_part;
  // At least one barrier, that of the first slice, precedes the next write to the tile, so that all
  // threads have read this one.
  for (int tile_j = max(begin, tile_i); tile_j < min(tiles, begin + tiles_of_part); ++tile_j) {
    const TileWay way = X.way(tile_i, tile_j);
    if (way == TileWay::nothing) {
      write_zeros<Shape>(tile_i, tile_j, n, X.stride, G);
      write_zeros<Shape>(tile_j, tile_i, n, X.stride, G);
      continue;
    }
    gaussian_entries<Shape>(X, tile_i, tile_j, way, false, tile, slices);
    __syncthreads();
    write_columns<Shape>(tile, tile_i, tile_j, n, X.stride, G);
    if (tile_i == tile_j) continue;
    transpose<Shape>(tile);
    __syncthreads();
    write_columns<Shape>(tile, tile_j, tile_i, n, X.stride, G);
  }
}

template <class Shape, class T, class Entry>
void write_with(const Queue& queue, const PackedRows<T>& X, Entry* G, Stage& stage) {
  const SweepPlan plan = plan_of(queue, X, 0);
  const auto tiles_of_part = static_cast<int>(blocks_for(X.tiles(), plan.parts));
  for_each_launch(queue, X.tiles(), plan.rows_of_tiles, stage, [&](index_t first, index_t count) {
    const dim3 grid(static_cast<unsigned>(count), static_cast<unsigned>(plan.parts));
    launch(queue, write_tiles<Shape, Entry>, grid, Shape::threads, shared_bytes<Shape>(0),
           tile_rows(X), static_cast<int>(first), tiles_of_part, X.n, G);
  });
}

}  // namespace

template <class T, class Entry>
void write_gaussian(const Queue& queue, const PackedRows<T>& X, Entry* G, Stage& stage) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (X.tiling == Tiling::narrow) return write_with<NarrowTile>(queue, X, G, stage);
  }
  write_with<WideTile<T>>(queue, X, G, stage);
}

template void write_gaussian(const Queue&, const PackedRows<float>&, float*, Stage&);
template void write_gaussian(const Queue&, const PackedRows<float>&, __half*, Stage&);
template void write_gaussian(const Queue&, const PackedRows<double>&, double*, Stage&);

}  // namespace eigentropy::cuda
