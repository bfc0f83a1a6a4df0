// What the threads of a block do with a tile of G: a square of T in shared memory.
//
// Two products of matrices follow each other, as in attention: x_i . x_j over the entries of the
// rows, whose exponentials become the tile, and the tile times the vectors of its columns. Both are
// blocked alike. Each of 256 threads has per_thread rows and as many columns of the first product
// in registers, and as many rows of the second; what is multiplied comes through shared memory in
// slices, of which one is multiplied while the next is on its way.
#pragma once

#include "cuda/gaussian_sweep.hpp"
#include "cuda/tiles.hpp"

namespace eigentropy::cuda {

// As much as one instruction loads.
template <class T>
struct alignas(16) Pack {
  static constexpr int width = 16 / sizeof(T);
  T values[width];
};

template <class T>
struct TileShape {
  static constexpr int pack = Pack<T>::width;
  static constexpr int side = static_cast<int>(gaussian_tile<T>);
  static constexpr int threads = 256;
  static constexpr int per_thread = 2 * pack;
  static constexpr int slice = 8;          // entries of the rows in a slice
  static constexpr int vector_slice = 16;  // rows of the vectors in a slice
  // Entries of the rows whose products are summed in registers; longer sums are made of these, so
  // that rounding errors of one direction, as of rows of one number repeated, add up no further.
  // That is some hundredths of the work; not measured yet.
  static constexpr int longest_sum = 128;
  static_assert(side == 32 * pack, "8 warps in 2 x 4, of 8 x 4 lanes, with 2 x 2 packs each");
  static_assert(slice * side == threads * pack, "a thread loads one pack of a slice");

  // Elements of shared memory: the tile, and behind it two buffers for slices.
  static constexpr int slices(int m) {
    return 2 * (2 * slice * side > vector_slice * m ? 2 * slice * side : vector_slice * m);
  }
  static constexpr std::size_t shared_bytes(int m) {
    return static_cast<std::size_t>(side * side + slices(m)) * sizeof(T);
  }
};

// Which rows and columns of a tile a thread has: a pack from `row` on, and one from row + far_row
// on, and likewise columns. The lanes of a warp read a pack of 8 different rows, side by side, and
// of 4 different columns: no bank is asked for two different words.
template <class T>
struct Position {
  static constexpr int pack = TileShape<T>::pack;
  static constexpr int far_row = 8 * pack, far_col = 4 * pack;
  int row, col, group;  // group: which sixteenth of the vectors

  __device__ Position() {
    const auto thread = static_cast<int>(threadIdx.x);
    const int warp = thread / 32, lane = thread % 32;
    row = (warp % 2) * 16 * pack + (lane % 8) * pack;
    col = (warp / 2) * 8 * pack + (lane / 8) * pack;
    group = (warp / 2) * 4 + lane / 8;
  }
  // Of the thread's p-th row or column.
  __device__ int row_of(int p) const { return row + p / pack * far_row + p % pack; }
  __device__ int col_of(int p) const { return col + p / pack * far_col + p % pack; }
};

template <class T>
__device__ Pack<T> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T>*>(from);
}
template <class T>
__device__ void store_pack(T* to, const Pack<T>& pack) {
  *reinterpret_cast<Pack<T>*>(to) = pack;
}

