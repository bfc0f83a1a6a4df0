// G times vectors of float32 by the tensor cores, with G in registers.
#pragma once

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"
#include "cuda/kernel/scaled_vectors.hpp"
#include "cuda/kernel/sweep_plan.hpp"

namespace eigentropy::cuda {

// As thread_sweep.
template <class Out>
void register_sweep(const Queue& queue, const PackedRows<float>& X, const SweepPlan& plan,
                    index_t m, const Operands<float, Out>& operands, Stage& stage);

}  // namespace eigentropy::cuda
