// A tile of G in the registers of its block, and the products with vectors.
//
// exp(-|x_i - x_j|^2 / 2 sigma^2) V is attention without the division, and the structure is that of
// FlashAttention-2 (Dao 2023): a block keeps its rows x_i in shared memory, and x_j and V_j come in
// slices; each warp has rows of its own, so that the sums of x_i . x_j become entries of G, and
// these the operand of the second product, without leaving the warp's registers. The idea that
// makes it float32: both operands of both products are split into halves once (3xFP16), outside the
// loop for what comes from memory, and the powers of two are chosen so that the three products of
// parts are added in one accumulator.
#pragma once

#include "cuda/kernel/packed_rows.hpp"
#include "cuda/kernel/split_half.hpp"
#include "cuda/kernel/split_vectors.hpp"
#include "cuda/kernel/tensor_core.hpp"

namespace eigentropy::cuda {

// A tile: the rows of 4 warps, 32 each, and 64 columns. Two blocks fit a multiprocessor of compute
// capability 8.0 in registers (255 a thread) and, with up to 128 entries a row, in shared memory.
struct RegisterTile {
  static constexpr int warps = 4, threads = 32 * warps;
  static constexpr int rows = 32 * warps, cols = 64;
  static constexpr int slice = 32;  // entries of the rows, or columns of the vectors, in a slice
  static_assert(rows == halves_side && cols == vector_tile && slice == vector_slice);

  // Where halves are in a slice, whose lines have 64 bytes: eight lines at one of their four packs
  // of 16 bytes are in different banks.
  static __device__ int place(int line, int pack) {
    return line * slice + (pack ^ (line / 2 % 4)) * 8;
  }
  // Sizes in halves: of both parts of a slice of rows or columns, and of what comes with a slice:
  // 64 GaussianColumns, or the scales of 32 vectors.
  static constexpr int slice_of_rows = 2 * rows * slice, slice_of_cols = 2 * cols * slice;
  static constexpr int rest = 256;
  static_assert(cols * sizeof(GaussianColumn) == rest * sizeof(__half));
};

// Both parts of a matrix, whose rows are `depth` apart.
struct HalfRows {
  const __half *high, *low;
  int depth;
};

// Everything that the blocks read.
struct RegisterOperands {
  HalfRows rows, vectors;
  const float *tile_scales, *norms;
  const LengthRange<float>* lengths;  // of tiles of rows
  int slices;                         // of the rows
  int tiles;                          // in a row of tiles
  float exponent_scale;
  PrecisionRule<float> rule;
  const float* vector_scales;  // of tiles x the vectors' depth
  const GaussianColumn* columns;

  // The first tile from this one on that products give exactly enough, and that is not all zeros;
  // at most `end`.
  __device__ int next_tile(int tile_i, int tile, int end) const {
    while (tile < end && rule.way(lengths[tile_i], lengths[tile / 2]) != TileWay::products) ++tile;
    return tile;
  }
};

// The thread's number, read anew: the compiler would compute all addresses that depend on it before
// the loops, and keep them in registers that there are not.
inline __device__ int thread_of_tile() {
#ifdef __CUDA_ARCH__
  int thread;
  asm volatile("mov.u32 %0, %%tid.x;" : "=r"(thread));
  return thread;
#else
  return static_cast<int>(threadIdx.x);
#endif
}

// A ring of slices in shared memory, filled ahead. Each tile of columns has slices of x_j, and
// behind them slices of V_j. If x_i does not fit, its slices come with those of x_j.
template <int m, bool resident>
class Slices {
 public:
  using Tile = RegisterTile;
  static constexpr int count = resident ? 2 : 3;
  static constexpr int of_vectors = (m + Tile::slice - 1) / Tile::slice;
  static constexpr int size =
      Tile::slice_of_cols + Tile::rest + (resident ? 0 : Tile::slice_of_rows);

  __device__ Slices(const RegisterOperands& operands, int tile_i, int begin, int end)
      : operands_(operands),
        rows_(shared_memory<__half>()),
        ring_(rows_ + (resident ? operands.slices * Tile::slice_of_rows : 0)),
        tile_i_(tile_i),
        tile_(begin),
        end_(end) {
    if (resident && tile_ < end) {
      for (int s = 0; s < operands.slices; ++s) load_rows(s, rows_ + s * Tile::slice_of_rows);
    }
    for (int ahead = 0; ahead < count - 1; ++ahead) load_next();
  }

