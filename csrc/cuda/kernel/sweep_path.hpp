// Which code sweeps over the tiles of G on a device, and in tiles of which size.
#pragma once

#include <cstddef>

#include "cuda/runtime.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {

// Who computes and multiplies tiles: one function each, with the arguments of thread_sweep.
enum class Path {
  threads,    // ordinary units, thread_sweep.hpp
  registers,  // tensor cores, 3xFP16, float32 only, register_sweep.hpp
  warpgroups  // the same by warpgroups of compute capability 9.0, warpgroup_sweep.hpp
};

// Tiles of the threads' path. Those of all others are 128 x 128.
enum class Tiling {
  // 128 x 128 of float32 or 64 x 64 of float64, so that a tile and two buffers for its operands
  // take 80 KB or 52 KB of shared memory. Two blocks of 80 KB fit a multiprocessor of compute
  // capability 8.0 and 9.0, and one block fits any other except 7.5.
  wide,
  // 64 x 64 of float32 in 26 KB, with twice as many numbers read for a product.
  narrow
};

// A tile of T has this many rows and columns.
constexpr index_t widest_side = 128;
template <class T>
constexpr index_t side_of(Tiling tiling) {
  return sizeof(T) == sizeof(float) && tiling == Tiling::wide ? widest_side : widest_side / 2;
}
// Of shared memory: a wide tile of float32 with the buffers for its operands, of the widest stripe.
constexpr std::size_t bytes_of_wide_tile = std::size_t{81} << 10;
// Rows are filled up to a multiple of this many entries.
constexpr index_t depth_unit = 8;

// Entries of the rows whose products are summed in registers; longer sums are made of these, so
// that rounding errors of one direction, as of rows of one number repeated, add up no further.
constexpr auto longest_sum = static_cast<int>(tuned("longest_sum"));

// How many vectors are multiplied at a time. More vectors are cut into stripes of this many, each
// of which computes G again.
constexpr index_t widest_stripe = 80;

// Whether tensor cores multiply float32: three of their products of halves must take less time
// than one in float32. On the large GPUs (8.0, 9.0, 10.0) tensor cores have many times the rate of
// float32, on the others not.
constexpr bool tensor_cores_pay(int major, int minor) {
  if (minor != 0) return false;
  constexpr bool on_8 = tuned("tensor_cores_pay_8.0") != 0.0;
  constexpr bool on_9 = tuned("tensor_cores_pay_9.0") != 0.0;
  constexpr bool on_10 = tuned("tensor_cores_pay_10.0") != 0.0;
  return (major == 8 && on_8) || (major == 9 && on_9) || (major == 10 && on_10);
}

// Whether the path of warpgroups is taken where a device has them. Otherwise it is taken only where
// sweep_override() asks for it, as tests and the microbenchmarks do.
constexpr bool warpgroups_pay = tuned("warpgroups_pay") != 0.0;
// Whether its two warpgroups multiply rows by turns.
constexpr bool warpgroups_take_turns = tuned("warpgroups_take_turns") != 0.0;

// What rows of T that are packed on this device are swept by: sweep_override() or the fastest that
// fits.
template <class T>
Path path_for(const Queue& queue);
template <class T>
Tiling tiling_for(const Queue& queue);

}  // namespace eigentropy::cuda
