#include "cuda/kernel/warpgroup_sweep.hpp"

#include <algorithm>

#include "cuda/kernel/tensor_map.hpp"
#include "cuda/kernel/tensor_sweep.hpp"
#include "cuda/kernel/warpgroup_tile.hpp"

namespace eigentropy::cuda {
namespace {

using Tile = WarpgroupTile;

// A thread's products of some tiles with m vectors. In memory, in float64, element e of consumer t
// is at e * threads + t.
template <int m>
struct WarpgroupSums {
  static constexpr int elements = m / 2, threads = Tile::threads_of_consumers, rows = Tile::side;
  float values[elements] = {};

  // Row and column of the block's tile that element e belongs to.
  static __device__ int row_of(int e) {
    return static_cast<int>(threadIdx.x) / 128 * Tile::rows_of_warpgroup +
           warpgroup::Place().row_of(e);
  }
  static __device__ int col_of(int e) { return warpgroup::Place().col_of(e); }

  static __device__ void clear(double* in_memory) {
    for (int e = 0; e < elements; ++e) in_memory[e * threads] = 0.0;
  }
  // Moves them to memory.
  __device__ void add_to(double* in_memory) {
    EIGENTROPY_UNROLL
    for (int e = 0; e < elements; ++e) {
      in_memory[e * threads] += static_cast<double>(values[e]);
      values[e] = 0.0F;
    }
  }
};

// What a warpgroup that multiplies does with its rows of a row of tiles.
template <int m, bool resident>
__device__ void consume(const WarpgroupOperands& operands,
                        const WarpgroupMemory<m, resident>& memory, int tile_i, int first_tile,
                        int end, double* in_memory) {
  const int number = static_cast<int>(threadIdx.x) / 128 - 1;
  const int own_row = number * Tile::rows_of_warpgroup + warpgroup::Place().row;
  float row_exponents[2];
  EIGENTROPY_UNROLL
  for (int half = 0; half < 2; ++half) {
    const index_t row = static_cast<index_t>(tile_i) * Tile::side + own_row + 8 * half;
    row_exponents[half] = operands.exponent_scale * operands.norms[row];
  }
  const float of_rows = -2.0F * operands.exponent_scale * operands.tile_scales[tile_i];
  WarpgroupConsumer<m, resident> consumer(operands, memory, number);
  WarpgroupSums<m> sums;
  sums.clear(in_memory);
  if (first_tile < end) {
    consumer.wait_for_rows();
    consumer.begin_turns();
  }
  for (int tile = first_tile, next; tile < end; tile = next) {
    next = operands.next_tile(tile_i, tile + 1, end);
    const float cross = of_rows * operands.tile_scales[tile];
    WarpgroupSquare square;
    consumer.wait_for_turn();
    consumer.multiply_rows(square);
    consumer.end_turn(next >= end);
    const GaussianColumn* const columns = consumer.wait_for_columns();
    WarpgroupEntries entries;
    if (tile == tile_i) {
      entries.set<true>(square, row_exponents, columns, cross, own_row);
    } else {
      entries.set<false>(square, row_exponents, columns, cross, own_row);
    }
    consumer.add_vectors(entries, sums.values);
    if (next < end && next / Tile::tiles_of_flush == tile / Tile::tiles_of_flush) continue;
    sums.add_to(in_memory);
  }
}

// Each block multiplies a row of tiles, or a part of it, with m vectors. All threads begin with 168
// registers; most of the producer's go to the consumers.
template <int m, bool resident>
__global__ void __launch_bounds__(Tile::threads, 1)
    multiply_in_warpgroups(const __grid_constant__ WarpgroupOperands operands,
                           index_t first_row_of_tiles, double* all_sums) {
#if defined(__CUDA_ARCH__) && !defined(__CUDA_ARCH_FEAT_SM90_ALL)
  __trap();  // never called: has_warpgroups()
#else
  const WarpgroupMemory<m, resident> memory(operands);
  const int tile_i = static_cast<int>(first_row_of_tiles) + static_cast<int>(blockIdx.x);
  const Stretch stretch = stretch_of_part(operands.tiles, Tile::tiles_of_flush);
  const int first_tile = operands.next_tile(tile_i, stretch.begin, stretch.end);
  if (threadIdx.x == 0) memory.init_barriers();
  __syncthreads();
  if (threadIdx.x < 128) {
    warpgroup::give_registers<40>();
    if (threadIdx.x == 0) {
      WarpgroupProducer<m, resident>(operands, memory, tile_i).run(first_tile, stretch.end);
    }
  } else {
    warpgroup::take_registers<232>();
    const auto block = static_cast<index_t>(blockIdx.y) * gridDim.x + blockIdx.x;
    double* const in_memory = all_sums + block * Tile::side * m + (threadIdx.x - 128);
    consume<m, resident>(operands, memory, tile_i, first_tile, stretch.end, in_memory);
  }
#endif
}

int most_shared_memory(const Queue& queue) {
  return attribute_of(queue, cudaDevAttrMaxSharedMemoryPerBlockOptin);
}

// As many stages of the ring as fit; fewer than 2 are too few.
template <int m, bool resident>
int stages_that_fit(const Queue& queue, int chunks) {
  using Memory = WarpgroupMemory<m, resident>;
  int stages = Memory::most_stages;
  while (stages > 0 && Memory::bytes(chunks, stages) > most_shared_memory(queue)) --stages;
  return stages;
}

template <int m, class Out>
struct WarpgroupLaunch {
  const Queue& queue;
  const PackedRows<float>& X;
  const WarpgroupOperands& given;
  const Operands<float, Out>& operands;

