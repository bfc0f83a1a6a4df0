// G times vectors by the ordinary units: float64, and float32 where tensor cores do not pay.
#pragma once

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"
#include "cuda/kernel/scaled_vectors.hpp"
#include "cuda/kernel/sweep_plan.hpp"

namespace eigentropy::cuda {

// m is the width of the stripe: 16, 32 .. 80. `stage` has plan.launches(X.tiles()) tasks.
template <class T, class Out>
void thread_sweep(const Queue& queue, const PackedRows<T>& X, const SweepPlan& plan, index_t m,
                  const Operands<T, Out>& operands, Stage& stage);

// The products of one launch, only with tiles that need differences: for a path that multiplies the
// others.
void thread_differences(const Queue& queue, const PackedRows<float>& X, index_t first_row_of_tiles,
                        index_t rows_of_tiles, index_t parts, index_t m,
                        const Operands<float, double>& operands);

}  // namespace eigentropy::cuda
