// A sweep whose tiles of G are in shared memory, for any Shape (gaussian_tile.hpp).
#pragma once

#include <stdexcept>
#include <type_traits>

#include "base/control.hpp"
#include "cuda/kernel/gaussian_tile.hpp"
#include "cuda/kernel/scaled_vectors.hpp"
#include "cuda/kernel/sweep_plan.hpp"

namespace eigentropy::cuda {

enum class TilesToSweep { all, of_differences };

// The sums of a block as its threads hold them, so that they are read and written side by side:
// element e of thread t is sums[number * size + e * threads + t].
template <class Shape, int m>
__device__ double* sums_of_thread(double* sums, index_t number) {
  return sums + number * Shape::side * m + own_thread();
}

// Sets a thread's sums to the products of a tile, or adds these.
template <class Shape, int m>
__device__ void add_to_sums(const typename Shape::T (&of_tile)[Shape::per_thread][m / 16], bool add,
                            double* sums) {
  EIGENTROPY_UNROLL
  for (int i = 0; i < Shape::per_thread; ++i) {
    EIGENTROPY_UNROLL
    for (int c = 0; c < m / 16; ++c) {
      double& sum = sums[(i * (m / 16) + c) * Shape::threads];
      const auto value = static_cast<double>(of_tile[i][c]);
      sum = add ? sum + value : value;
    }
  }
}

// How many blocks share the registers of a multiprocessor. Half of them are too few for wide tiles
// of float32. One block is no loss where such tiles make all of G (8.6, 8.9, 12.0), because shared
// memory has room for one there. On 8.0, 9.0 and 10.0, which have room for two, the tiles that need
// differences may take longer: only a GPU can tell.
template <class Shape>
constexpr int blocks_at_once = Shape::pack == 4 ? static_cast<int>(tuned("wide_tile_blocks")) : 2;

// Each block multiplies a row of tiles, or tiles_of_part of them, with m vectors. The products of a
// tile are added in float64 to global memory that only this block uses. The sums stay in the cache;
// in registers or shared memory, they would leave room for one block instead of two.
template <class Shape, int m, bool squared>
__global__ void __launch_bounds__(Shape::threads, blocks_at_once<Shape>)
    multiply_gaussian(TileRows<typename Shape::T> X, TilesToSweep which, const typename Shape::T* V,
                      int first_row_of_tiles, int tiles_of_part, double* all_sums) {
  using T = typename Shape::T;
  T* const tile = shared_memory<T>();
  T* const slices = tile + Shape::side * Shape::side;
  const auto own_sums = [&] {
    const auto block = static_cast<index_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    return sums_of_thread<Shape, m>(all_sums, block);
  };
  const int tile_i = first_row_of_tiles + static_cast<int>(blockIdx.x);
  const int tiles = static_cast<int>(X.stride / Shape::side);
  const int begin = static_cast<int>(blockIdx.y) * tiles_of_part;
  add_to_sums<Shape, m>({}, false, own_sums());
  for (int tile_j = begin; tile_j < min(tiles, begin + tiles_of_part); ++tile_j) {
    const TileWay way = X.way(tile_i, tile_j);
    if (way == TileWay::nothing) continue;
    if (which == TilesToSweep::of_differences && way != TileWay::differences) continue;
    gaussian_entries<Shape>(X, tile_i, tile_j, way, squared, tile, slices);
    T of_tile[Shape::per_thread][m / 16];
    multiply_tile<Shape, m>(tile, V + static_cast<index_t>(tile_j) * Shape::side * m, slices,
                            of_tile);
    add_to_sums<Shape, m>(of_tile, true, own_sums());
    __syncthreads();  // no thread reads the tile any more
  }
}

// out_ic <- factors_i times the sum over the parts, by the same threads that made the sums.
template <class Shape, int m, class T, class Out>
__global__ void add_parts(const double* all_sums, index_t rows_of_tiles, index_t parts,
                          index_t first_row_of_tiles, index_t n, Operands<T, Out> operands) {
  constexpr index_t size = static_cast<index_t>(Shape::side) * m;
  const index_t first_row = (first_row_of_tiles + blockIdx.x) * Shape::side;
  const double* const sums = all_sums + blockIdx.x * size + threadIdx.x;
  for (int i = 0; i < Shape::per_thread; ++i) {
    const index_t row = first_row + ByThreads::row_of_sum<Shape>(i);
    for (int c = 0; c < m / 16; ++c) {
      const int col = ByThreads::col_of_sum<Shape, m>(i, c);
      if (row >= n || col >= operands.count) continue;
      double sum = 0.0;
      for (index_t part = 0; part < parts; ++part) {
        sum += sums[part * rows_of_tiles * size + (i * (m / 16) + c) * Shape::threads];
      }
      const index_t to = operands.order[row];
      operands.out[to * operands.columns + col] = static_cast<Out>(operands.factors[to] * sum);
    }
  }
}

// Some rows of tiles, which are multiplied in one launch.
struct RowsOfTiles {
  index_t first, count, parts;
};

template <class Shape, int m, bool squared, class T, class Out>
void sweep_rows(const Queue& queue, const PackedRows<T>& X, const RowsOfTiles& rows,
                TilesToSweep which, const Operands<T, Out>& operands) {
  const DeviceBuffer<double> sums(queue, rows.count * rows.parts * Shape::side * m);
  const auto count = static_cast<unsigned>(rows.count), parts = static_cast<unsigned>(rows.parts);
  launch(queue, multiply_gaussian<Shape, m, squared>, dim3(count, parts), Shape::threads,
         shared_bytes<Shape>(m), tile_rows(X), which, operands.V, static_cast<int>(rows.first),
         static_cast<int>(blocks_for(X.tiles(), rows.parts)), sums.data());
  launch(queue, add_parts<Shape, m, T, Out>, count, Shape::threads, 0, sums.data(), rows.count,
         rows.parts, rows.first, X.n, operands);
}

// Calls body(m, squared) with the width of a stripe and the entries as constants.
template <class Body>
void with_stripe(index_t m, Entries entries, const Body& body) {
  using Plain = std::false_type;
  if (entries == Entries::squared) {
    if (m > 16) throw std::logic_error("squares are multiplied with up to 16 vectors");
    return body(std::integral_constant<int, 16>(), std::true_type());
  }
  switch (m) {
    case 16:
      return body(std::integral_constant<int, 16>(), Plain());
    case 32:
      return body(std::integral_constant<int, 32>(), Plain());
    case 48:
      return body(std::integral_constant<int, 48>(), Plain());
    case 64:
      return body(std::integral_constant<int, 64>(), Plain());
    default:
      static_assert(widest_stripe == 80, "one case for each width");
      return body(std::integral_constant<int, 80>(), Plain());
  }
}

// As thread_sweep (thread_sweep.hpp).
template <class Shape, class T, class Out>
void tile_sweep(const Queue& queue, const PackedRows<T>& X, const SweepPlan& plan, index_t m,
                const Operands<T, Out>& operands, Stage& stage) {
  with_stripe(m, operands.entries, [&](auto width, auto squared) {
    for_each_launch(queue, X.tiles(), plan.rows_of_tiles, stage, [&](index_t first, index_t count) {
      sweep_rows<Shape, width, squared>(queue, X, {first, count, plan.parts}, TilesToSweep::all,
                                        operands);
    });
  });
}

}  // namespace eigentropy::cuda