  void operator()(const RowsOfTiles& rows, const double* of_differences) const {
    if (stages_that_fit<m, true>(queue, given.chunks) >= 2) {
      multiply<true>(rows, of_differences);
    } else {
      multiply<false>(rows, of_differences);
    }
  }

 private:
  template <bool resident>
  void multiply(const RowsOfTiles& rows, const double* of_differences) const {
    WarpgroupOperands for_warpgroups = given;
    for_warpgroups.stages = stages_that_fit<m, resident>(queue, for_warpgroups.chunks);
    for_warpgroups.turns = sweep_override().turns.value_or(warpgroups_take_turns) &&
                           for_warpgroups.chunks <= for_warpgroups.stages;
    const int shared =
        WarpgroupMemory<m, resident>::bytes(for_warpgroups.chunks, for_warpgroups.stages);
    const auto count = static_cast<unsigned>(rows.count), parts = static_cast<unsigned>(rows.parts);
    const DeviceBuffer<double> sums(queue, rows.count * rows.parts * Tile::side * m);
    launch(queue, multiply_in_warpgroups<m, resident>, dim3(count, parts), Tile::threads,
           static_cast<std::size_t>(shared), for_warpgroups, rows.first, sums.data());
    launch(queue, add_products_of_parts<WarpgroupSums<m>, Out>, count, Tile::threads_of_consumers,
           0, sums.data(), rows, of_differences, X.n, operands);
  }
};

WarpgroupOperands operands_of(const PackedRows<float>& X, const SplitVectors& vectors, index_t m,
                              float exponent_scale) {
  const PackedHalves& halves = X.halves;
  const int boxes = static_cast<int>(m);
  return {tensor_map(halves.high.data(), halves.rows, halves.depth, Tile::side),
          tensor_map(halves.low.data(), halves.rows, halves.depth, Tile::side),
          tensor_map(vectors.high.data(), m, halves.rows, boxes),
          tensor_map(vectors.low.data(), m, halves.rows, boxes),
          X.norms.data(),
          halves.tile_scales.data(),
          X.lengths.data(),
          vectors.scales.data(),
          vectors.columns.data(),
          static_cast<int>(halves.depth / Tile::chunk),
          static_cast<int>(halves.rows / Tile::side),
          0,
          false,
          exponent_scale,
          X.rule};
}

}  // namespace

bool has_warpgroups(const Queue& queue) {
#ifdef EIGENTROPY_WARPGROUPS
  constexpr int needed = WarpgroupMemory<widest_stripe, false>::bytes(0, 2);
  return attribute_of(queue, cudaDevAttrComputeCapabilityMajor) == 9 &&
         attribute_of(queue, cudaDevAttrComputeCapabilityMinor) == 0 &&
         most_shared_memory(queue) >= needed;
#else
  return static_cast<void>(queue), false;
#endif
}

template <class Out>
void warpgroup_sweep(const Queue& queue, const PackedRows<float>& X, const SweepPlan& plan,
                     index_t m, const Operands<float, Out>& operands, Stage& stage) {
  const float scale = exponent_scale_of(X, operands);
  const SplitVectors vectors =
      split_turned_vectors(queue, operands.V, X.stride, m, X.norms.data(), scale);
  const WarpgroupOperands for_warpgroups = operands_of(X, vectors, m, scale);
  with_stripe(m, Entries::plain, [&](auto width, auto) {
    const WarpgroupLaunch<width, Out> multiply{queue, X, for_warpgroups, operands};
    sweep_beside_differences(queue, X, plan, m, operands, stage, multiply);
  });
}

#define EIGENTROPY_INSTANTIATE(Out)                                                                \
  template void warpgroup_sweep(const Queue&, const PackedRows<float>&, const SweepPlan&, index_t, \
                                const Operands<float, Out>&, Stage&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
