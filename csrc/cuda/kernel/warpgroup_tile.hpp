// A tile of G by the warpgroups of a block (compute capability 9.0), and its products with vectors.
//
// The structure is that of FlashAttention-3 (Shah et al. 2024): one thread does nothing but ask the
// copy engine for what comes next, and two warpgroups with 64 rows each multiply what has come. The
// sums of x_i . x_j lie in registers as the second product wants its operand, so that entries of G
// never leave them; while one warpgroup computes exponentials, the other one's products run. The
// idea that makes it float32 is that of register_tile.hpp: operands are split into halves whose
// powers of two let three products of parts be added in one accumulator.
#pragma once

#include "cuda/kernel/packed_halves.hpp"
#include "cuda/kernel/precision.hpp"
#include "cuda/kernel/split_half.hpp"
#include "cuda/kernel/split_vectors.hpp"
#include "cuda/kernel/tensor_core.hpp"
#include "cuda/kernel/warpgroup.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {

struct WarpgroupTile {
  static constexpr int side = 128, rows_of_warpgroup = 64;
  static constexpr int consumers = side / rows_of_warpgroup;
  static constexpr int threads_of_consumers = 128 * consumers, threads = 128 + threads_of_consumers;
  static constexpr int chunk = warpgroup::box_columns;  // entries of the rows that come at once
  // Sums in float32 are moved to float64 after each group of this many tiles.
  static constexpr auto tiles_of_flush = static_cast<int>(tuned("warpgroup_flush"));
  static constexpr unsigned bytes_of_box = side * 128;  // of a chunk of all rows
  static_assert(side == halves_side && chunk == halves_depth);
};

// Everything that the blocks read.
struct WarpgroupOperands {
  CUtensorMap high, low;                  // of the rows
  CUtensorMap vectors_high, vectors_low;  // of the vectors, one in a row
  const float *norms, *tile_scales;
  const LengthRange<float>* lengths;
  const float* vector_scales;  // tiles x m
  const GaussianColumn* columns;
  int chunks;  // of the rows
  int tiles;   // in a row of tiles
  int stages;  // of the ring in shared memory
  // Whether one warpgroup multiplies rows while the other one does something else. A stage is free
  // when both have read it: all chunks of a tile must fit.
  bool turns;
  float exponent_scale;
  PrecisionRule<float> rule;

  // The first tile from this one on that products give exactly enough, and that is not all zeros;
  // at most `end`.
  __device__ int next_tile(int tile_i, int tile, int end) const {
    while (tile < end && rule.way(lengths[tile_i], lengths[tile]) != TileWay::products) ++tile;
    return tile;
  }
};

// What lies where in shared memory, as addresses. The rows x_i come first if they stay, then a ring
// of stages for chunks of x_j (and of x_i, if they do not stay), one place for the vectors of a
// tile with what belongs to its columns, and the barriers. Of each chunk, and of the vectors, there
// are high and low parts.
template <int m, bool resident>
class WarpgroupMemory {
  using Tile = WarpgroupTile;

 public:
  static constexpr unsigned chunk_bytes = 2 * Tile::bytes_of_box;
  static constexpr unsigned stage_bytes = (resident ? 1 : 2) * chunk_bytes;
  static constexpr unsigned vector_box = m * 128;  // 64 numbers of each vector
  static constexpr unsigned vector_bytes = 4 * vector_box;
  static constexpr unsigned column_bytes = Tile::side * sizeof(GaussianColumn);
  static constexpr unsigned scale_bytes = m * sizeof(float);
  static constexpr unsigned barrier_bytes = 256;
  static constexpr auto most_stages = static_cast<int>(tuned("warpgroup_stages"));

  static constexpr int bytes(int chunks, int stages) {
    return static_cast<int>(bytes_of_alignment + chunks * resident_bytes + stages * stage_bytes +
                            vector_bytes + column_bytes + scale_bytes + barrier_bytes);
  }

  __device__ explicit WarpgroupMemory(const WarpgroupOperands& operands)
      : raw_(shared_memory<char>()),
        raw_address_(warpgroup::shared_address(raw_)),
        begin_((raw_address_ + bytes_of_alignment - 1) & ~(bytes_of_alignment - 1)),
        ring_(begin_ + operands.chunks * resident_bytes),
        vectors_(ring_ + operands.stages * stage_bytes),
        stages_(operands.stages) {}

