// G times vectors, tile by tile, without storing G.
#pragma once

#include <optional>

#include "base/control.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// How tiles of G are computed.
enum class Tiling {
  // 128 x 128 of float32 or 64 x 64 of float64, so that a tile and two buffers for its operands
  // take 80 KB or 52 KB of shared memory. Two blocks of 80 KB fit a multiprocessor of compute
  // capability 8.0 and 9.0, and one block fits any other except 7.5.
  wide,
  // 64 x 64 of float32 in 26 KB, with twice as many numbers read for a product.
  narrow,
  // 128 x 128 of float32 by the tensor cores, 3xTF32, in 81 KB: compute capability 8.0 or newer.
  tensor
};

// Whether tensor cores multiply float32: three of their products in TF32 must take less time than
// one in float32. On the large GPUs (8.0, 9.0, 10.0) tensor cores have many times the rate of
// float32, on the others not. A guess, not measured yet; the microbenchmark matrix_free<float>
// measures it.
constexpr bool tensor_cores_pay(int major, int minor) {
  return major >= 8 && major <= 10 && minor == 0;
}

// How many vectors are multiplied at a time. More vectors are cut into stripes of this many, each
// of which computes G again.
constexpr index_t widest_stripe = 80;

// Rows as tiles read them: entry k of row i is x[k * stride + i]. The padding is zeros, so that
// tiles need not check where the matrix ends.
template <class T>
struct PackedRows {
  Tiling tiling = Tiling::wide;
  index_t side = 0;           // of a tile
  index_t n = 0, stride = 0;  // stride: n rounded up to whole tiles
  index_t depth = 0;          // d rounded up
  T exponent_scale = 0;       // G = 2^(exponent_scale r2)
  // A tile whose rows have |x|^2 above this is computed from differences, because the error of
  // |x|^2 + |y|^2 - 2 x.y would be too large.
  T largest_norm = 0;
  DeviceBuffer<T> x;           // depth x stride
  DeviceBuffer<T> norms;       // stride
  DeviceBuffer<T> tile_norms;  // the largest of each tile

  index_t tiles() const { return stride / side; }
};
template <class T>
PackedRows<T> pack_rows(const Queue& queue, const DeviceRows<T>& X, double sigma);

// scaled (rows x m) <- factors_i V_ic for the columns [first, first + count) of V (n x columns),
// and zeros beyond these columns. If V is null, it stands for a column of ones. All in device
// memory.
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

// How a sweep is cut up. A launch covers few enough rows of tiles not to take long. If that would
// leave multiprocessors idle, several blocks share a row of tiles, and their sums are added in
// order.
struct SweepPlan {
  index_t rows_of_tiles;  // of a launch
  index_t parts;          // of a row of tiles

  index_t launches(index_t tiles) const { return (tiles + rows_of_tiles - 1) / rows_of_tiles; }
};
// `flops` is the work of a row of tiles, `blocks` the number of blocks that a launch should have.
SweepPlan plan_sweep(index_t tiles, double flops, double flops_of_launch, index_t blocks);

// The alternative to a SweepPlan: each tile of one triangle is computed once and used for its row
// block and, transposed, for its column block. That takes n^2 (d + 2 m) flops instead of 2 n^2 (d +
// m), but every tile reads and writes both sums in memory. The schedule is a round-robin tournament
// of an odd number of players, the blocks of rows. In round r block i meets the block j with i + j
// = r modulo that number; j may be i. Each block plays once in a round, so that no two tiles add to
// the same sums, and each pair meets once in all rounds. Rounds that run at once have sums of their
// own, which are added in order at the end.
struct Tournament {
  index_t tiles;
  index_t at_once;  // rounds of a launch

  index_t rounds() const { return tiles % 2 == 0 ? tiles + 1 : tiles; }
  index_t pairs() const { return rounds() / 2 + 1; }  // of a round
  index_t launches() const { return (rounds() + at_once - 1) / at_once; }
};
Tournament plan_tournament(index_t tiles, index_t blocks);

// Overrides for this thread, set by tests and by benchmarks of choices that only a GPU can settle.
struct SweepOverride {
  index_t blocks = 0;            // blocks of a launch; 0: as the device wants
  double flops_of_launch = 0.0;  // of the longest launch; 0: the default
  bool one_triangle = false;     // a tournament; not measured yet where it is faster
  index_t stripe = 0;            // columns of a kept matrix that are summed at once; 0: the default
  std::optional<Tiling> tiling = {};  // of rows of float32 that are packed from now on
};
SweepOverride& sweep_override();

}  // namespace eigentropy::cuda
