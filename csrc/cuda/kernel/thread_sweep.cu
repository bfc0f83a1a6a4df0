#include "cuda/kernel/thread_sweep.hpp"

#include "cuda/kernel/tile_sweep.hpp"

namespace eigentropy::cuda {

template <class T, class Out>
void thread_sweep(const Queue& queue, const PackedRows<T>& X, const SweepPlan& plan, index_t m,
                  const Operands<T, Out>& operands, Stage& stage) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (X.tiling == Tiling::narrow) {
      return tile_sweep<NarrowTile>(queue, X, plan, m, operands, stage);
    }
  }
  tile_sweep<WideTile<T>>(queue, X, plan, m, operands, stage);
}

void thread_differences(const Queue& queue, const PackedRows<float>& X, index_t first_row_of_tiles,
                        index_t rows_of_tiles, index_t parts, index_t m,
                        const Operands<float, double>& operands) {
  with_stripe(m, operands.entries, [&](auto width, auto squared) {
    sweep_rows<WideTile<float>, width, squared>(queue, X,
                                                {first_row_of_tiles, rows_of_tiles, parts},
                                                TilesToSweep::of_differences, operands);
  });
}

#define EIGENTROPY_INSTANTIATE(T, Out)                                                      \
  template void thread_sweep(const Queue&, const PackedRows<T>&, const SweepPlan&, index_t, \
                             const Operands<T, Out>&, Stage&);
EIGENTROPY_INSTANTIATE(float, float)
EIGENTROPY_INSTANTIATE(float, double)
EIGENTROPY_INSTANTIATE(double, double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
