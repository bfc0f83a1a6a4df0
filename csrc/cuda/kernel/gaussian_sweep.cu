#include "cuda/kernel/gaussian_sweep.hpp"

#include <cuda_fp16.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/gaussian.hpp"
#include "cuda/kernel/gaussian_tile.hpp"
#include "cuda/kernel/tensor_tile.hpp"

namespace eigentropy::cuda {
namespace {

constexpr index_t round_up(index_t value, index_t unit) { return (value + unit - 1) / unit * unit; }

// packed[k * stride + i] <- x[i * d + k], through a square in shared memory, so that both sides are
// read and written along their rows.
constexpr int transposed = 32, transposing_rows = 8;

template <class T>
__global__ void pack(const T* x, index_t n, index_t d, T* packed, index_t stride, index_t depth) {
  __shared__ T square[transposed][transposed + 1];
  const index_t i = static_cast<index_t>(blockIdx.x) * transposed;
  const auto col = static_cast<index_t>(threadIdx.x), row = static_cast<index_t>(threadIdx.y);
  for (index_t k = static_cast<index_t>(blockIdx.y) * transposed; k < depth;
       k += static_cast<index_t>(gridDim.y) * transposed) {
    for (index_t r = row; r < transposed; r += transposing_rows) {
      square[r][col] = i + r < n && k + col < d ? x[(i + r) * d + k + col] : T(0);
    }
    __syncthreads();
    for (index_t r = row; r < transposed; r += transposing_rows) {
      if (k + r < depth) packed[(k + r) * stride + i + col] = square[col][r];
    }
    __syncthreads();
  }
}

// One block for each tile: norms with zeros behind them, and the largest.
template <class T, int side>
__global__ void pack_norms(const T* norms, index_t n, T* packed, T* largest) {
  __shared__ T values[side];
  const auto thread = static_cast<int>(threadIdx.x);
  const index_t i = static_cast<index_t>(blockIdx.x) * side + thread;
  values[thread] = i < n ? norms[i] : T(0);
  packed[i] = values[thread];
  for (int half = side / 2; half > 0; half /= 2) {
    __syncthreads();
    if (thread < half && values[thread + half] > values[thread]) {
      values[thread] = values[thread + half];
    }
  }
  if (thread == 0) largest[blockIdx.x] = values[0];
}

template <class T>
__global__ void scale(ScaledVectors<T> vectors, T* scaled, index_t rows, index_t m) {
  const index_t place = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (place >= rows * m) return;
  const index_t i = place / m, c = place % m;
  double value = 0.0;
  if (i < vectors.n && c < vectors.count) {
    const T* const V = vectors.V;
    const index_t of_V = i * vectors.columns + vectors.first + c;
    value = vectors.factors[i] * (V == nullptr ? 1.0 : static_cast<double>(V[of_V]));
  }
  scaled[place] = static_cast<T>(value);
}

// The part of a row of tiles that a block visits.
struct Stretch {
  int begin, end;
};
__device__ Stretch stretch_of_part(index_t tiles) {
  const auto part = static_cast<index_t>(blockIdx.y), parts = static_cast<index_t>(gridDim.y);
  return {static_cast<int>(tiles * part / parts), static_cast<int>(tiles * (part + 1) / parts)};
}

// The sums of a block as its threads hold them, so that they are read and written side by side:
// element e of thread t is sums[number * size + e * threads + t].
template <class Shape, int m>
__device__ double* sums_of_thread(double* sums, index_t number) {
  return sums + number * Shape::side * m + threadIdx.x;
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

// Each block multiplies a row of tiles, or a part of it, with m vectors. The products of a tile are
// added in float64 to global memory that only this block uses. The sums stay in the cache; in
// registers or shared memory, they would leave room for one block instead of two.
template <class Shape, int m, bool squared>
__global__ void __launch_bounds__(Shape::threads, 2)
    multiply_gaussian(TileRows<typename Shape::T> X, const typename Shape::T* V,
                      index_t first_row_of_tiles, double* all_sums) {
  using T = typename Shape::T;
  T* const tile = shared_memory<T>();
  T* const slices = tile + Shape::side * Shape::side;
  const auto block = static_cast<index_t>(blockIdx.y) * gridDim.x + blockIdx.x;
  double* const sums = sums_of_thread<Shape, m>(all_sums, block);
  const int tile_i = static_cast<int>(first_row_of_tiles) + static_cast<int>(blockIdx.x);
  const Stretch stretch = stretch_of_part(X.stride / Shape::side);
  for (int tile_j = stretch.begin; tile_j < stretch.end; ++tile_j) {
    gaussian_entries<Shape>(X, tile_i, tile_j, squared, tile, slices);
    T of_tile[Shape::per_thread][m / 16];
    multiply_tile<Shape, m>(tile, V + static_cast<index_t>(tile_j) * Shape::side * m, slices,
                            of_tile);
    add_to_sums<Shape, m>(of_tile, tile_j > stretch.begin, sums);
    __syncthreads();  // no thread reads the tile any more
  }
}

// Each block computes one pair of a round; gridDim.y rounds run at once. `all_sums` has the sums of
// every block of rows for each of these rounds, zeros at first.
template <class Shape, int m, bool squared>
__global__ void __launch_bounds__(Shape::threads, 2)
    multiply_triangle(TileRows<typename Shape::T> X, const typename Shape::T* V, int first_round,
                      int rounds, double* all_sums) {
  using T = typename Shape::T;
  T* const tile = shared_memory<T>();
  T* const slices = tile + Shape::side * Shape::side;
  const int tiles = static_cast<int>(X.stride / Shape::side),
            round = first_round + static_cast<int>(blockIdx.y);
  const int pair = static_cast<int>(blockIdx.x);
  const int itself =
      round % 2 == 0 ? round / 2 : (round + rounds) / 2;  // the block with i + i = round
  const int tile_i = (itself + pair) % rounds, tile_j = (itself + rounds - pair) % rounds;
  if (round >= rounds || tile_i >= tiles || tile_j >= tiles) return;
  gaussian_entries<Shape>(X, tile_i, tile_j, squared, tile, slices);
  const index_t first = static_cast<index_t>(blockIdx.y) * tiles;
  T of_tile[Shape::per_thread][m / 16];
  multiply_tile<Shape, m>(tile, V + static_cast<index_t>(tile_j) * Shape::side * m, slices,
                          of_tile);
  add_to_sums<Shape, m>(of_tile, true, sums_of_thread<Shape, m>(all_sums, first + tile_i));
  if (tile_i == tile_j) return;
  transpose<Shape>(tile);
  multiply_tile<Shape, m>(tile, V + static_cast<index_t>(tile_i) * Shape::side * m, slices,
                          of_tile);
  add_to_sums<Shape, m>(of_tile, true, sums_of_thread<Shape, m>(all_sums, first + tile_j));
}

// out_ic <- factors_i times the sum over the parts, by the same threads that made the sums. `out`
// points to the stripe's first column, `columns` is the length of a row of out, `count` the number
// of columns in the stripe.
template <class Shape, int m, class Out>
__global__ void add_parts(const double* all_sums, index_t rows_of_tiles, index_t parts,
                          const double* factors, index_t first_row_of_tiles, index_t n, Out* out,
                          index_t columns, index_t count) {
  using Products = typename Shape::Products;
  constexpr index_t size = static_cast<index_t>(Shape::side) * m;
  const index_t first_row = (first_row_of_tiles + blockIdx.x) * Shape::side;
  const double* const sums = all_sums + blockIdx.x * size + threadIdx.x;
  for (int i = 0; i < Shape::per_thread; ++i) {
    const index_t row = first_row + Products::template row_of_sum<Shape>(i);
    for (int c = 0; c < m / 16; ++c) {
      const int col = Products::template col_of_sum<Shape, m>(i, c);
      if (row >= n || col >= count) continue;
      double sum = 0.0;
      for (index_t part = 0; part < parts; ++part) {
        sum += sums[part * rows_of_tiles * size + (i * (m / 16) + c) * Shape::threads];
      }
      out[row * columns + col] = static_cast<Out>(factors[row] * sum);
    }
  }
}

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
  for (int element = static_cast<int>(threadIdx.x) * Shape::pack;
       element < Shape::side * Shape::side; element += Shape::threads * Shape::pack) {
    const int i = element % Shape::side, j = element / Shape::side;
    if (static_cast<index_t>(tile_j) * Shape::side + j >= n) continue;
    write_pack<Shape>(corner + j * stride + i, tile + Shape::place(i, j));
  }
}

// Each tile of the upper triangle is computed once and written twice.
template <class Shape, class Entry>
__global__ void __launch_bounds__(Shape::threads, 2)
    write_tiles(TileRows<typename Shape::T> X, index_t first_row_of_tiles, index_t n, Entry* G) {
  using T = typename Shape::T;
  T* const tile = shared_memory<T>();
  T* const slices = tile + Shape::side * Shape::side;
  const int tile_i = static_cast<int>(first_row_of_tiles) + static_cast<int>(blockIdx.x);
  const Stretch stretch = stretch_of_part(X.stride / Shape::side);
  // At least one barrier, that of the first slice, precedes the next write to the tile, so that all
  // threads have read this one.
  for (int tile_j = max(stretch.begin, tile_i); tile_j < stretch.end; ++tile_j) {
    gaussian_entries<Shape>(X, tile_i, tile_j, false, tile, slices);
    __syncthreads();
    write_columns<Shape>(tile, tile_i, tile_j, n, X.stride, G);
    if (tile_i == tile_j) continue;
    transpose<Shape>(tile);
    __syncthreads();
    write_columns<Shape>(tile, tile_j, tile_i, n, X.stride, G);
  }
}

constexpr index_t threads = 256;

// 2 n flops a row for each entry of the rows and each vector. In double, whose rate is between half
// and a sixty-fourth of single's, launches are smaller.
template <class T>
double flops_of_row_of_tiles(const PackedRows<T>& X, index_t m) {
  return 2.0 * static_cast<double>(X.side) * static_cast<double>(X.stride) *
         static_cast<double>(X.depth + m);
}
template <class T>
double flops_of_launch() {
  if (sweep_override().flops_of_launch > 0.0) return sweep_override().flops_of_launch;
  return sizeof(T) == sizeof(float) ? 4e12 : 1e12;  // not measured yet
}

int attribute_of(const Queue& queue, cudaDeviceAttr attribute) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, attribute, queue.device()), "cudaDeviceGetAttribute");
  return value;
}