  // The high part; the low one lies bytes_of_box behind it.
  __device__ std::uint32_t rows(int chunk) const { return begin_ + chunk * chunk_bytes; }
  __device__ std::uint32_t stage(int number) const { return ring_ + number * stage_bytes; }
  // Those of the rows 0 to 63 and 64 to 127 of the high part, and then of the low one.
  __device__ std::uint32_t vectors(int box) const { return vectors_ + box * vector_box; }
  __device__ std::uint32_t columns() const { return vectors_ + vector_bytes; }
  __device__ std::uint32_t scales() const { return columns() + column_bytes; }
  template <class T>
  __device__ const T* read(std::uint32_t address) const {
    return reinterpret_cast<const T*>(raw_ + (address - raw_address_));
  }

  // Barriers: a stage has been filled or is free, and likewise for the vectors and the rows.
  __device__ std::uint32_t filled(int stage) const { return barriers() + 8 * stage; }
  __device__ std::uint32_t free(int stage) const { return filled(stages_ + stage); }
  __device__ std::uint32_t vectors_filled() const { return filled(2 * stages_); }
  __device__ std::uint32_t vectors_free() const { return filled(2 * stages_ + 1); }
  __device__ std::uint32_t rows_filled() const { return filled(2 * stages_ + 2); }
  static_assert(8 * (2 * most_stages + 3) <= barrier_bytes);

  // By one thread.
  __device__ void init_barriers() const {
    constexpr unsigned warps = Tile::threads_of_consumers / 32;
    for (int stage = 0; stage < stages_; ++stage) {
      warpgroup::init_barrier(filled(stage), 1);
      warpgroup::init_barrier(free(stage), warps);
    }
    warpgroup::init_barrier(vectors_filled(), 1);
    warpgroup::init_barrier(vectors_free(), warps);
    warpgroup::init_barrier(rows_filled(), 1);
    warpgroup::publish_barriers();
  }

 private:
  static constexpr unsigned bytes_of_alignment = 1024;
  static constexpr unsigned resident_bytes = resident ? chunk_bytes : 0;  // of each chunk of x_i
  __device__ std::uint32_t barriers() const { return scales() + scale_bytes; }

  char* raw_;
  std::uint32_t raw_address_, begin_, ring_, vectors_;
  int stages_;
};

// Where producer and consumers are in a ring: the stage, and the parity of its phase.
struct RingPlace {
  int stage = 0;
  unsigned parity = 0;

  __device__ void advance(int stages) {
    if (++stage < stages) return;
    stage = 0;
    parity ^= 1U;
  }
};

// The thread that asks for copies.
template <int m, bool resident>
class WarpgroupProducer {
  using Tile = WarpgroupTile;
  using Memory = WarpgroupMemory<m, resident>;

 public:
  __device__ WarpgroupProducer(const WarpgroupOperands& operands, const Memory& memory, int tile_i)
      : operands_(operands), memory_(memory), tile_i_(tile_i) {}

  __device__ void run(int first_tile, int end) {
    if (resident && first_tile < end) load_resident_rows();
    for (int tile = first_tile; tile < end; tile = operands_.next_tile(tile_i_, tile + 1, end)) {
      for (int chunk = 0; chunk < operands_.chunks; ++chunk) load_chunk(tile, chunk);
      load_vectors(tile);
    }
  }

 private:
  __device__ void load_resident_rows() {
    const std::uint32_t barrier = memory_.rows_filled();
    warpgroup::arrive_and_expect(barrier, operands_.chunks * Memory::chunk_bytes);
    for (int chunk = 0; chunk < operands_.chunks; ++chunk) {
      load_rows(memory_.rows(chunk), tile_i_, chunk, barrier);
    }
  }

  __device__ void load_chunk(int tile, int chunk) {
    warpgroup::wait_for_phase(memory_.free(place_.stage), place_.parity ^ 1U);
    const std::uint32_t barrier = memory_.filled(place_.stage), to = memory_.stage(place_.stage);
    warpgroup::arrive_and_expect(barrier, Memory::stage_bytes);
    load_rows(to, tile, chunk, barrier);
    if (!resident) load_rows(to + Memory::chunk_bytes, tile_i_, chunk, barrier);
    place_.advance(operands_.stages);
  }

  __device__ void load_rows(std::uint32_t to, int tile, int chunk, std::uint32_t barrier) {
    const int column = chunk * Tile::chunk, row = tile * Tile::side;
    warpgroup::copy_box(to, operands_.high, barrier, column, row);
    warpgroup::copy_box(to + Tile::bytes_of_box, operands_.low, barrier, column, row);
  }

