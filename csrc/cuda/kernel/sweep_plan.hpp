// How a sweep over the tiles of G is cut into launches, and its vectors into stripes.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// A launch covers few enough rows of tiles not to take long. If that would leave multiprocessors
// idle, several blocks share a row of tiles, and their sums are added in order.
struct SweepPlan {
  index_t rows_of_tiles;  // of a launch
  index_t parts;          // of a row of tiles

  index_t launches(index_t tiles) const { return (tiles + rows_of_tiles - 1) / rows_of_tiles; }
};
// `flops` is the work of a row of tiles, `blocks` the number of blocks that a launch should have.
SweepPlan plan_sweep(index_t tiles, double flops, double flops_of_launch, index_t blocks);
// For rows that are multiplied with m vectors.
template <class T>
SweepPlan plan_of(const Queue& queue, const PackedRows<T>& X, index_t m);

// Columns of V that are multiplied at once, a multiple of 16 with the padding.
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
  ~Pace();
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // After each launch but the last.
  void launched();

 private:
  const Queue& queue_;
  std::array<cudaEvent_t, 2> events_{};
  std::size_t launches_ = 0;
};

// Calls body(first, count) for each launch; a launch has at most `at_once` of `all` rows of tiles.
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

// Overrides for this thread, set by tests and by benchmarks of choices that only a GPU can settle.
struct SweepOverride {
  index_t blocks = 0;            // blocks of a launch; 0: as the device wants
  double flops_of_launch = 0.0;  // of the longest launch; 0: the default
  index_t stripe = 0;            // columns of a kept matrix that are summed at once; 0: the default
  std::optional<bool> turns = {};  // warpgroups_take_turns
  std::optional<Path> path = {};   // of rows of float32 that are packed from now on
};
SweepOverride& sweep_override();

int attribute_of(const Queue& queue, cudaDeviceAttr attribute);

}  // namespace eigentropy::cuda
