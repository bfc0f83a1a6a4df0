// G written to memory, by the tiles of a sweep.
#pragma once

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Writes G, both triangles, in the order of the packed rows: row i begins at G + i * X.stride.
// Entry is T, or half for float. `stage` has sweep_launches(queue, X, 0) tasks.
template <class T, class Entry>
void write_gaussian(const Queue& queue, const PackedRows<T>& X, Entry* G, Stage& stage);

}  // namespace eigentropy::cuda