// values <- two packs, `apart` elements from each other.
template <class T>
__device__ void load_two_packs(const T* from, int apart, T (&values)[TileShape<T>::per_thread]) {
  const Pack<T> near = load_pack(from), far = load_pack(from + apart);
  EIGENTROPY_UNROLL
  for (int p = 0; p < Pack<T>::width; ++p) {
    values[p] = near.values[p];
    values[p + Pack<T>::width] = far.values[p];
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

template <class T>
using Square = T[TileShape<T>::per_thread][TileShape<T>::per_thread];

// sums_ij += sum_k a_ki b_kj, or (a_ki - b_kj)^2 with `differences`, k < depth, a multiple of a
// slice. a and b are where the thread's pack of the first slice is, and afterwards where that of
// the next one would be. `slices` may be written when all threads are here, and may be in use when
// they return.
template <bool differences, class T>
__device__ void add_products(const T*& a, const T*& b, index_t stride, int depth, T* slices,
                             Square<T>& sums) {
  using Shape = TileShape<T>;
  constexpr int count = Shape::slice * Shape::side;
  const Position<T> position;
  const int element = static_cast<int>(threadIdx.x) * Shape::pack;
  Pack<T> next_a = load_pack(a), next_b = load_pack(b);
  for (int k = 0; k < depth; k += Shape::slice) {
    // A thread may still be at the slice before this one, but not at the one before that.
    T* const slice = slices + k / Shape::slice % 2 * (2 * count);
    store_pack(slice + element, next_a);
    store_pack(slice + count + element, next_b);
    __syncthreads();
    a += Shape::slice * stride;
    b += Shape::slice * stride;
    if (k + Shape::slice < depth) {
      next_a = load_pack(a);
      next_b = load_pack(b);
    }
    EIGENTROPY_UNROLL
    for (int s = 0; s < Shape::slice; ++s) {
      T x[Shape::per_thread], y[Shape::per_thread];
      load_two_packs(slice + s * Shape::side + position.row, position.far_row, x);
      load_two_packs(slice + count + s * Shape::side + position.col, position.far_col, y);
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
}

// tile[j * side + i] <- values_ij, or those are added; and the other way round.
template <class T>
__device__ void put(const Square<T>& values, bool add, T* tile) {
  const Position<T> position;
  EIGENTROPY_UNROLL
  for (int j = 0; j < TileShape<T>::per_thread; ++j) {
    T* const column = tile + position.col_of(j) * TileShape<T>::side + position.row;
    EIGENTROPY_UNROLL
    for (int half = 0; half < 2; ++half) {
      T* const place = column + half * position.far_row;
      Pack<T> pack;
      if (add) pack = load_pack(place);
      EIGENTROPY_UNROLL
      for (int p = 0; p < Pack<T>::width; ++p) {
        const T value = values[half * Pack<T>::width + p][j];
        pack.values[p] = add ? pack.values[p] + value : value;
      }
      store_pack(place, pack);
    }
  }
}
template <class T>
__device__ void take(const T* tile, Square<T>& values) {
  const Position<T> position;
  EIGENTROPY_UNROLL
  for (int j = 0; j < TileShape<T>::per_thread; ++j) {
    T column[TileShape<T>::per_thread];
    load_two_packs(tile + position.col_of(j) * TileShape<T>::side + position.row, position.far_row,
                   column);
    EIGENTROPY_UNROLL
    for (int i = 0; i < TileShape<T>::per_thread; ++i) values[i][j] = column[i];
  }
}

// The tile becomes its transpose. What other threads read of it before and read of it afterwards
// must be behind barriers. (Packs of 8 lanes go to the same banks; not measured yet what that
// costs.)
template <class T>
__device__ void transpose(T* tile) {
  const Position<T> position;
  Square<T> values;
  take(tile, values);
  __syncthreads();
  EIGENTROPY_UNROLL
  for (int i = 0; i < TileShape<T>::per_thread; ++i) {
    T* const row = tile + position.row_of(i) * TileShape<T>::side + position.col;
    EIGENTROPY_UNROLL
    for (int half = 0; half < 2; ++half) {
      Pack<T> pack;
      EIGENTROPY_UNROLL
      for (int p = 0; p < Pack<T>::width; ++p)
        pack.values[p] = values[i][half * Pack<T>::width + p];
      store_pack(row + half * position.far_col, pack);
    }
  }
}

// sums_ij <- sum_k over all entries of the rows. Sums that are longer than longest_sum are put
// together in the tile, each thread's in places of its own.
template <class T>
__device__ void products(bool differences, const T* a, const T* b, index_t stride, int depth,
                         T* tile, T* slices, Square<T>& sums) {
  using Shape = TileShape<T>;
  constexpr int longest = Shape::longest_sum;
  const int element = static_cast<int>(threadIdx.x) * Shape::pack;
  const index_t place = element / Shape::side * stride + element % Shape::side;
  a += place;
  b += place;
  int k = 0;
  do {  // at least once: otherwise the compiler keeps the last tile's sums for the other case
    for (auto& row : sums) {
      for (T& sum : row) sum = 0;
    }
    // Its first slice is in the buffer that the last one of before was not in.
    static_assert(longest / Shape::slice % 2 == 0, "buffers alternate");
    const int length = depth - k < longest ? depth - k : longest;
    if (differences) {
      add_products<true>(a, b, stride, length, slices, sums);
    } else {
      add_products<false>(a, b, stride, length, slices, sums);
    }
    if (depth > longest) put(sums, k > 0, tile);
    k += longest;
  } while (k < depth);
  if (depth > longest) take(tile, sums);
}

// What all blocks read.
template <class T>
struct TileRows {
  const T *x, *norms, *tile_norms;
  index_t stride;
  int depth;
  T exponent_scale, largest_norm;
};

// tile[j * side + i] <- G of row i of one tile of rows and row j of another, or its square. Threads
// must not be reading tile or slices when they come here, and are not synchronised when they leave.
template <class T>
__device__ void gaussian_entries(const TileRows<T>& X, int tile_i, int tile_j, bool squared,
                                 T* tile, T* slices) {
  using Shape = TileShape<T>;
  const auto first_i = static_cast<index_t>(tile_i) * Shape::side;
  const auto first_j = static_cast<index_t>(tile_j) * Shape::side;
  const bool cancels =
      X.tile_norms[tile_i] > X.largest_norm || X.tile_norms[tile_j] > X.largest_norm;
  Square<T> sums;
  products(cancels, X.x + first_i, X.x + first_j, X.stride, X.depth, tile, slices, sums);
  const Position<T> position;
  T norms_i[Shape::per_thread];
  load_two_packs(X.norms + first_i + position.row, position.far_row, norms_i);
  EIGENTROPY_UNROLL
  for (int j = 0; j < Shape::per_thread; ++j) {
    const T norm_j = X.norms[first_j + position.col_of(j)];
    EIGENTROPY_UNROLL
    for (int i = 0; i < Shape::per_thread; ++i) {
      const T expanded = norms_i[i] + norm_j - 2 * sums[i][j];
      const T r2 = cancels ? sums[i][j] : expanded > 0 ? expanded : T(0);
      const T entry = power_of_two(X.exponent_scale * r2);
      sums[i][j] = squared ? entry * entry : entry;
    }
  }
  put(sums, false, tile);
  if (tile_i != tile_j) return;
  __syncthreads();
  const auto thread = static_cast<int>(threadIdx.x);
  if (thread < Shape::side) tile[thread * (Shape::side + 1)] = 1;  // G_ii = 1 exactly
}

// sums_ic <- sum_j tile_ij V_jc, for m vectors of the tile's columns.
template <int m, class T>
__device__ void multiply_tile(const T* tile, const T* V, T* slices,
                              T (&sums)[TileShape<T>::per_thread][m / 16]) {
  using Shape = TileShape<T>;
  constexpr int count = Shape::vector_slice * m, step = Shape::threads * Shape::pack;
  constexpr int packs = (count + step - 1) / step;  // of a thread
  const Position<T> position;
  const int element = static_cast<int>(threadIdx.x) * Shape::pack;
  for (auto& row : sums) {
    for (T& sum : row) sum = 0;
  }
  Pack<T> next[packs] = {};
  const auto load = [&](int first_row) {
    EIGENTROPY_UNROLL
    for (int p = 0; p < packs; ++p) {
      if (element + p * step < count) next[p] = load_pack(V + first_row * m + element + p * step);
    }
  };
  load(0);
  __syncthreads();  // the slices of the first product are no longer needed
  for (int first = 0; first < Shape::side; first += Shape::vector_slice) {
    T* const slice = slices + first / Shape::vector_slice % 2 * count;
    EIGENTROPY_UNROLL
    for (int p = 0; p < packs; ++p) {
      if (element + p * step < count) store_pack(slice + element + p * step, next[p]);
    }
    __syncthreads();
    if (first + Shape::vector_slice < Shape::side) load(first + Shape::vector_slice);
    for (int s = 0; s < Shape::vector_slice; ++s) {
      T entries[Shape::per_thread];
      load_two_packs(tile + (first + s) * Shape::side + position.row, position.far_row, entries);
      EIGENTROPY_UNROLL
      for (int c = 0; c < m / 16; ++c) {
        const T v = slice[s * m + position.group * (m / 16) + c];
        EIGENTROPY_UNROLL
        for (int i = 0; i < Shape::per_thread; ++i) sums[i][c] += entries[i] * v;
      }
    }
  }
}

}  // namespace eigentropy::cuda
