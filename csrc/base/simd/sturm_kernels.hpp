// Sturm counts of a symmetric tridiagonal matrix at many shifts at once.
#pragma once

#include "base/simd/instruction_set.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {

// Shifts of one call.
constexpr index_t sturm_lanes = 64;

// Row i of a symmetric tridiagonal matrix, and the square of the off-diagonal entry to its left.
struct SturmRow {
  double diagonal;
  double left2;
};

// A matrix T with entries of at most 1 in magnitude and rows[0].left2 = 0. Rows ends[b - 1] ..
// ends[b] - 1 are block b: after a block the recurrence is scaled back, so that within one it
// neither over- nor underflows.
struct SturmMatrix {
  const SturmRow* rows;
  const index_t* ends;
  index_t blocks;
};

// det(T - x) = mantissa 2^exponent
struct SturmLanes {
  alignas(64) double x[sturm_lanes];
  alignas(64) double mantissa[sturm_lanes];
  alignas(64) long long exponent[sturm_lanes];
  alignas(64) long long below[sturm_lanes];  // eigenvalues of T that are less than x
};

struct SturmKernels {
  // Fills the rest of `lanes` from its x. |x| <= 4.
  void (*counts)(const SturmMatrix& T, SturmLanes& lanes);

  static const SturmKernels &baseline(), &avx2(), &avx512();
};

}  // namespace eigentropy::simd
