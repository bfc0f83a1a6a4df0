// A tile of G in float32 by the tensor cores, 3xTF32 (tensor_core.hpp).
//
// In the first product each of 8 warps computes 64 x 32 of the tile's 128 x 128 entries, in the
// second 32 rows times half of the vectors. Tensor cores sum 8 or 16 products; threads, which round
// to nearest, add these sums up.
#pragma once

#include "cuda/kernel/gaussian_tile.hpp"
#include "cuda/kernel/tensor_core.hpp"

namespace eigentropy::cuda {

struct ByTensorCores;

// Shared memory has 32 banks. A warp reads a fragment as 4 lines (member) with 8 neighbours each
// (group), which are in different banks if the lines begin 8 banks after each other: those of
// slices are 8 longer than what they hold. For the tile, whose lines of 128 leave no room for that
// (two blocks take 164 KB, all that compute capability 8.0 has), rows are swapped by eights: line j
// has row i at i ^ 8 f, f in 0 .. 3, where f differs for each 4 neighbouring lines, which are read
// at once, and for each 4 that are all even or all odd among 8, which are written at once.
struct TensorTile : WideTile<float> {
  using Products = ByTensorCores;
  static __device__ int place(int i, int j) {
    return j * side + (i ^ (8 * ((j ^ (j / 4 % 2)) % 4)));
  }
  static constexpr int pitch = side + 8;
  static constexpr int vector_padding = 8;
};

struct ByTensorCores {
  using Core = TensorCore;

  // Rows and columns of the tile in which the warp's parts of the first product begin, and in which
  // a thread has its i-th row and j-th column.
  struct Place {
    int row, col;
    Core::Lane lane;
    __device__ Place() {
      const int warp = static_cast<int>(threadIdx.x) / 32;
      row = warp % 2 * 64;
      col = warp / 2 * 32;
    }
    __device__ int row_of(int i) const { return row + i / 2 * Core::rows + lane.row_of(i % 2 * 2); }
    __device__ int col_of(int j) const { return col + j / 2 * Core::cols + lane.col_of(j % 2); }
  };

  template <class Shape>
  static __device__ void add(const float* rows, const float* cols, Square<Shape>& sums) {
    static_assert(Shape::slice == Core::depth && Shape::per_thread == 8,
                  "4 x 4 products of a core");
    const Place place;
    const int at = place.lane.member * Shape::pitch + place.lane.group;
    constexpr int later = 4 * Shape::pitch;
    Core::B b[4];
    EIGENTROPY_UNROLL
    for (int j = 0; j < 4; ++j) {
      const float* const from = cols + at + place.col + j * Core::cols;
      Core::set(b[j], 0, from[0]);
      Core::set(b[j], 1, from[later]);
    }
    EIGENTROPY_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float* const from = rows + at + place.row + i * Core::rows;
      Core::A a;
      Core::set(a, 0, from[0]);
      Core::set(a, 1, from[8]);
      Core::set(a, 2, from[later]);
      Core::set(a, 3, from[later + 8]);
      EIGENTROPY_UNROLL
      for (int j = 0; j < 4; ++j) {
        float d[4] = {};
        Core::add_product(a, b[j], d);
        EIGENTROPY_UNROLL
        for (int r = 0; r < 4; ++r) sums[2 * i + r / 2][2 * j + r % 2] += d[r];
      }
    }
  }

  template <class Shape>
  static __device__ void put_entries(const TileRows<float>& X, index_t first_i, index_t first_j,
                                     bool differences, bool squared, Square<Shape>& sums,
                                     float* tile) {
    const Place place;
    float norms_i[Shape::per_thread];
    EIGENTROPY_UNROLL
    for (int i = 0; i < Shape::per_thread; ++i) norms_i[i] = X.norms[first_i + place.row_of(i)];
    EIGENTROPY_UNROLL
    for (int j = 0; j < Shape::per_thread; ++j) {
      const float norm_j = X.norms[first_j + place.col_of(j)];
      EIGENTROPY_UNROLL
      for (int i = 0; i < Shape::per_thread; ++i) {
        sums[i][j] = gaussian_entry(X, differences, squared, norms_i[i], norm_j, sums[i][j]);
      }
    }
    // Rows that are 32 apart, and lines that are 8 apart, are swapped alike: 8 addresses are enough
    // for 64 entries. The compiler would keep all of them.
    EIGENTROPY_UNROLL
    for (int i = 0; i < 4; ++i) {
      EIGENTROPY_UNROLL
      for (int j = 0; j < 2; ++j) {
        float* const at = tile + Shape::place(place.row_of(i), place.col_of(j));
        EIGENTROPY_UNROLL
        for (int k = 0; k < 8; ++k) {
          at[k / 4 * 32 + k % 4 * (Core::cols * Shape::side)] = sums[i + k / 4 * 4][j + k % 4 * 2];
        }
      }
    }
  }

  // A thread's sums of the second product: of the core's two blocks of rows the registers 0 .. 3
  // follow each other in i, and c is the block of vectors.
  template <class Shape>
  static __device__ int row_of_sum(int i) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return warp % 4 * 32 + i / 4 * Core::rows + Core::Lane().row_of(i % 4);
  }
  template <class Shape, int m>
  static __device__ int col_of_sum(int i, int c) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    return warp / 4 * (m / 2) + c * Core::cols + Core::Lane().col_of(i % 4);
  }

  template <class Shape, int m>
  static __device__ void add_vectors(const float* tile, int first, const float* slice,
                                     float (&sums)[Shape::per_thread][m / 16]) {
    constexpr int steps = Shape::vector_slice / Core::depth, pitch = m + Shape::vector_padding;
    const Core::Lane lane;
    const int warp = static_cast<int>(threadIdx.x) / 32, row = warp % 4 * 32 + lane.group;
    Core::A a[2][steps];
    EIGENTROPY_UNROLL
    for (int s = 0; s < steps; ++s) {
      EIGENTROPY_UNROLL
      for (int r = 0; r < 8; ++r) {  // of both blocks
        const int line = first + s * Core::depth + lane.member + r % 4 / 2 * 4;
        Core::set(a[r / 4][s], r % 4, tile[Shape::place(row + r / 4 * 16 + r % 2 * 8, line)]);
      }
    }
    const float* const from = slice + lane.member * pitch + warp / 4 * (m / 2) + lane.group;
    EIGENTROPY_UNROLL
    for (int c = 0; c < m / 16; ++c) {
      float d[2][4] = {};
      EIGENTROPY_UNROLL
      for (int s = 0; s < steps; ++s) {
        Core::B b;
        Core::set(b, 0, from[s * Core::depth * pitch + c * Core::cols]);
        Core::set(b, 1, from[(s * Core::depth + 4) * pitch + c * Core::cols]);
        EIGENTROPY_UNROLL
        for (int i = 0; i < 2; ++i) Core::add_product(a[i][s], b, d[i]);
      }
      EIGENTROPY_UNROLL
      for (int i = 0; i < 8; ++i) sums[i][c] += d[i / 4][i % 4];
    }
  }
};

}  // namespace eigentropy::cuda