  __device__ void load_vectors(int tile) {
    warpgroup::wait_for_phase(memory_.vectors_free(), vector_parity_ ^ 1U);
    vector_parity_ ^= 1U;
    const std::uint32_t barrier = memory_.vectors_filled();
    const index_t first = static_cast<index_t>(tile) * Tile::side;
    warpgroup::arrive_and_expect(barrier,
                                 Memory::vector_bytes + Memory::column_bytes + Memory::scale_bytes);
    for (int half = 0; half < 2; ++half) {
      const int column = tile * Tile::side + half * warpgroup::box_columns;
      warpgroup::copy_box(memory_.vectors(half), operands_.vectors_high, barrier, column, 0);
      warpgroup::copy_box(memory_.vectors(2 + half), operands_.vectors_low, barrier, column, 0);
    }
    warpgroup::copy_bytes(memory_.columns(), operands_.columns + first, Memory::column_bytes,
                          barrier);
    warpgroup::copy_bytes(memory_.scales(),
                          operands_.vector_scales + static_cast<index_t>(tile) * m,
                          Memory::scale_bytes, barrier);
  }

  const WarpgroupOperands& operands_;
  const Memory& memory_;
  int tile_i_;
  RingPlace place_;
  unsigned vector_parity_ = 0;
};

// A warpgroup's 64 x 128 numbers, as a thread has them.
using WarpgroupSquare = float[64];

// A warpgroup's entries of G times their columns' factors, as the second product's operand: eight
// steps of 16 columns.
struct WarpgroupEntries {
  std::uint32_t high[8][4], low[8][4];

  // From the sums of x_i . x_j: G = 2^(row + column exponent + cross * sum). If the row's own
  // column is among them, own_column is where it is for the first of the thread's two rows: G_ii
  // = 1.
  template <bool diagonal>
  __device__ void set(const WarpgroupSquare& sums, const float (&row_exponents)[2],
                      const GaussianColumn* columns, float cross, int own_column) {
    const warpgroup::Place place;
    EIGENTROPY_UNROLL
    for (int block = 0; block < 16; ++block) {
      const int col = block * 8 + place.col;
      const GaussianColumn even = columns[col], odd = columns[col + 1];
      EIGENTROPY_UNROLL
      for (int half = 0; half < 2; ++half) {
        const float* const of_row = sums + block * 4 + half * 2;
        float g0 = fast_power_of_two(of_row[0] * cross + (row_exponents[half] + even.exponent));
        float g1 = fast_power_of_two(of_row[1] * cross + (row_exponents[half] + odd.exponent));
        if (diagonal) {
          const int own = own_column + 8 * half - col;
          if (own == 0) g0 = 1.0F;
          if (own == 1) g1 = 1.0F;
        }
        const SplitPair split(g0 * even.factor, g1 * odd.factor);
        high[block / 2][block % 2 * 2 + half] = split.high;
        low[block / 2][block % 2 * 2 + half] = split.low;
      }
    }
  }
};

// One of the warpgroups that multiply.
template <int m, bool resident>
class WarpgroupConsumer {
  using Tile = WarpgroupTile;
  using Memory = WarpgroupMemory<m, resident>;

 public:
  __device__ WarpgroupConsumer(const WarpgroupOperands& operands, const Memory& memory, int number)
      : operands_(operands), memory_(memory), number_(number) {}

  __device__ void wait_for_rows() const {
    if (resident) warpgroup::wait_for_phase(memory_.rows_filled(), 0);
  }

  // One warpgroup's turn ends where the other's begins.
  __device__ void begin_turns() const {
    if (operands_.turns && number_ == 1)
      warpgroup::arrive_at(turn_of(0), Tile::threads_of_consumers);
  }
  __device__ void wait_for_turn() const {
    if (operands_.turns) warpgroup::wait_at(turn_of(number_), Tile::threads_of_consumers);
  }
  __device__ void end_turn(bool is_last) const {
    if (!operands_.turns || (is_last && number_ == 1)) return;
    warpgroup::arrive_at(turn_of(1 - number_), Tile::threads_of_consumers);
  }

  // sums <- x_i . x_j over all entries of a tile's rows.
  __device__ void multiply_rows(WarpgroupSquare& sums) {
    multiply_run(0, sums);
    for (int first = 2; first < operands_.chunks; first += 2) {
      WarpgroupSquare more;
      multiply_run(first, more);
      EIGENTROPY_UNROLL
      for (int e = 0; e < 64; ++e) sums[e] += more[e];
    }
  }

  // The vectors' columns come with them.
  __device__ const GaussianColumn* wait_for_columns() {
    warpgroup::wait_for_phase(memory_.vectors_filled(), vector_parity_);
    vector_parity_ ^= 1U;
    return memory_.template read<GaussianColumn>(memory_.columns());
  }