template <class T>
Tiling tiling_for(const Queue& queue) {
  if constexpr (sizeof(T) == sizeof(double)) return Tiling::wide;
  if (sweep_override().tiling) return *sweep_override().tiling;
  const int shared = attribute_of(queue, cudaDevAttrMaxSharedMemoryPerBlockOptin);
  if (static_cast<std::size_t>(shared) < shared_bytes<TensorTile>(widest_stripe)) {
    return Tiling::narrow;
  }
  const int major = attribute_of(queue, cudaDevAttrComputeCapabilityMajor);
  const int minor = attribute_of(queue, cudaDevAttrComputeCapabilityMinor);
  return tensor_cores_pay(major, minor) ? Tiling::tensor : Tiling::wide;
}

// Calls body(Shape()) with the shape of the tiles of T for this tiling.
template <class T, class Body>
void with_shape(Tiling tiling, const Body& body) {
  if constexpr (sizeof(T) == sizeof(double)) {
    body(WideTile<T>());
  } else if (tiling == Tiling::tensor) {
    body(TensorTile());
  } else if (tiling == Tiling::narrow) {
    body(NarrowTile());
  } else {
    body(WideTile<T>());
  }
}

// Four times the blocks that run at once, so that multiprocessors are idle only for a small part of
// the time at the end. A guess, not measured yet.
index_t wanted_blocks(const Queue& queue) {
  if (sweep_override().blocks > 0) return sweep_override().blocks;
  return index_t{4} * 2 * attribute_of(queue, cudaDevAttrMultiProcessorCount);
}