  // Waits for the next slice; what was read of the one before is not needed any more.
  __device__ void advance() {
    wait_for_copies<count - 2>();
    __syncthreads();
    current_ = ring_ + at_ * size;
    at_ = at_ + 1 == count ? 0 : at_ + 1;
    load_next();
  }

  __device__ const __half* cols() const { return current_; }
  __device__ const __half* rows(int s) const {
    return resident ? rows_ + s * Tile::slice_of_rows : current_ + Tile::slice_of_cols + Tile::rest;
  }
  template <class T>
  __device__ const T* rest() const {
    return reinterpret_cast<const T*>(current_ + Tile::slice_of_cols);
  }

 private:
  // A group for each slice, also where none is left.
  __device__ void load_next() {
    if (tile_ < end_) {
      __half* const to = ring_ + loaded_ * size;
      const index_t first = static_cast<index_t>(tile_) * Tile::cols;
      const int of_vectors_from = slice_ - operands_.slices;
      if (of_vectors_from < 0) {
        load_part<Tile::cols>(operands_.rows, first, slice_, to);
        if (!resident) load_rows(slice_, to + Tile::slice_of_cols + Tile::rest);
        load_rest(operands_.columns + first, to, Tile::cols * sizeof(GaussianColumn));
      } else {
        const int col = of_vectors_from * Tile::slice;
        load_part<Tile::cols>(operands_.vectors, first, of_vectors_from, to);
        load_rest(operands_.vector_scales + tile_ * operands_.vectors.depth + col, to,
                  Tile::slice * sizeof(float));
      }
      loaded_ = loaded_ + 1 == count ? 0 : loaded_ + 1;
      if (++slice_ == operands_.slices + of_vectors) {
        slice_ = 0;
        tile_ = operands_.next_tile(tile_i_, tile_ + 1, end_);
      }
    }
    end_group_of_copies();
  }

  // Lines of both parts. A thread copies its pack of every 32nd line: those are swapped alike.
  template <int lines>
  static __device__ void load_part(const HalfRows& from, index_t first, int slice, __half* to) {
    constexpr int packs = Tile::slice / 8, together = Tile::threads / packs;
    const int thread = thread_of_tile(), line = thread / packs, pack = thread % packs;
    const index_t corner = first * from.depth + slice * Tile::slice;
    const __half *const high = from.high + corner, *const low = from.low + corner;
    const int of_thread = line * from.depth + pack * 8;
    to += Tile::place(line, pack);
    EIGENTROPY_UNROLL
    for (int k = 0; k < lines / together; ++k) {
      const int there = of_thread + k * together * from.depth;
      start_copy(to + k * together * Tile::slice, high + there);
      start_copy(to + (lines + k * together) * Tile::slice, low + there);
    }
  }
  static __device__ void load_rest(const void* from, __half* to, int bytes) {
    const int byte = thread_of_tile() * 16;
    if (byte < bytes) {
      start_copy(reinterpret_cast<char*>(to + Tile::slice_of_cols) + byte,
                 static_cast<const char*>(from) + byte);
    }
  }
  __device__ void load_rows(int slice, __half* to) const {
    load_part<Tile::rows>(operands_.rows, static_cast<index_t>(tile_i_) * Tile::rows, slice, to);
  }

