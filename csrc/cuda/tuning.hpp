// Numbers of the CUDA back end that only a GPU can settle, in one table.
//
// None of them changes a result by more than rounding: they decide how work is cut up, and which of
// two ways is taken. `source` is "guess", or the stored run in benchmarks/results that gave the
// value. The plug-in has the table as `_core.tuning`, for the device check and for stored runs.
#pragma once

#include <array>
#include <stdexcept>
#include <string_view>

#include "base/views.hpp"

namespace eigentropy::cuda {

struct Tuned {
  std::string_view name;
  double value;
  std::string_view unit;
  double least, most;  // what is sane
  std::string_view source;
  std::string_view meaning;
};

constexpr std::string_view guess = "guess";

inline constexpr std::array tuning_table{
    Tuned{"tensor_cores_pay_8.0", 1, "yes or no", 0, 1, guess,
          "whether products of float32 by tensor cores take less time there"},
    Tuned{"tensor_cores_pay_9.0", 1, "yes or no", 0, 1, guess,
          "the same; microbenchmarks matrix_free<float>/threads and /registers tell"},
    Tuned{"tensor_cores_pay_10.0", 1, "yes or no", 0, 1, guess, "the same"},
    Tuned{
        "warpgroups_pay", 0, "yes or no", 0, 1, guess,
        "whether products by warpgroups (9.0) take less time; matrix_free<float>/warpgroups tells"},
    Tuned{"warpgroups_take_turns", 1, "yes or no", 0, 1, guess,
          "whether one of two warpgroups multiplies rows while the other one does something else"},
    Tuned{"warpgroup_stages", 8, "chunks of rows", 2, 14, guess,
          "in shared memory at most; fewer where fewer fit"},
    Tuned{"warpgroup_flush", 16, "tiles of 128 columns", 1, 1024, guess,
          "that are summed in float32 before the sums go to float64 in memory"},
    Tuned{"register_flush", 16, "tiles of 64 columns", 1, 1024, guess,
          "the same, without warpgroups"},
    Tuned{"longest_sum", 128, "products", 16, 1024, guess,
          "products of two rows that are added in registers before the sum goes to the tile"},
    Tuned{"sweep_launch_float32", 4e12, "flops", 1e10, 1e14, guess,
          "of a launch at most, so that a call can be stopped"},
    Tuned{"sweep_launch_float64", 1e12, "flops", 1e9, 1e14, guess, "the same in float64"},
    Tuned{"sweep_waves", 4, "blocks", 1, 64, guess,
          "of a launch for each that runs at once: few are left over at its end"},
    Tuned{"wide_tile_blocks", 1, "blocks", 1, 2, guess,
          "that share a multiprocessor's registers, of wide tiles of float32; with 2 some spill"},
    Tuned{"written_tile_blocks", 1, "blocks", 1, 2, guess, "the same where G is written"},
    Tuned{"kernel_tile_order", 64, "rows", 16, 128, guess, "of a tile of a batch of kernels"},
    Tuned{"kernel_tile_depth", 16, "columns", 4, 64, guess, "of the rows that such a tile loads"},
    Tuned{"warps_per_block", 8, "warps", 1, 32, guess, "of kernels that give each row a warp"},
    Tuned{"kept_by_pool", 1U << 30, "bytes", 0, 1e11, guess, "freed memory that is not given back"},
    Tuned{"largest_batched_order", 512, "rows", 32, 32768, guess,
          "matrices up to this order are solved many at a time"},
    Tuned{"largest_together_order", 0, "rows", 0, 32768, guess,
          "larger ones, up to this order, are solved many at a time in two stages"},
    Tuned{"one_stage_from", 1024, "rows", 64, 1e6, guess,
          "from this order on, bisection on the host follows cuSOLVER's reduction"},
    Tuned{"narrow_band", 32, "diagonals", 8, 256, guess, "of the band between two stages"},
    Tuned{"wide_band", 64, "diagonals", 8, 256, guess, "the same, of large matrices"},
    Tuned{"wide_band_from", 24'000, "rows", 64, 1e6, guess, "the order of large matrices"},
    Tuned{"panel_rows_of_lane", 8, "rows", 1, 64, guess,
          "of a panel that each lane of a warp sums"},
    Tuned{"most_filled_share", 0.1, "rows per row", 0, 1, guess,
          "rows that may be added to a matrix so that it is solved together with larger ones"},
    Tuned{"most_filled_rows", 8, "rows", 0, 512, guess, "the same, of the smallest matrices"},
    Tuned{"gather_columns", 20, "columns of a product", 1, 1000, guess,
          "cost of reading an entry of a kernel at a random place"},
    Tuned{"solve_columns", 4, "columns of a product per row", 0.1, 1000, guess,
          "cost of all eigenvalues, for the share of the progress bar"}};

// An unknown name does not compile.
constexpr double tuned(std::string_view name) {
  for (const Tuned& entry : tuning_table) {
    if (entry.name == name) return entry.value;
  }
  throw std::invalid_argument("no such entry");
}

}  // namespace eigentropy::cuda
