#include "cuda/kernel/register_sweep.hpp"

#include "cuda/kernel/register_tile.hpp"
#include "cuda/kernel/tensor_sweep.hpp"

namespace eigentropy::cuda {
namespace {

using Tile = RegisterTile;

// A thread's products of some tiles with m vectors. In memory, in float64, element e of thread t is
// at e * threads + t.
template <int m>
struct RegisterSums {
  static constexpr int elements = m, threads = Tile::threads, rows = Tile::rows;
  float values[m / 8][2][4] = {};

  // Row and column of the block's tile that element e belongs to.
  static __device__ int row_of(int e) {
    const RegisterLane place;
    return place.row + e / 4 % 2 * 16 + e % 4 / 2 * 8 + place.group;
  }
  static __device__ int col_of(int e) { return e / 8 * 8 + 2 * RegisterLane().member + e % 2; }

  static __device__ void clear(double* in_memory) {
    for (int e = 0; e < m; ++e) in_memory[e * Tile::threads] = 0.0;
  }
  // Moves them to memory.
  __device__ void add_to(double* in_memory) {
    EIGENTROPY_UNROLL
    for (int e = 0; e < m; ++e) {
      float& value = values[e / 8][e / 4 % 2][e % 4];
      in_memory[e * Tile::threads] += static_cast<double>(value);
      value = 0.0F;
    }
  }
};

// Sums in float32 are moved to float64 after each group of this many tiles.
constexpr auto tiles_of_flush = static_cast<int>(tuned("register_flush"));

// Each block multiplies a row of tiles, or a part of it, with m vectors.
template <int m, bool resident>
__global__ void __launch_bounds__(Tile::threads, 2)
    multiply_in_registers(RegisterOperands operands, index_t first_row_of_tiles, double* all_sums) {
  const auto block = static_cast<index_t>(blockIdx.y) * gridDim.x + blockIdx.x;
  double* const in_memory = all_sums + block * Tile::rows * m + threadIdx.x;
  const int tile_i = static_cast<int>(first_row_of_tiles) + static_cast<int>(blockIdx.x);
  const Stretch stretch = stretch_of_part(operands.tiles, tiles_of_flush);
  const int first_tile = operands.next_tile(tile_i, stretch.begin, stretch.end);
  const RegisterLane place;
  float row_exponents[2][2];
  EIGENTROPY_UNROLL
  for (int i = 0; i < 4; ++i) {
    const index_t row = static_cast<index_t>(tile_i) * Tile::rows + place.row + i * 8 + place.group;
    row_exponents[i / 2][i % 2] = operands.exponent_scale * operands.norms[row];
  }
  const float of_rows = -2.0F * operands.exponent_scale * operands.tile_scales[tile_i];
  Slices<m, resident> slices(operands, tile_i, first_tile, stretch.end);
  RegisterSums<m> sums;
  sums.clear(in_memory);
  for (int tile = first_tile, next; tile < stretch.end; tile = next) {
    next = operands.next_tile(tile_i, tile + 1, stretch.end);
    const float cross = of_rows * operands.tile_scales[tile / 2];
    WarpSquare square = {};
    for (int s = 0; s < operands.slices; ++s) {
      slices.advance();
      add_slice(slices.rows(s), slices.cols(), square);
    }
    WarpEntries entries;
    const auto* const columns = slices.template rest<GaussianColumn>();
    entries.set(square, row_exponents, columns, cross);
    if (tile / 2 == tile_i) entries.set_diagonal(tile % 2 * Tile::cols, columns);
    EIGENTROPY_UNROLL
    for (int v = 0; v < slices.of_vectors; ++v) {
      slices.advance();
      const float* const scales = slices.template rest<float>();
      constexpr int whole = m / Tile::slice;
      if (v < whole) {
        add_vectors<2>(entries, slices.cols(), scales, sums.values + v * 4);
      } else {
        add_vectors<1>(entries, slices.cols(), scales, sums.values + v * 4);
      }
    }
    if (next < stretch.end && next / tiles_of_flush == tile / tiles_of_flush) continue;
    sums.add_to(in_memory);
  }
}

// Shared memory of a block.
template <int m, bool resident>
std::size_t bytes_of_block(int slices) {
  const int rows = resident ? slices * Tile::slice_of_rows : 0;
  return static_cast<std::size_t>(rows + Slices<m, resident>::count * Slices<m, resident>::size) *
         sizeof(__half);
}

// How many blocks a multiprocessor has shared memory for, of which it keeps 1 KB for each.
std::size_t blocks_at_once(const Queue& queue, std::size_t bytes) {
  constexpr std::size_t kept = 1 << 10;
  const auto most =
      static_cast<std::size_t>(attribute_of(queue, cudaDevAttrMaxSharedMemoryPerBlockOptin));
  return bytes > most ? 0 : (most + kept) / (bytes + kept);
}

// Whether rows stay in shared memory: if that costs no block, of which registers allow two.
template <int m>
bool rows_stay(const Queue& queue, int slices) {
  const std::size_t staying = blocks_at_once(queue, bytes_of_block<m, true>(slices));
  const std::size_t coming = blocks_at_once(queue, bytes_of_block<m, false>(slices));
  return staying >= std::min<std::size_t>(coming, 2);
}

template <int m, class Out>
struct RegisterLaunch {
  const Queue& queue;
  const PackedRows<float>& X;
  const RegisterOperands& in_registers;
  const Operands<float, Out>& operands;