  const RegisterOperands& operands_;
  __half *rows_, *ring_;
  const __half* current_ = nullptr;
  int tile_i_, tile_, end_, slice_ = 0, at_ = 0, loaded_ = 0;
};

// Indices of a thread: its warp's first row, and what PTX calls group and member.
struct RegisterLane {
  int row, lane, group, member;
  __device__ RegisterLane() : RegisterLane(static_cast<unsigned>(thread_of_tile())) {}
  explicit __device__ RegisterLane(unsigned thread)
      : row(static_cast<int>(thread / 32 * 32)),
        lane(static_cast<int>(thread % 32)),
        group(lane / 4),
        member(lane % 4) {}
};

// A warp's 32 x 64 numbers: 2 x 8 results of the core.
using WarpSquare = float[2][8][4];

// sums_ij += x_i . x_j for the entries of a slice. Four chains of the core run at once. Each is
// short, with the small products first, and is added to the sums with rounding.
inline __device__ void add_slice(const __half* rows, const __half* cols, WarpSquare& sums) {
  using Tile = RegisterTile;
  const RegisterLane place;
  unsigned a_high[2][2][4], a_low[2][2][4];  // blocks of rows, blocks of entries
  EIGENTROPY_UNROLL
  for (int i = 0; i < 2; ++i) {
    EIGENTROPY_UNROLL
    for (int k = 0; k < 2; ++k) {
      const __half* const from =
          rows + Tile::place(place.row + i * 16 + place.lane % 16, 2 * k + place.lane / 16);
      HalfCore::load(from, a_high[i][k]);
      HalfCore::load(from + Tile::rows * Tile::slice, a_low[i][k]);
    }
  }
  EIGENTROPY_UNROLL
  for (int pair = 0; pair < 4; ++pair) {
    unsigned b_high[2][4], b_low[2][4];
    EIGENTROPY_UNROLL
    for (int j = 0; j < 2; ++j) {
      const __half* const from =
          cols + Tile::place((2 * pair + j) * 8 + place.lane % 8, place.lane / 8);
      HalfCore::load(from, b_high[j]);
      HalfCore::load(from + Tile::cols * Tile::slice, b_low[j]);
    }
    float d[2][2][4] = {};
    EIGENTROPY_UNROLL
    for (int k = 0; k < 2; ++k) {
      EIGENTROPY_UNROLL
      for (int ij = 0; ij < 4; ++ij) {
        const int i = ij / 2, j = ij % 2;
        HalfCore::add_product(a_low[i][k], b_high[j][2 * k], b_high[j][2 * k + 1], d[i][j]);
      }
      EIGENTROPY_UNROLL
      for (int ij = 0; ij < 4; ++ij) {
        const int i = ij / 2, j = ij % 2;
        HalfCore::add_product(a_high[i][k], b_low[j][2 * k], b_low[j][2 * k + 1], d[i][j]);
      }
    }
    EIGENTROPY_UNROLL
    for (int k = 0; k < 2; ++k) {
      EIGENTROPY_UNROLL
      for (int ij = 0; ij < 4; ++ij) {
        const int i = ij / 2, j = ij % 2;
        HalfCore::add_product(a_high[i][k], b_high[j][2 * k], b_high[j][2 * k + 1], d[i][j]);
      }
    }
    EIGENTROPY_UNROLL
    for (int i = 0; i < 2; ++i) {
      EIGENTROPY_UNROLL
      for (int j = 0; j < 2; ++j) {
        EIGENTROPY_UNROLL
        for (int r = 0; r < 4; ++r) sums[i][2 * pair + j][r] += d[i][j][r];
      }
    }
  }
}

// A warp's entries of G times their columns' factors, as the second product's operands: for each 16
// rows and 8 columns the low parts and behind them the high parts, as if they were 16 columns.
struct WarpEntries {
  unsigned parts[2][8][4];

  // From the sums of x_i . x_j: G = 2^(row + column exponent + cross * sum).
  __device__ void set(const WarpSquare& sums, const float (&row_exponents)[2][2],
                      const GaussianColumn* columns, float cross) {
    const int member = RegisterLane().member;
    EIGENTROPY_UNROLL
    for (int j = 0; j < 8; ++j) {
      const GaussianColumn* const of_pair = columns + j * 8 + 2 * member;
      const GaussianColumn even = of_pair[0], odd = of_pair[1];
      EIGENTROPY_UNROLL
      for (int i = 0; i < 2; ++i) {
        EIGENTROPY_UNROLL
        for (int half = 0; half < 2; ++half) {
          const float* const of_lane = sums[i][j] + 2 * half;
          const float e0 = of_lane[0] * cross + (row_exponents[i][half] + even.exponent);
          const float e1 = of_lane[1] * cross + (row_exponents[i][half] + odd.exponent);
          const SplitPair split(fast_power_of_two(e0) * even.factor,
                                fast_power_of_two(e1) * odd.factor);
          parts[i][j][half] = split.low;
          parts[i][j][2 + half] = split.high;
        }
      }
    }
  }