template <class T>
SweepPlan plan_of(const PackedRows<T>& X, index_t m, index_t blocks) {
  return plan_sweep(X.tiles(), flops_of_row_of_tiles(X, m), flops_of_launch<T>(), blocks);
}

struct Stripes {
  explicit Stripes(index_t columns)
      : units((columns + 15) / 16), count((columns + widest_stripe - 1) / widest_stripe) {}
  index_t units, count;

  index_t begin(index_t stripe) const { return 16 * (units * stripe / count); }
  index_t width(index_t stripe) const { return begin(stripe + 1) - begin(stripe); }
};

// Keeps the host at most two launches ahead of the device, so that a call can be stopped.
class Pace {
 public:
  explicit Pace(const Queue& queue) : queue_(queue) {}
  ~Pace() {
    for (cudaEvent_t event : events_) {
      if (event != nullptr) cudaEventDestroy(event);
    }
  }
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // After each launch but the last.
  void launched() {
    cudaEvent_t& event = events_[launches_++ % events_.size()];
    if (event == nullptr) check(cudaEventCreate(&event), "cudaEventCreate");
    check(cudaEventRecord(event, queue_.stream()), "cudaEventRecord");
    cudaEvent_t const earlier = events_[launches_ % events_.size()];
    if (earlier != nullptr) check(cudaEventSynchronize(earlier), "cudaEventSynchronize");
  }

