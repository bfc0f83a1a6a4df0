// G times vectors of float32 by the warpgroups of compute capability 9.0.
#pragma once

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"
#include "cuda/kernel/scaled_vectors.hpp"
#include "cuda/kernel/sweep_plan.hpp"

namespace eigentropy::cuda {

// Whether this device, and what the build has for it, have them.
bool has_warpgroups(const Queue& queue);

// As thread_sweep.
template <class Out>
void warpgroup_sweep(const Queue& queue, const PackedRows<float>& X, const SweepPlan& plan,
                     index_t m, const Operands<float, Out>& operands, Stage& stage);

}  // namespace eigentropy::cuda
