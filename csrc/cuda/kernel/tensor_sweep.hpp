// What the sweeps by tensor cores share: how they are cut into launches, who takes the tiles that
// need differences, and how parts are added.
#pragma once

#include "base/control.hpp"
#include "cuda/kernel/split_vectors.hpp"
#include "cuda/kernel/thread_sweep.hpp"
#include "cuda/kernel/tile_sweep.hpp"

namespace eigentropy::cuda {

// The factor of r^2 in the exponent: the square of 2^x is 2^2x.
template <class Out>
float exponent_scale_of(const PackedRows<float>& X, const Operands<float, Out>& operands) {
  return (operands.entries == Entries::squared ? 2.0F : 1.0F) * X.exponent_scale;
}

// out_ic <- factors_i times the sum over the parts, plus what is of differences unless that is
// null. Sums says how a block keeps the sums of its `rows` rows: element e of a thread is at
// e * threads + thread and belongs to row_of(e) and col_of(e) of the tile.
template <class Sums, class Out>
__global__ void add_products_of_parts(const double* all_sums, RowsOfTiles rows,
                                      const double* of_differences, index_t n,
                                      Operands<float, Out> operands) {
  constexpr index_t size = static_cast<index_t>(Sums::elements) * Sums::threads;
  const index_t first_row = (rows.first + blockIdx.x) * Sums::rows;
  const double* const sums = all_sums + blockIdx.x * size + threadIdx.x;
  for (int e = 0; e < Sums::elements; ++e) {
    const index_t row = first_row + Sums::row_of(e), col = Sums::col_of(e);
    if (row >= n || col >= operands.count) continue;
    double sum = 0.0;
    for (index_t part = 0; part < rows.parts; ++part) {
      sum += sums[part * rows.count * size + e * Sums::threads];
    }
    const index_t to = operands.order[row];
    sum *= operands.factors[to];
    if (of_differences != nullptr) sum += of_differences[to * operands.count + col];
    operands.out[to * operands.columns + col] = static_cast<Out>(sum);
  }
}

// Calls multiply(rows, of_differences) for each launch, after tiles that need differences have been
// multiplied by threads. of_differences is null where rows are not sorted: then no tile needs them.
template <class Out, class Multiply>
void sweep_beside_differences(const Queue& queue, const PackedRows<float>& X, const SweepPlan& plan,
                              index_t m, const Operands<float, Out>& operands, Stage& stage,
                              const Multiply& multiply) {
  const bool has_differences = X.order.size() > 0;
  const DeviceBuffer<double> differences(queue, has_differences ? X.n * operands.count : 0);
  const Operands<float, double> of_differences{operands.entries, operands.factors,   operands.order,
                                               operands.V,       differences.data(), operands.count,
                                               operands.count};
  for_each_launch(queue, X.tiles(), plan.rows_of_tiles, stage, [&](index_t first, index_t count) {
    if (has_differences) {
      thread_differences(queue, X, first, count, plan.parts, m, of_differences);
    }
    multiply(RowsOfTiles{first, count, plan.parts}, differences.data());
  });
}

}  // namespace eigentropy::cuda