 private:
  const Queue& queue_;
  std::array<cudaEvent_t, 2> events_{};
  std::size_t launches_ = 0;
};

template <class T>
TileRows<T> tile_rows(const PackedRows<T>& X) {
  return {
      X.x.data(),       X.norms.data(), X.tile_norms.data(), X.stride, static_cast<int>(X.depth),
      X.exponent_scale, X.largest_norm};
}

// Calls body(first, count) for each launch; a launch has at most `at_once` rows of tiles, or
// rounds.
template <class Body>
void for_each_launch(const Queue& queue, index_t all, index_t at_once, Stage& stage,
                     const Body& body) {
  Pace pace(queue);
  for (index_t first = 0; first < all; first += at_once) {
    const index_t count = std::min(at_once, all - first);
    body(first, count);
    if (first + count < all) pace.launched();
    stage.finish_task();
  }
}

template <class T, class Out>
struct Operands {
  const double* factors;
  const T* V;  // scaled, of this stripe
  Out* out;    // its first column
  index_t columns, count;
};

template <class Shape, int m, bool squared, class T, class Out>
void multiply_in_rounds(const Queue& queue, const PackedRows<T>& X,
                        const Operands<T, Out>& operands, Stage& stage) {
  const Tournament plan = plan_tournament(X.tiles(), wanted_blocks(queue));
  const DeviceBuffer<double> sums(queue, plan.at_once * X.tiles() * Shape::side * m);
  check(cudaMemsetAsync(sums.data(), 0, static_cast<std::size_t>(sums.size()) * sizeof(double),
                        queue.stream()),
        "cudaMemsetAsync");
  const dim3 grid(static_cast<unsigned>(plan.pairs()), static_cast<unsigned>(plan.at_once));
  for_each_launch(queue, plan.rounds(), plan.at_once, stage, [&](index_t first, index_t) {
    launch(queue, multiply_triangle<Shape, m, squared>, grid, Shape::threads,
           shared_bytes<Shape>(m), tile_rows(X), operands.V, first, plan.rounds(), sums.data());
  });
  launch(queue, add_parts<Shape, m, Out>, static_cast<unsigned>(X.tiles()), Shape::threads, 0,
         sums.data(), X.tiles(), plan.at_once, operands.factors, 0, X.n, operands.out,
         operands.columns, operands.count);
}

template <class Shape, int m, bool squared, class T, class Out>
void multiply_stripe(const Queue& queue, const PackedRows<T>& X, const SweepPlan& plan,
                     const Operands<T, Out>& operands, Stage& stage) {
  if (sweep_override().one_triangle) {
    return multiply_in_rounds<Shape, m, squared>(queue, X, operands, stage);
  }
  const DeviceBuffer<double> sums(
      queue, std::min(plan.rows_of_tiles, X.tiles()) * plan.parts * Shape::side * m);
  for_each_launch(queue, X.tiles(), plan.rows_of_tiles, stage, [&](index_t first, index_t count) {
    const auto rows = static_cast<unsigned>(count), parts = static_cast<unsigned>(plan.parts);
    launch(queue, multiply_gaussian<Shape, m, squared>, dim3(rows, parts), Shape::threads,
           shared_bytes<Shape>(m), tile_rows(X), operands.V, first, sums.data());
    launch(queue, add_parts<Shape, m, Out>, rows, Shape::threads, 0, sums.data(), count, plan.parts,
           operands.factors, first, X.n, operands.out, operands.columns, operands.count);
  });
}

