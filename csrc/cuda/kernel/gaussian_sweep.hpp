// G times vectors, tile by tile, without storing G.
#pragma once

#include "base/control.hpp"
#include "cuda/kernel/packed_rows.hpp"
#include "cuda/kernel/scaled_vectors.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// out_i <- factors_i sum_j G_ij factors_j V_j for V (n x m, row-major; null: one column of ones)
// and n factors, all in device memory. `stage` has sweep_launches(queue, X, m) tasks.
template <class T, class Out>
void gaussian_sweep(const Queue& queue, const PackedRows<T>& X, Entries entries,
                    const double* factors, const T* V, index_t m, Out* out, Stage& stage);
// m = 0: G itself is written (written_tiles.hpp).
template <class T>
index_t sweep_launches(const Queue& queue, const PackedRows<T>& X, index_t m);

}  // namespace eigentropy::cuda
