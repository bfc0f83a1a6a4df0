// The rows as the sweeps read them.
#pragma once

#include "cuda/kernel/packed_halves.hpp"
#include "cuda/kernel/precision.hpp"
#include "cuda/kernel/row_order.hpp"
#include "cuda/kernel/sweep_path.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Entry k of row i is x[k * stride + i]. The padding is zeros, so that tiles need not check where
// the matrix ends.
template <class T>
struct PackedRows {
  Path path = Path::threads;
  Tiling tiling = Tiling::wide;
  index_t side = 0;           // of a tile
  index_t n = 0, stride = 0;  // stride: n rounded up to whole tiles
  index_t depth = 0;          // d rounded up
  T exponent_scale = 0;       // G = 2^(exponent_scale r2)
  PrecisionRule<T> rule;
  // By |x|^2, so that few pairs of tiles have rows whose products are not exact enough, or two
  // whose lengths differ so much that G is 0. Empty: the caller's order, where all pairs are
  // products.
  DeviceBuffer<int> order;
  DeviceBuffer<T> x;                     // depth x stride
  DeviceBuffer<T> norms;                 // stride
  DeviceBuffer<LengthRange<T>> lengths;  // of each tile, without the padding
  PackedHalves halves;                   // for Path::registers and warpgroups

  index_t tiles() const { return stride / side; }
  RowOrder row_order() const { return {order.data()}; }
  // G cannot be computed from then on.
  void drop_entries() {
    x = DeviceBuffer<T>();
    halves = PackedHalves();
  }
};
template <class T>
PackedRows<T> pack_rows(const Queue& queue, const DeviceRows<T>& X, double sigma);

// How many pairs of tiles a sweep takes which way. Waits for the device.
struct TileWays {
  index_t products = 0, differences = 0, nothing = 0;
};
template <class T>
TileWays count_tile_ways(const Queue& queue, const PackedRows<T>& X);

}  // namespace eigentropy::cuda
