// G times vectors, tile by tile, with G nowhere in memory.
#pragma once

#include <optional>

#include "base/control.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// How tiles of G are computed.
enum class Tiling {
  // 128 x 128 of float32 or 64 x 64 of float64, so that a tile and two buffers for what is
  // multiplied take 52 or 80 KB of shared memory. Of 80 two blocks fit a multiprocessor of compute
  // capability 8.0 and 9.0, and one any other but 7.5.
  wide,
  // 64 x 64 of float32 in 26 KB, with twice as many numbers read for a product.
  narrow,
  // 128 x 128 of float32 by the tensor cores, 3xTF32, in 81 KB: compute capability 8.0 or newer.
  tensor
};

// Whether float32 is multiplied by the tensor cores: where three of their products in TF32 take
// less time than one in float32. NVIDIA gives the large GPUs (8.0, 9.0, 10.0) tensor cores of many
// times the rate of float32, and the others not. Not measured yet: matrix_free<float> among the
// microbenchmarks does.
constexpr bool tensor_cores_pay(int major, int minor) {
  return major >= 8 && major <= 10 && minor == 0;
}

// Vectors that are multiplied at a time; of more, each such stripe computes G again.
constexpr index_t widest_stripe = 80;

// Rows as tiles read them: entry k of row i is x[k * stride + i], with zeros for rows and entries
// that are not there, so that tiles need not ask where the matrix ends.
template <class T>
struct PackedRows {
  Tiling tiling = Tiling::wide;
  index_t side = 0;           // of a tile
  index_t n = 0, stride = 0;  // stride: n rounded up to whole tiles
  index_t depth = 0;          // d rounded up
  T exponent_scale = 0;       // G = 2^(exponent_scale r2)
  // A tile whose rows have |x|^2 above this is computed from differences: there
  // |x|^2 + |y|^2 - 2 x.y is too far off.
  T largest_norm = 0;
  DeviceBuffer<T> x;           // depth x stride
  DeviceBuffer<T> norms;       // stride
  DeviceBuffer<T> tile_norms;  // the largest of each tile

  index_t tiles() const { return stride / side; }
};
template <class T>
PackedRows<T> pack_rows(const Queue& queue, const DeviceRows<T>& X, double sigma);

// scaled (rows x m) <- factors_i V_ic for the columns [first, first + count) of V (n x columns),
// and zeros where those end. No V: a column of ones. All in device memory.
template <class T>
struct ScaledVectors {
  const T* V;
  index_t n, columns, first, count;
  const double* factors;
};
template <class T>
void scale_vectors(const Queue& queue, const ScaledVectors<T>& vectors, T* scaled, index_t rows,
                   index_t m);

// What to multiply with: the entries of G, or their squares.
enum class Entries { plain, squared };

// out_i <- factors_i sum_j G_ij factors_j V_j for V (n x m, row-major; null: one column of ones)
// and n factors, all in device memory. `stage` has sweep_launches(X, m) tasks.
template <class T, class Out>
void gaussian_sweep(const Queue& queue, const PackedRows<T>& X, Entries entries,
                    const double* factors, const T* V, index_t m, Out* out, Stage& stage);
template <class T>
index_t sweep_launches(const Queue& queue, const PackedRows<T>& X, index_t m);

// Writes G, both triangles: row i begins at G + i * X.stride. Entry is T, or half for float.
// `stage` has sweep_launches(queue, X, 0) tasks.
template <class T, class Entry>
void write_gaussian(const Queue& queue, const PackedRows<T>& X, Entry* G, Stage& stage);

// How a sweep is cut up. A launch is so many rows of tiles that it does not take long, and where
// that leaves multiprocessors idle, several blocks share a row of tiles, and their sums are added
// in order.
struct SweepPlan {
  index_t rows_of_tiles;  // of a launch
  index_t parts;          // of a row of tiles

  index_t launches(index_t tiles) const { return (tiles + rows_of_tiles - 1) / rows_of_tiles; }
};
// `flops` are those of a row of tiles, `blocks` as many as a launch should have.
SweepPlan plan_sweep(index_t tiles, double flops, double flops_of_launch, index_t blocks);

// The other way: each tile of one triangle once, for its rows and, transposed, for its columns.
// That takes n^2 (d + 2 m) flops instead of 2 n^2 (d + m), but both sums are read from and written
// to memory for every tile. As in a tournament of an odd number of players, in round r tile i of
// the rows meets the tile j with i + j = r modulo that number, be it i itself: every tile of rows
// once in a round, so that nobody else adds to its sums, and every pair once in all rounds. Several
// rounds that run at once have sums of their own, added in order at the end.
struct Tournament {
  index_t tiles;
  index_t at_once;  // rounds of a launch

  index_t rounds() const { return tiles % 2 == 0 ? tiles + 1 : tiles; }
  index_t pairs() const { return rounds() / 2 + 1; }  // of a round
  index_t launches() const { return (rounds() + at_once - 1) / at_once; }
};
Tournament plan_tournament(index_t tiles, index_t blocks);

// What only a measurement on a GPU can settle, and what tests change: of this thread.
struct SweepOverride {
  index_t blocks = 0;            // as if the device wanted so many a launch; 0: as it is
  double flops_of_launch = 0.0;  // of the longest launch; 0: as it is
  bool one_triangle = false;     // a tournament. Not measured yet where it is faster.
  index_t stripe = 0;            // columns of a matrix that is kept, summed at once; 0: as it is
  std::optional<Tiling> tiling = {};  // of rows of float32 that are packed from now on
};
SweepOverride& sweep_override();

}  // namespace eigentropy::cuda