  // sums += entries times the tile's vectors; afterwards these may be overwritten.
  __device__ void add_vectors(const WarpgroupEntries& entries, float (&sums)[m / 2]) {
    float of_tile[m / 2];
    warpgroup::begin_products();
    add_parts(entries.low, 0, of_tile, false);
    add_parts(entries.high, 2, of_tile, true);
    add_parts(entries.high, 0, of_tile, true);
    warpgroup::commit_products();
    warpgroup::wait_for_products();
    warpgroup::keep_here(of_tile);
    const float* const scales =
        memory_.template read<float>(memory_.scales()) + warpgroup::Place().col;
    EIGENTROPY_UNROLL
    for (int e = 0; e < m / 2; ++e) sums[e] += of_tile[e] * scales[e / 4 * 8 + e % 2];
    release(memory_.vectors_free());
  }

 private:
  static __device__ int turn_of(int number) { return 1 + number; }  // a named barrier

  // Of the two chunks from `first` on, or of the last one, the small products first: cores truncate
  // sums, threads round them.
  __device__ void multiply_run(int first, WarpgroupSquare& sums) {
    const Chunk one = next_chunk(first);
    add_small_products<false>(one, sums);
    if (first + 1 < operands_.chunks) {
      const Chunk other = next_chunk(first + 1);
      add_small_products<true>(other, sums);
      add_large_products(one, sums);
      warpgroup::commit_products();
      add_large_products(other, sums);
      warpgroup::commit_products();
      warpgroup::wait_for_products<1>();
      release(memory_.free(one.stage));
      warpgroup::wait_for_products();
      release(memory_.free(other.stage));
    } else {
      add_large_products(one, sums);
      warpgroup::commit_products();
      warpgroup::wait_for_products();
      release(memory_.free(one.stage));
    }
    warpgroup::keep_here(sums);
  }

  // The high parts of a chunk of x_i and x_j; the low ones lie `low` behind them.
  struct Chunk {
    int stage;
    std::uint64_t a, b;
  };
  static constexpr std::uint64_t low = Tile::bytes_of_box >> 4;

  // Waits for the chunk that comes next.
  __device__ Chunk next_chunk(int number) {
    constexpr unsigned own_rows = Tile::rows_of_warpgroup * 128;
    const int stage = place_.stage;
    warpgroup::wait_for_phase(memory_.filled(stage), place_.parity);
    place_.advance(operands_.stages);
    const std::uint32_t cols = memory_.stage(stage);
    const std::uint32_t rows = resident ? memory_.rows(number) : cols + Memory::chunk_bytes;
    return {stage, warpgroup::operand_at(rows + number_ * own_rows), warpgroup::operand_at(cols)};
  }

  // Where `add` is false, the constant tells the compiler that the registers hold nothing before.
  template <bool add>
  static __device__ void add_small_products(const Chunk& chunk, WarpgroupSquare& sums) {
    warpgroup::begin_products();
    EIGENTROPY_UNROLL
    for (int step = 0; step < 4; ++step) {
      const auto at = static_cast<std::uint64_t>(step) * warpgroup::next_step;
      warpgroup::add_product(sums, chunk.a + low + at, chunk.b + at, add || step > 0);
      warpgroup::add_product(sums, chunk.a + at, chunk.b + low + at, true);
    }
  }
  static __device__ void add_large_products(const Chunk& chunk, WarpgroupSquare& sums) {
    warpgroup::begin_products();  // for each branch and group: the compiler looks no further
    EIGENTROPY_UNROLL
    for (int step = 0; step < 4; ++step) {
      const auto at = static_cast<std::uint64_t>(step) * warpgroup::next_step;
      warpgroup::add_product(sums, chunk.a + at, chunk.b + at, true);
    }
  }

  __device__ void add_parts(const std::uint32_t (&entries)[8][4], int box, float (&sums)[m / 2],
                            bool add) {
    EIGENTROPY_UNROLL
    for (int step = 0; step < 8; ++step) {
      const std::uint64_t b = warpgroup::operand_at(memory_.vectors(box + step / 4)) +
                              static_cast<std::uint64_t>(step % 4) * warpgroup::next_step;
      warpgroup::add_product<m>(sums, entries[step], b, add || step > 0);
    }
  }

  // By each warp, when all its lanes are here.
  __device__ void release(std::uint32_t barrier) {
    __syncwarp();
    if (threadIdx.x % 32 == 0) warpgroup::arrive(barrier);
  }

  const WarpgroupOperands& operands_;
  const Memory& memory_;
  int number_;
  RingPlace place_;
  unsigned vector_parity_ = 0;
};

}  // namespace eigentropy::cuda