  // G_ii = 1 exactly, where the tile's columns begin `first` rows behind its first row.
  __device__ void set_diagonal(int first, const GaussianColumn* columns) {
    const RegisterLane place;
    const int row = place.row + place.group - first, col = 2 * place.member;
    EIGENTROPY_UNROLL
    for (int i = 0; i < 2; ++i) {
      EIGENTROPY_UNROLL
      for (int j = 0; j < 8; ++j) {
        EIGENTROPY_UNROLL
        for (int half = 0; half < 2; ++half) {
          const int which = row - col + i * 16 + half * 8 - j * 8;  // of the register's two
          if (which != 0 && which != 1) continue;
          const float one = columns[col + j * 8 + which].factor;
          const SplitPair split(which == 0 ? one : 0.0F, which == 1 ? one : 0.0F);
          const unsigned others = which == 0 ? 0xffff0000U : 0xffffU;
          parts[i][j][half] &= others;
          parts[i][j][2 + half] = (parts[i][j][2 + half] & others) | split.high;
        }
      }
    }
  }
};

// sums_ic += sum_j entries_ij V_jc for a slice of vectors, of which `blocks` times 16 are
// multiplied. The cores add the products for 8 columns: first what is small, and then the low and
// the high parts of the entries, in one instruction, times the high part of V. Cores of compute
// capability 8.0 add 8 products at a time, so that they cut each sum of large products at the unit
// of these products, not at that of a longer sum: truncation has one direction. All else is added
// with rounding.
template <int blocks>
__device__ void add_vectors(const WarpEntries& entries, const __half* vectors, const float* scales,
                            float (*sums)[2][4]) {
  using Tile = RegisterTile;
  const RegisterLane place;
  const int line = place.lane / 16 * 8 + place.lane % 8;
  EIGENTROPY_UNROLL
  for (int c = 0; c < 2 * blocks; ++c) {
    const __half* const high = vectors + Tile::place(line, c);
    const __half* const low = vectors + Tile::cols * Tile::slice + Tile::place(place.lane, c);
    float of_tile[2][4] = {};
    EIGENTROPY_UNROLL
    for (int j = 0; j < 8; j += 4) {
      unsigned b_low[4];  // 32 rows
      HalfCore::load<true>(low + j * 8 * Tile::slice, b_low);
      EIGENTROPY_UNROLL
      for (int pair = 0; pair < 4; pair += 2) {
        unsigned b_high[4];  // 16 rows, each eight of them twice
        HalfCore::load<true>(high + (j + pair) * 8 * Tile::slice, b_high);
        float d[2][2][4] = {};  // rows, columns
        EIGENTROPY_UNROLL
        for (int ik = 0; ik < 4; ++ik) {
          const auto& parts = entries.parts[ik / 2][j + pair + ik % 2];
          HalfCore::add_shallow_product(parts[2], parts[3], b_low[pair + ik % 2],
                                        d[ik / 2][ik % 2]);
        }
        EIGENTROPY_UNROLL
        for (int ik = 0; ik < 4; ++ik) {
          const int k = ik % 2;
          HalfCore::add_product(entries.parts[ik / 2][j + pair + k], b_high[2 * k],
                                b_high[2 * k + 1], d[ik / 2][k]);
        }
        EIGENTROPY_UNROLL
        for (int ir = 0; ir < 8; ++ir) {
          of_tile[ir / 4][ir % 4] += d[ir / 4][0][ir % 4] + d[ir / 4][1][ir % 4];
        }
      }
    }
    const float* const of_lane = scales + c * 8 + 2 * place.member;
    const float scale[2] = {of_lane[0], of_lane[1]};
    EIGENTROPY_UNROLL
    for (int i = 0; i < 2; ++i) {
      EIGENTROPY_UNROLL
      for (int r = 0; r < 4; ++r) sums[c][i][r] += of_tile[i][r] * scale[r % 2];
    }
  }
}

}  // namespace eigentropy::cuda
