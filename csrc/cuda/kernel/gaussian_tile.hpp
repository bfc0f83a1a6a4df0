// A tile of G, a square of T in shared memory, and the products of it by the threads of a block.
//
// Two products of matrices follow each other, as in attention: x_i . x_j over the entries of the
// rows, whose exponentials become the tile, and the tile times the vectors of its columns. Both are
// blocked alike. Each of 256 threads has per_thread rows and as many columns of the first product
// in registers, and as many rows of the second; operands come through shared memory in slices; one
// slice is multiplied while the next is loaded.
//
// A Shape says how large the tile is.
#pragma once

#include "cuda/kernel/packed_rows.hpp"
#include "cuda/kernel/product_tile.hpp"
#include "cuda/kernel/slice_copies.hpp"

namespace eigentropy::cuda {

// `width`: how many numbers a thread loads with one instruction. All else follows from it.
template <class Element, int width>
struct TileShape {
  using T = Element;
  static constexpr int pack = width;
  static constexpr int side = 32 * pack;  // 8 warps in 2 x 4, of 8 x 4 lanes, with 2 x 2 packs each
  static constexpr int threads = 256;
  static constexpr int per_thread = 2 * pack;
  static constexpr int slice = depth_unit;  // entries of the rows in a slice
  static constexpr int vector_slice = 16;   // rows of the vectors in a slice
  static_assert(slice * side == threads * pack, "a thread loads one pack of a slice");

  // Where entry (i, j) is in the tile, behind which shared memory has two buffers for slices.
  static __device__ int place(int i, int j) { return j * side + i; }
};

template <class T>
using WideTile = TileShape<T, 16 / sizeof(T)>;
using NarrowTile = TileShape<float, 2>;

// Elements of two buffers for slices, and bytes of the tile and of them.
template <class Shape>
constexpr int size_of_slices(int m) {
  const int of_rows = 2 * Shape::slice * Shape::side;
  const int of_vectors = Shape::vector_slice * m;
  return 2 * (of_rows > of_vectors ? of_rows : of_vectors);
}
template <class Shape>
constexpr std::size_t shared_bytes(int m) {
  return static_cast<std::size_t>(Shape::side * Shape::side + size_of_slices<Shape>(m)) *
         sizeof(typename Shape::T);
}

// A pack: the numbers that one instruction loads.
template <class Shape>
struct alignas(Shape::pack * sizeof(typename Shape::T)) Pack {
  typename Shape::T values[Shape::pack];
};

// Which rows and columns of a tile a thread has: a pack from `row` on, and one from row + far_row
// on, and likewise columns. The lanes of a warp read a pack of 8 different rows, side by side, and
// of 4 different columns: no bank is asked for two different words.
template <class Shape>
struct Position {
  static constexpr int pack = Shape::pack;
  static constexpr int far_row = 8 * pack, far_col = 4 * pack;
  int row, col, group;  // group: which sixteenth of the vectors

  __device__ Position() {
    const int thread = own_thread();
    const int warp = thread / 32, lane = thread % 32;
    row = (warp % 2) * 16 * pack + (lane % 8) * pack;
    col = (warp / 2) * 8 * pack + (lane / 8) * pack;
    group = (warp / 2) * 4 + lane / 8;
  }
  // Of the thread's p-th row or column.
  __device__ int row_of(int p) const { return row + p / pack * far_row + p % pack; }
  __device__ int col_of(int p) const { return col + p / pack * far_col + p % pack; }
};

template <class Shape>
__device__ Pack<Shape> load_pack(const typename Shape::T* from) {
  return *reinterpret_cast<const Pack<Shape>*>(from);
}
template <class Shape>
__device__ void store_pack(typename Shape::T* to, const Pack<Shape>& pack) {
  *reinterpret_cast<Pack<Shape>*>(to) = pack;
}

// values <- two packs of shared memory.
template <class Shape>
__device__ void load_two_packs(const typename Shape::T* first, const typename Shape::T* second,
                               typename Shape::T (&values)[Shape::per_thread]) {
  const auto near = load_pack<Shape>(first), far = load_pack<Shape>(second);
  EIGENTROPY_UNROLL
  for (int p = 0; p < Shape::pack; ++p) {
    values[p] = near.values[p];
    values[p + Shape::pack] = far.values[p];
  }
}

// 2^x
template <class T>
__device__ T power_of_two(T x) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return exp2f(x);
  } else {
    return exp2(x);
  }
}

template <class Shape>
using Square = typename Shape::T[Shape::per_thread][Shape::per_thread];

