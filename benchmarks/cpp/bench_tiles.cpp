// The passes over one tile of 256 x 256, which stays in the cache, on one thread: with each
// instruction set that this machine has, and the product that fills the tile.
#include <string>

#include "base/tiles.hpp"
#include "cpu/rows/centered_rows.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/simd/tile_kernels.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

constexpr index_t entries = tile_size * tile_size;

template <class T>
struct TileData {
  Buffer<T> tile{entries}, x{tile_size}, y{tile_size}, row_sums{tile_size}, col_sums{tile_size};

  TileData() {
    std::fill(tile.begin(), tile.end(), T(0.5));
    std::fill(x.begin(), x.end(), T(1));
    std::fill(y.begin(), y.end(), T(1));
  }
};

// pass(kernels, data) once an iteration; `passes` is how often the tile is read or written.
template <class T, class Pass>
void run_pass(benchmark::State& state, simd::InstructionSet set, double passes, const Pass& pass) {
  const auto& kernels = simd::kernels_of<simd::TileKernels<T>>(set);
  TileData<T> data;
  for (auto _ : state) {
    pass(kernels, data);
    benchmark::DoNotOptimize(data.tile.data());
    benchmark::ClobberMemory();
  }
  if (!(data.tile[entries - 1] >= 0)) state.SkipWithError("wrong result");
  count_bytes(state, passes * static_cast<double>(entries) * sizeof(T));
  state.SetItemsProcessed(state.iterations() * entries);
}

template <class T>
void gaussian_pass(benchmark::State& state, simd::InstructionSet set) {
  run_pass<T>(state, set, 2.0, [](const auto& kernels, auto& data) {
    kernels.gaussian(data.tile.data(), tile_size, tile_size, tile_size, T(-1), data.row_sums.data(),
                     data.col_sums.data());
  });
}

template <class T>
void distance_pass(benchmark::State& state, simd::InstructionSet set) {
  run_pass<T>(state, set, 2.0, [](const auto& kernels, auto& data) {
    kernels.squared_distances(data.tile.data(), tile_size, tile_size, tile_size, data.x.data(),
                              data.y.data());
  });
}

template <class T>
void weighted_sums_pass(benchmark::State& state, simd::InstructionSet set) {
  run_pass<T>(state, set, 1.0, [](const auto& kernels, auto& data) {
    kernels.weighted_sums(data.tile.data(), tile_size, tile_size, tile_size, data.x.data(),
                          data.y.data(), data.row_sums.data(), data.col_sums.data());
  });
}

template <class T>
void conjugation_pass(benchmark::State& state, simd::InstructionSet set) {
  run_pass<T>(state, set, 2.0, [](const auto& kernels, auto& data) {
    benchmark::DoNotOptimize(kernels.conjugate(data.tile.data(), tile_size, tile_size, tile_size,
                                               data.x.data(), data.y.data()));
  });
}

template <class T>
void register_passes(const std::string& type) {
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    const std::string suffix = "<" + type + ">/" + simd::name_of(set);
    benchmark::RegisterBenchmark(("gaussian_pass" + suffix).c_str(), gaussian_pass<T>, set);
    benchmark::RegisterBenchmark(("distance_pass" + suffix).c_str(), distance_pass<T>, set);
    benchmark::RegisterBenchmark(("weighted_sums_pass" + suffix).c_str(), weighted_sums_pass<T>,
                                 set);
    benchmark::RegisterBenchmark(("conjugation_pass" + suffix).c_str(), conjugation_pass<T>, set);
  }
}

const bool registered = [] {
  register_passes<double>("double");
  register_passes<float>("float");
  return true;
}();

// 2 d flops an entry.
template <class T>
void squared_distance_tile(benchmark::State& state) {
  const index_t d = state.range(0);
  const Threads one(1);
  auto X = gaussian_rows<T>(2 * tile_size, d);
  X.block_columns = d;
  ColumnBlock<T> block(X);
  block.load(0, 1, Control());
  const Tile tile{0, tile_size, tile_size, tile_size, 0, 1};
  const Buffer<T> r2(entries);
  for (auto _ : state) {
    eigentropy::squared_distance_tile(block, tile, Refinement{}, r2.data(), tile_size);
    benchmark::ClobberMemory();
  }
  if (!(r2[0] > 0)) state.SkipWithError("wrong result");
  count_flops<T>(state, 2.0 * static_cast<double>(entries * d), 1);
}
BENCHMARK_TEMPLATE(squared_distance_tile, double)->ArgName("d")->Arg(64)->Arg(512)->Arg(4096);
BENCHMARK_TEMPLATE(squared_distance_tile, float)->ArgName("d")->Arg(64)->Arg(512)->Arg(4096);

}  // namespace
}  // namespace eigentropy::bench
