#include "cuda/kernel/packed_rows.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/gaussian.hpp"

namespace eigentropy::cuda {
namespace {

constexpr index_t round_up(index_t value, index_t unit) { return (value + unit - 1) / unit * unit; }

// packed[k * stride + i] <- x[order_i * d + k], through a square in shared memory, so that both
// sides are read and written along their rows.
constexpr int transposed = 32, transposing_rows = 8;

template <class T>
__global__ void pack(const T* x, RowOrder order, index_t n, index_t d, T* packed, index_t stride,
                     index_t depth) {
  __shared__ T square[transposed][transposed + 1];
  const index_t i = static_cast<index_t>(blockIdx.x) * transposed;
  const auto col = static_cast<index_t>(threadIdx.x), row = static_cast<index_t>(threadIdx.y);
  for (index_t k = static_cast<index_t>(blockIdx.y) * transposed; k < depth;
       k += static_cast<index_t>(gridDim.y) * transposed) {
    for (index_t r = row; r < transposed; r += transposing_rows) {
      square[r][col] = i + r < n && k + col < d ? x[order[i + r] * d + k + col] : T(0);
    }
    __syncthreads();
    for (index_t r = row; r < transposed; r += transposing_rows) {
      if (k + r < depth) packed[(k + r) * stride + i + col] = square[col][r];
    }
    __syncthreads();
  }
}

// One block for each tile, one thread for each of its rows: norms with zeros behind them, and the
// range of the lengths.
template <class T>
__global__ void pack_norms(const T* norms, RowOrder order, index_t n, T* packed,
                           LengthRange<T>* lengths) {
  __shared__ T least[widest_side], largest[widest_side];
  const auto thread = static_cast<int>(threadIdx.x);
  const index_t first = static_cast<index_t>(blockIdx.x) * blockDim.x, i = first + thread;
  packed[i] = i < n ? norms[order[i]] : T(0);
  least[thread] = largest[thread] = norms[order[i < n ? i : first]];
  for (int half = static_cast<int>(blockDim.x) / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread >= half) continue;
    const T other = least[thread + half], another = largest[thread + half];
    if (other < least[thread]) least[thread] = other;
    if (another > largest[thread]) largest[thread] = another;
  }
  if (thread == 0) lengths[blockIdx.x] = length_range(least[0], largest[0]);
}

// The rows by their norms, those of one norm in the caller's order.
template <class T>
DeviceBuffer<int> sorted_by_norm(const Queue& queue, const DeviceRows<T>& X) {
  const Buffer<T> norms = to_host(queue, X.norms.data(), X.n);
  std::vector<std::pair<T, int>> rows(static_cast<std::size_t>(X.n));
  for (index_t i = 0; i < X.n; ++i) {
    rows[static_cast<std::size_t>(i)] = {norms[i], static_cast<int>(i)};
  }
  std::sort(rows.begin(), rows.end());
  Buffer<int> order(X.n);
  std::transform(rows.begin(), rows.end(), order.begin(),
                 [](const auto& row) { return row.second; });
  DeviceBuffer<int> there = to_device(queue, order.data(), X.n);
  queue.synchronize();  // before the host's order is freed
  return there;
}

// Whether all pairs of rows that are no longer than this are products, and none is 0.
template <class T>
bool all_are_products(const PrecisionRule<T>& rule, T largest_norm) {
  const auto longest = length_range(T(0), largest_norm), shortest = length_range(T(0), T(0));
  return rule.way(longest, longest) == TileWay::products &&
         rule.way({longest.longest, longest.longest}, shortest) != TileWay::nothing;
}

}  // namespace

template <class T>
PackedRows<T> pack_rows(const Queue& queue, const DeviceRows<T>& X, double sigma) {
  const Range range("pack_rows");
  PackedRows<T> packed;
  packed.path = path_for<T>(queue);
  packed.tiling = tiling_for<T>(queue);
  packed.side = side_of<T>(packed.tiling);
  packed.n = X.n;
  packed.stride = round_up(X.n, packed.side);
  packed.depth = round_up(X.d, depth_unit);
  packed.x = DeviceBuffer<T>(queue, packed.depth * packed.stride);
  packed.norms = DeviceBuffer<T>(queue, packed.stride);
  packed.lengths = DeviceBuffer<LengthRange<T>>(queue, packed.tiles());
  const auto scale = static_cast<double>(exponent_scale<T>(sigma, X.scale));
  constexpr double log2_of_e = 1.4426950408889634;
  packed.exponent_scale = static_cast<T>(scale * log2_of_e);
  packed.rule = precision_rule<T>(packed.path, X.d, scale);
  if (!all_are_products(packed.rule, X.max_norm)) packed.order = sorted_by_norm(queue, X);
  const dim3 grid(blocks_for(packed.stride, transposed),
                  std::min(blocks_for(packed.depth, transposed), 65'535U));
  launch(queue, pack<T>, grid, dim3(transposed, transposing_rows), 0, X.x.data(),
         packed.row_order(), X.n, X.d, packed.x.data(), packed.stride, packed.depth);
  launch(queue, pack_norms<T>, static_cast<unsigned>(packed.tiles()),
         static_cast<unsigned>(packed.side), 0, X.norms.data(), packed.row_order(), X.n,
         packed.norms.data(), packed.lengths.data());
  if constexpr (std::is_same_v<T, float>) {
    if (packed.path == Path::registers || packed.path == Path::warpgroups) {
      packed.halves = pack_halves(queue, packed.x.data(), packed.n, X.d, packed.stride);
    }
  }
  return packed;
}

template <class T>
TileWays count_tile_ways(const Queue& queue, const PackedRows<T>& X) {
  const auto lengths = to_host(queue, X.lengths.data(), X.tiles());
  TileWays ways;
  for (const auto& of_rows : lengths) {
    for (const auto& of_cols : lengths) {
      const TileWay way = X.rule.way(of_rows, of_cols);
      ways.products += way == TileWay::products;
      ways.differences += way == TileWay::differences;
      ways.nothing += way == TileWay::nothing;
    }
  }
  return ways;
}

template PackedRows<float> pack_rows(const Queue&, const DeviceRows<float>&, double);
template PackedRows<double> pack_rows(const Queue&, const DeviceRows<double>&, double);
template TileWays count_tile_ways(const Queue&, const PackedRows<float>&);
template TileWays count_tile_ways(const Queue&, const PackedRows<double>&);

}  // namespace eigentropy::cuda