// The arguments that all blocks read.
template <class T>
struct TileRows {
  const T *x, *norms;
  const LengthRange<T>* lengths;
  index_t stride;
  int depth;
  T exponent_scale;
  PrecisionRule<T> rule;

  __device__ TileWay way(int tile_i, int tile_j) const {
    return rule.way(lengths[tile_i], lengths[tile_j]);
  }
};

template <class T>
TileRows<T> tile_rows(const PackedRows<T>& X) {
  return {X.x.data(),       X.norms.data(), X.lengths.data(), X.stride, static_cast<int>(X.depth),
          X.exponent_scale, X.rule};
}

// The part of a row of tiles that a block visits: whole groups of tiles. What is summed in T before
// it goes to float64 is a group, so that sums do not depend on the number of parts.
struct Stretch {
  int begin, end;
};
inline __device__ Stretch stretch_of_part(int tiles, int group) {
  const auto part = static_cast<int>(blockIdx.y), parts = static_cast<int>(gridDim.y);
  const int groups = (tiles + group - 1) / group, each = groups / parts, longer = groups % parts;
  const int first = part * each + min(part, longer);
  const int count = each + (part < longer ? 1 : 0);
  return {min(tiles, first * group), min(tiles, (first + count) * group)};
}

// Each thread multiplies what belongs to the rows and columns that Position gives it.
struct ByThreads {
  // sums_ij += x_i . y_j or |x_i - y_j|^2 for the entries of a slice.
  template <class Shape, bool differences = false>
  static __device__ void add(const Position<Shape>& position, const typename Shape::T* rows,
                             const typename Shape::T* cols, Square<Shape>& sums);
  // The tile <- G of the rows from first_i and from first_j on.
  template <class Shape>
  static __device__ void put_entries(const TileRows<typename Shape::T>& X, index_t first_i,
                                     index_t first_j, bool differences, bool squared,
                                     Square<Shape>& sums, typename Shape::T* tile);
  // sums_ic += the tile's entries (i, first + s) times the slice's V_sc, s < vector_slice. Where in
  // the tile's rows and the m vectors a thread's sums belong, row_of_sum and col_of_sum say.
  template <class Shape, int m>
  static __device__ void add_vectors(const typename Shape::T* tile, int first,
                                     const typename Shape::T* slice,
                                     typename Shape::T (&sums)[Shape::per_thread][m / 16]);
  template <class Shape>
  static __device__ int row_of_sum(int i) {
    return Position<Shape>().row_of(i);
  }
  template <class Shape, int m>
  static __device__ int col_of_sum(int, int c) {
    return Position<Shape>().group * (m / 16) + c;
  }
};

template <class Shape, bool differences>
__device__ void ByThreads::add(const Position<Shape>& position, const typename Shape::T* rows,
                               const typename Shape::T* cols, Square<Shape>& sums) {
  using T = typename Shape::T;
  EIGENTROPY_UNROLL
  for (int s = 0; s < Shape::slice; ++s) {
    T x[Shape::per_thread], y[Shape::per_thread];
    const T* const from_rows = rows + s * Shape::side + position.row;
    const T* const from_cols = cols + s * Shape::side + position.col;
    load_two_packs<Shape>(from_rows, from_rows + position.far_row, x);
    load_two_packs<Shape>(from_cols, from_cols + position.far_col, y);
    EIGENTROPY_UNROLL
    for (int i = 0; i < Shape::per_thread; ++i) {
      EIGENTROPY_UNROLL
      for (int j = 0; j < Shape::per_thread; ++j) {
        if (differences) {
          sums[i][j] += (x[i] - y[j]) * (x[i] - y[j]);
        } else {
          sums[i][j] += x[i] * y[j];
        }
      }
    }
  }
}

// Adds the products of k < depth entries, a multiple of a slice, or their differences. `a` is where
// the thread's pack of the first slice is, and afterwards where that of the next one would be; that
// of the other rows is b_from_a behind it. `slices` may be written when all threads are here, and
// may be in use when they return.
template <bool differences, class Shape>
__device__ void add_products(const typename Shape::T*& a, int b_from_a, index_t stride, int depth,
                             typename Shape::T* slices, Square<Shape>& sums) {
  using T = typename Shape::T;
  constexpr int count = Shape::slice * Shape::side, bytes = sizeof(Pack<Shape>);
  const Position<Shape> position;
  const auto load = [&](int k) {
    const int element = own_thread() * Shape::pack;
    T* const slice = slices + k / Shape::slice % 2 * (2 * count);
    copy_slice<bytes>(slice + element, a);
    copy_slice<bytes>(slice + count + element, a + b_from_a);
    a += Shape::slice * stride;
  };
  load(0);
  for (int k = 0; k < depth; k += Shape::slice) {
    wait_for_slices();
    __syncthreads();
    // No thread is at the slice before this one any more.
    if (k + Shape::slice < depth) load(k + Shape::slice);
    const T* const slice = slices + k / Shape::slice % 2 * (2 * count);
    ByThreads::add<Shape, differences>(position, slice, slice + count, sums);
  }
}