  void operator()(const RowsOfTiles& rows, const double* of_differences) const {
    if (rows_stay<m>(queue, in_registers.slices)) {
      multiply<true>(rows, of_differences);
    } else {
      multiply<false>(rows, of_differences);
    }
  }

 private:
  template <bool resident>
  void multiply(const RowsOfTiles& rows, const double* of_differences) const {
    const auto count = static_cast<unsigned>(rows.count), parts = static_cast<unsigned>(rows.parts);
    const DeviceBuffer<double> sums(queue, rows.count * rows.parts * Tile::rows * m);
    launch(queue, multiply_in_registers<m, resident>, dim3(count, parts), Tile::threads,
           bytes_of_block<m, resident>(in_registers.slices), in_registers, rows.first, sums.data());
    launch(queue, add_products_of_parts<RegisterSums<m>, Out>, count, Tile::threads, 0, sums.data(),
           rows, of_differences, X.n, operands);
  }
};

RegisterOperands operands_of(const PackedRows<float>& X, const SplitVectors& vectors,
                             float exponent_scale) {
  const PackedHalves& halves = X.halves;
  return {{halves.high.data(), halves.low.data(), static_cast<int>(halves.depth)},
          {vectors.high.data(), vectors.low.data(), static_cast<int>(vectors.width)},
          halves.tile_scales.data(),
          X.norms.data(),
          X.lengths.data(),
          static_cast<int>((halves.d + Tile::slice - 1) / Tile::slice),
          static_cast<int>(halves.rows / Tile::cols),
          exponent_scale,
          X.rule,
          vectors.scales.data(),
          vectors.columns.data()};
}

}  // namespace

template <class Out>
void register_sweep(const Queue& queue, const PackedRows<float>& X, const SweepPlan& plan,
                    index_t m, const Operands<float, Out>& operands, Stage& stage) {
  const float scale = exponent_scale_of(X, operands);
  const SplitVectors vectors = split_vectors(queue, operands.V, X.stride, m, X.norms.data(), scale);
  const RegisterOperands in_registers = operands_of(X, vectors, scale);
  with_stripe(m, Entries::plain, [&](auto width, auto) {
    const RegisterLaunch<width, Out> multiply{queue, X, in_registers, operands};
    sweep_beside_differences(queue, X, plan, m, operands, stage, multiply);
  });
}

#define EIGENTROPY_INSTANTIATE(Out)                                                               \
  template void register_sweep(const Queue&, const PackedRows<float>&, const SweepPlan&, index_t, \
                               const Operands<float, Out>&, Stage&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
