// Products of rows with rows, one tile of the result at a time, by the threads of a block.
//
// A block of 128 threads computes 64 x 64 sums over the columns of its rows. The rows come through
// shared memory, 16 columns at a time; each thread keeps 8 x 4 sums in registers, so that it reads
// 12 numbers for 32 products.
#pragma once

#include "cuda/runtime.hpp"
#include "cuda/tuning.hpp"

// nvcc keeps an array in registers only if the loops over it are unrolled.
#ifdef __CUDACC__
#define EIGENTROPY_UNROLL _Pragma("unroll")
#else
#define EIGENTROPY_UNROLL
#endif

namespace eigentropy::cuda {

constexpr auto tile_order = static_cast<int>(tuned("kernel_tile_order"));
constexpr int tile_threads = 128;
constexpr auto panel_depth = static_cast<int>(tuned("kernel_tile_depth"));
constexpr int rows_of_thread = 8, cols_of_thread = 4;
static_assert(tile_order * tile_order == tile_threads * rows_of_thread * cols_of_thread);

inline index_t tiles_per_side(index_t n) { return (n + tile_order - 1) / tile_order; }
inline index_t upper_tiles(index_t n) { return tiles_per_side(n) * (tiles_per_side(n) + 1) / 2; }

// How many numbers a thread reads from shared memory with one instruction.
template <class T>
constexpr int vector_width = 16 / static_cast<int>(sizeof(T));

// A panel of the tile's rows and one of its columns. Lines are padded, so that the numbers of a
// row, which threads write together, are in different banks.
template <class T>
struct alignas(16) Panels {
  static constexpr int pitch = tile_order + vector_width<T>;
  T rows[panel_depth][pitch], cols[panel_depth][pitch];
};

// A tile that threads exchange.
template <class T>
struct SharedTile {
  T entries[tile_order][tile_order + 1];
};

template <class T>
constexpr std::size_t tile_memory = sizeof(Panels<T>) > sizeof(SharedTile<T>)
                                        ? sizeof(Panels<T>)
                                        : sizeof(SharedTile<T>);

// The thread's entries of the tile, i < rows_of_thread and j < cols_of_thread.
template <class T>
__device__ int tile_row(int i) {
  return static_cast<int>(threadIdx.x) / (tile_order / cols_of_thread) * rows_of_thread + i;
}
// Neighbouring threads have neighbouring vectors.
template <class T>
__device__ int tile_col(int j) {
  constexpr int width = vector_width<T>, across = tile_order / cols_of_thread;
  return j / width * across * width + static_cast<int>(threadIdx.x) % across * width + j % width;
}

// panel <- columns [begin, begin + panel_depth) of rows, transposed, with 0 beyond the matrix.
template <class T>
__device__ void load_panel(const T* const* rows, index_t begin, index_t d,
                           T (*panel)[Panels<T>::pitch]) {
  const int k = static_cast<int>(threadIdx.x) % panel_depth;
  for (int r = static_cast<int>(threadIdx.x) / panel_depth; r < tile_order;
       r += tile_threads / panel_depth) {
    const T* const row = rows[r];
    panel[k][r] = row != nullptr && begin + k < d ? row[begin + k] : T(0);
  }
}

template <class T>
struct alignas(16) Vector {
  T values[vector_width<T>];
};

struct Product {
  template <class T>
  static __device__ T add(T sum, T a, T b) {
    return sum + a * b;
  }
};
struct SquaredDifference {
  template <class T>
  static __device__ T add(T sum, T a, T b) {
    return sum + (a - b) * (a - b);
  }
};

template <class Term, class T>
__device__ void add_terms(const Panels<T>& panels, T (&sums)[rows_of_thread][cols_of_thread]) {
  constexpr int width = vector_width<T>;
  EIGENTROPY_UNROLL
  for (int k = 0; k < panel_depth; ++k) {
    T a[rows_of_thread], b[cols_of_thread];
    EIGENTROPY_UNROLL
    for (int i = 0; i < rows_of_thread; i += width) {
      const auto& read = *reinterpret_cast<const Vector<T>*>(&panels.rows[k][tile_row<T>(i)]);
      EIGENTROPY_UNROLL
      for (int v = 0; v < width; ++v) a[i + v] = read.values[v];
    }
    EIGENTROPY_UNROLL
    for (int j = 0; j < cols_of_thread; j += width) {
      const auto& read = *reinterpret_cast<const Vector<T>*>(&panels.cols[k][tile_col<T>(j)]);
      EIGENTROPY_UNROLL
      for (int v = 0; v < width; ++v) b[j + v] = read.values[v];
    }
    EIGENTROPY_UNROLL
    for (int i = 0; i < rows_of_thread; ++i) {
      EIGENTROPY_UNROLL
      for (int j = 0; j < cols_of_thread; ++j) sums[i][j] = Term::add(sums[i][j], a[i], b[j]);
    }
  }
}

// sums_ij <- the sum of Term over the d columns, for the thread's entries. `rows` and `cols`, in
// shared memory, point to the rows of the tile and are null beyond the last row. The function
// synchronises the block before it reads them and at its end.
//
// Each panel is summed by itself. In rows that repeat one number, all rounding errors have the same
// sign: a plain sum of 2000 terms is wrong by 300 eps |x|^2, this sum by 30, which
// cancellation_error allows.
template <class Term, class T, class Sum>
__device__ void sum_terms(const T* const* rows, const T* const* cols, index_t d, Panels<T>& panels,
                          Sum (&sums)[rows_of_thread][cols_of_thread]) {
  EIGENTROPY_UNROLL
  for (int i = 0; i < rows_of_thread; ++i) {
    EIGENTROPY_UNROLL
    for (int j = 0; j < cols_of_thread; ++j) sums[i][j] = 0;
  }
  for (index_t begin = 0; begin < d; begin += panel_depth) {
    __syncthreads();
    load_panel(rows, begin, d, panels.rows);
    load_panel(cols, begin, d, panels.cols);
    __syncthreads();
    T part[rows_of_thread][cols_of_thread] = {};
    add_terms<Term>(panels, part);
    EIGENTROPY_UNROLL
    for (int i = 0; i < rows_of_thread; ++i) {
      EIGENTROPY_UNROLL
      for (int j = 0; j < cols_of_thread; ++j) sums[i][j] += static_cast<Sum>(part[i][j]);
    }
  }
  __syncthreads();
}

}  // namespace eigentropy::cuda