// Writes values_ij to the tile or adds them to it, and reads them back.
template <class Shape>
__device__ void put(const Square<Shape>& values, bool add, typename Shape::T* tile) {
  const Position<Shape> position;
  EIGENTROPY_UNROLL
  for (int j = 0; j < Shape::per_thread; ++j) {
    EIGENTROPY_UNROLL
    for (int half = 0; half < 2; ++half) {
      auto* const place =
          tile + Shape::place(position.row + half * position.far_row, position.col_of(j));
      Pack<Shape> pack;
      if (add) pack = load_pack<Shape>(place);
      EIGENTROPY_UNROLL
      for (int p = 0; p < Shape::pack; ++p) {
        const auto value = values[half * Shape::pack + p][j];
        pack.values[p] = add ? pack.values[p] + value : value;
      }
      store_pack<Shape>(place, pack);
    }
  }
}
template <class Shape>
__device__ void take(const typename Shape::T* tile, Square<Shape>& values) {
  const Position<Shape> position;
  EIGENTROPY_UNROLL
  for (int j = 0; j < Shape::per_thread; ++j) {
    const int col = position.col_of(j);
    typename Shape::T column[Shape::per_thread];
    load_two_packs<Shape>(tile + Shape::place(position.row, col),
                          tile + Shape::place(position.row + position.far_row, col), column);
    EIGENTROPY_UNROLL
    for (int i = 0; i < Shape::per_thread; ++i) values[i][j] = column[i];
  }
}

// Transposes the tile. Barriers must separate it from other threads' reads of the tile before and
// after. Packs of 8 lanes go to the same banks.
template <class Shape>
__device__ void transpose(typename Shape::T* tile) {
  const Position<Shape> position;
  Square<Shape> values;
  take<Shape>(tile, values);
  __syncthreads();
  EIGENTROPY_UNROLL
  for (int i = 0; i < Shape::per_thread; ++i) {
    EIGENTROPY_UNROLL
    for (int half = 0; half < 2; ++half) {
      Pack<Shape> pack;
      EIGENTROPY_UNROLL
      for (int p = 0; p < Shape::pack; ++p) pack.values[p] = values[i][half * Shape::pack + p];
      store_pack<Shape>(
          tile + Shape::place(position.col + half * position.far_col, position.row_of(i)), pack);
    }
  }
}

// sums_ij <- sum_k over all entries of the rows. Sums longer than longest_sum are added up in the
// tile, where each thread has places of its own.
template <class Shape>
__device__ void products(bool differences, const typename Shape::T* a, int b_from_a, index_t stride,
                         int depth, typename Shape::T* tile, typename Shape::T* slices,
                         Square<Shape>& sums) {
  constexpr int longest = longest_sum;
  const int element = own_thread() * Shape::pack;
  const index_t place = element / Shape::side * stride + element % Shape::side;
  a += place;
  int k = 0;
  do {  // at least once: otherwise the compiler keeps the last tile's sums for the other case
    for (auto& row : sums) {
      for (auto& sum : row) sum = 0;
    }
    // The first slice goes to the buffer that does not hold the last slice.
    static_assert(longest / Shape::slice % 2 == 0, "buffers alternate");
    const int length = depth - k < longest ? depth - k : longest;
    if (differences) {
      add_products<true, Shape>(a, b_from_a, stride, length, slices, sums);
    } else {
      add_products<false, Shape>(a, b_from_a, stride, length, slices, sums);
    }
    if (depth > longest) put<Shape>(sums, k > 0, tile);
    k += longest;
  } while (k < depth);
  if (depth > longest) take<Shape>(tile, sums);
}

// G_ij or its square from the result of products() for rows with these |x|^2.
template <class T>
__device__ T gaussian_entry(const TileRows<T>& X, bool differences, bool squared, T norm_i,
                            T norm_j, T sum) {
  const T expanded = norm_i + norm_j - 2 * sum;
  const T r2 = differences ? sum : expanded > 0 ? expanded : T(0);
  const T entry = power_of_two(X.exponent_scale * r2);
  return squared ? entry * entry : entry;
}