template <class Shape, class T, class Out>
void multiply_plain(const Queue& queue, const PackedRows<T>& X, const SweepPlan& plan, index_t m,
                    const Operands<T, Out>& operands, Stage& stage) {
  switch (m) {
    case 16:
      return multiply_stripe<Shape, 16, false>(queue, X, plan, operands, stage);
    case 32:
      return multiply_stripe<Shape, 32, false>(queue, X, plan, operands, stage);
    case 48:
      return multiply_stripe<Shape, 48, false>(queue, X, plan, operands, stage);
    case 64:
      return multiply_stripe<Shape, 64, false>(queue, X, plan, operands, stage);
    default:
      static_assert(widest_stripe == 80, "one case for each width");
      return multiply_stripe<Shape, 80, false>(queue, X, plan, operands, stage);
  }
}

}  // namespace

SweepOverride& sweep_override() {
  static thread_local SweepOverride values;
  return values;
}

SweepPlan plan_sweep(index_t tiles, double flops, double flops_of_launch, index_t blocks) {
  const double rows = std::min(flops_of_launch / flops, static_cast<double>(tiles));
  SweepPlan plan{std::max<index_t>(1, static_cast<index_t>(rows)), 1};
  constexpr index_t most_parts = 65'535;  // of a grid's second dimension
  const index_t parts = (blocks + plan.rows_of_tiles - 1) / plan.rows_of_tiles;
  plan.parts = std::max<index_t>(1, std::min({parts, tiles, most_parts}));
  return plan;
}

Tournament plan_tournament(index_t tiles, index_t blocks) {
  Tournament plan{tiles, 1};
  constexpr index_t most_rounds = 65'535;  // of a grid's second dimension
  const index_t at_once = (blocks + plan.pairs() - 1) / plan.pairs();
  plan.at_once = std::min({at_once, plan.rounds(), most_rounds});
  return plan;
}