template <class Shape>
__device__ void ByThreads::put_entries(const TileRows<typename Shape::T>& X, index_t first_i,
                                       index_t first_j, bool differences, bool squared,
                                       Square<Shape>& sums, typename Shape::T* tile) {
  using T = typename Shape::T;
  const Position<Shape> position;
  T norms_i[Shape::per_thread];
  const T* const norms = X.norms + first_i + position.row;
  load_two_packs<Shape>(norms, norms + position.far_row, norms_i);
  EIGENTROPY_UNROLL
  for (int j = 0; j < Shape::per_thread; ++j) {
    const T norm_j = X.norms[first_j + position.col_of(j)];
    EIGENTROPY_UNROLL
    for (int i = 0; i < Shape::per_thread; ++i) {
      sums[i][j] = gaussian_entry(X, differences, squared, norms_i[i], norm_j, sums[i][j]);
    }
  }
  put<Shape>(sums, false, tile);
}

// Entry (i, j) of the tile <- G of row i of one tile of rows and row j of another, or its square,
// by products or differences. Threads must not be reading tile or slices when they come here, and
// are not synchronised when they leave.
template <class Shape>
__device__ void gaussian_entries(const TileRows<typename Shape::T>& X, int tile_i, int tile_j,
                                 TileWay way, bool squared, typename Shape::T* tile,
                                 typename Shape::T* slices) {
  const auto first_i = static_cast<index_t>(tile_i) * Shape::side;
  const auto first_j = static_cast<index_t>(tile_j) * Shape::side;
  const bool cancels = way == TileWay::differences;
  Square<Shape> sums;
  products<Shape>(cancels, X.x + first_i, static_cast<int>(first_j - first_i), X.stride, X.depth,
                  tile, slices, sums);
  ByThreads::put_entries<Shape>(X, first_i, first_j, cancels, squared, sums, tile);
  if (tile_i != tile_j) return;
  __syncthreads();
  const auto thread = static_cast<int>(threadIdx.x);
  if (thread < Shape::side) tile[Shape::place(thread, thread)] = 1;  // G_ii = 1 exactly
}

template <class Shape, int m>
__device__ void ByThreads::add_vectors(const typename Shape::T* tile, int first,
                                       const typename Shape::T* slice,
                                       typename Shape::T (&sums)[Shape::per_thread][m / 16]) {
  using T = typename Shape::T;
  const Position<Shape> position;
  for (int s = 0; s < Shape::vector_slice; ++s) {
    T entries[Shape::per_thread];
    load_two_packs<Shape>(tile + Shape::place(position.row, first + s),
                          tile + Shape::place(position.row + position.far_row, first + s), entries);
    EIGENTROPY_UNROLL
    for (int c = 0; c < m / 16; ++c) {
      const T v = slice[s * m + position.group * (m / 16) + c];
      EIGENTROPY_UNROLL
      for (int i = 0; i < Shape::per_thread; ++i) sums[i][c] += entries[i] * v;
    }
  }
}

// sums_ic <- sum_j tile_ij V_jc, for m vectors of the tile's columns.
template <class Shape, int m>
__device__ void multiply_tile(const typename Shape::T* tile, const typename Shape::T* V,
                              typename Shape::T* slices,
                              typename Shape::T (&sums)[Shape::per_thread][m / 16]) {
  constexpr int count = Shape::vector_slice * m, step = Shape::threads * Shape::pack;
  constexpr int packs = (count + step - 1) / step;  // of a thread
  const int element = own_thread() * Shape::pack;
  for (auto& row : sums) {
    for (auto& sum : row) sum = 0;
  }
  Pack<Shape> next[packs] = {};
  const auto load = [&](int first_row) {
    EIGENTROPY_UNROLL
    for (int p = 0; p < packs; ++p) {
      const int place = element + p * step;
      if (place < count) next[p] = load_pack<Shape>(V + first_row * m + place);
    }
  };
  load(0);
  __syncthreads();  // no thread reads the slices of the first product any more
  for (int first = 0; first < Shape::side; first += Shape::vector_slice) {
    auto* const slice = slices + first / Shape::vector_slice % 2 * count;
    EIGENTROPY_UNROLL
    for (int p = 0; p < packs; ++p) {
      const int place = element + p * step;
      if (place < count) store_pack<Shape>(slice + place, next[p]);
    }
    __syncthreads();
    if (first + Shape::vector_slice < Shape::side) load(first + Shape::vector_slice);
    ByThreads::add_vectors<Shape, m>(tile, first, slice, sums);
  }
}

}  // namespace eigentropy::cuda