template <class T>
PackedRows<T> pack_rows(const Queue& queue, const DeviceRows<T>& X, double sigma) {
  const Range range("pack_rows");
  PackedRows<T> packed;
  packed.tiling = tiling_for<T>(queue);
  with_shape<T>(packed.tiling, [&](auto shape) { packed.side = shape.side; });
  packed.n = X.n;
  packed.stride = round_up(X.n, packed.side);
  packed.depth = round_up(X.d, WideTile<T>::slice);
  packed.x = DeviceBuffer<T>(queue, packed.depth * packed.stride);
  packed.norms = DeviceBuffer<T>(queue, packed.stride);
  packed.tile_norms = DeviceBuffer<T>(queue, packed.tiles());
  const dim3 grid(blocks_for(packed.stride, transposed),
                  std::min(blocks_for(packed.depth, transposed), 65'535U));
  launch(queue, pack<T>, grid, dim3(transposed, transposing_rows), 0, X.x.data(), X.n, X.d,
         packed.x.data(), packed.stride, packed.depth);
  with_shape<T>(packed.tiling, [&](auto shape) {
    launch(queue, pack_norms<T, shape.side>, static_cast<unsigned>(packed.tiles()), shape.side, 0,
           X.norms.data(), X.n, packed.norms.data(), packed.tile_norms.data());
  });
  const auto scale = static_cast<double>(exponent_scale<T>(sigma, X.scale));
  constexpr double log2_of_e = 1.4426950408889634;
  packed.exponent_scale = static_cast<T>(scale * log2_of_e);
  const double factor = distance_error_factor(X.d, (X.d + widest_block - 1) / widest_block);
  // Products of 3xTF32 are off by up to 4 eps, half from the rests and half from the product of the
  // small parts. |x - y|^2 is off by twice as much.
  const double of_products = packed.tiling == Tiling::tensor ? 8.0 : 0.0;
  const double error =
      (factor + of_products) * static_cast<double>(std::numeric_limits<T>::epsilon());
  const double largest = exponent_tolerance<T> / (error * -scale);
  packed.largest_norm =
      static_cast<T>(std::min(largest, static_cast<double>(std::numeric_limits<T>::max())));
  return packed;
}

template <class T>
void scale_vectors(const Queue& queue, const ScaledVectors<T>& vectors, T* scaled, index_t rows,
                   index_t m) {
  launch(queue, scale<T>, blocks_for(rows * m, threads), static_cast<unsigned>(threads), 0, vectors,
         scaled, rows, m);
}

template <class T>
index_t sweep_launches(const Queue& queue, const PackedRows<T>& X, index_t m) {
  const index_t blocks = wanted_blocks(queue);
  if (m == 0) return plan_of(X, 0, blocks).launches(X.tiles());
  const Stripes stripes(m);
  if (sweep_override().one_triangle) {
    return stripes.count * plan_tournament(X.tiles(), blocks).launches();
  }
  index_t launches = 0;
  for (index_t stripe = 0; stripe < stripes.count; ++stripe) {
    launches += plan_of(X, stripes.width(stripe), blocks).launches(X.tiles());
  }
  return launches;
}

template <class T, class Out>
void gaussian_sweep(const Queue& queue, const PackedRows<T>& X, Entries entries,
                    const double* factors, const T* V, index_t m, Out* out, Stage& stage) {
  const Stripes stripes(m);
  for (index_t stripe = 0; stripe < stripes.count; ++stripe) {
    const index_t first = stripes.begin(stripe), width = stripes.width(stripe);
    const index_t count = std::min(width, m - first);
    const DeviceBuffer<T> scaled(queue, X.stride * width);
    scale_vectors<T>(queue, {V, X.n, m, first, count, factors}, scaled.data(), X.stride, width);
    const SweepPlan plan = plan_of(X, width, wanted_blocks(queue));
    const Operands<T, Out> operands{factors, scaled.data(), out + first, m, count};
    with_shape<T>(X.tiling, [&](auto shape) {
      using Shape = decltype(shape);
      if (entries == Entries::plain) {
        multiply_plain<Shape>(queue, X, plan, width, operands, stage);
      } else if (width == 16) {
        multiply_stripe<Shape, 16, true>(queue, X, plan, operands, stage);
      } else {
        throw std::logic_error("squares are multiplied with up to 16 vectors");
      }
    });
  }
}

template <class T, class Entry>
void write_gaussian(const Queue& queue, const PackedRows<T>& X, Entry* G, Stage& stage) {
  const SweepPlan plan = plan_of(X, 0, wanted_blocks(queue));
  for_each_launch(queue, X.tiles(), plan.rows_of_tiles, stage, [&](index_t first, index_t count) {
    const dim3 grid(static_cast<unsigned>(count), static_cast<unsigned>(plan.parts));
    with_shape<T>(X.tiling, [&](auto shape) {
      using Shape = decltype(shape);
      launch(queue, write_tiles<Shape, Entry>, grid, Shape::threads, shared_bytes<Shape>(0),
             tile_rows(X), first, X.n, G);
    });
  });
}

#define EIGENTROPY_INSTANTIATE(T)                                                           \
  template PackedRows<T> pack_rows(const Queue&, const DeviceRows<T>&, double);             \
  template void scale_vectors(const Queue&, const ScaledVectors<T>&, T*, index_t, index_t); \
  template index_t sweep_launches(const Queue&, const PackedRows<T>&, index_t);             \
  template void gaussian_sweep(const Queue&, const PackedRows<T>&, Entries, const double*,  \
                               const T*, index_t, double*, Stage&);                         \
  template void write_gaussian(const Queue&, const PackedRows<T>&, T*, Stage&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE
template void write_gaussian(const Queue&, const PackedRows<float>&, __half*, Stage&);
// Results in float32. Results in double are instantiated above.
template void gaussian_sweep(const Queue&, const PackedRows<float>&, Entries, const double*,
                             const float*, index_t, float*, Stage&);

}  // namespace eigentropy::cuda
