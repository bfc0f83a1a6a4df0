// Register-blocked largest differences; the rules of instruction_set.hpp hold here.
#include "base/simd/vectors_impl.hpp"
#include "cpu/simd/max_norm_kernels.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

constexpr int vectors_of_panel = static_cast<int>(max_norm_panel / lanes<double>);

// Rows of x at a time: as many as have accumulators in registers beside a column of y.
constexpr int rows_at_a_time = EIGENTROPY_VECTOR_BYTES == 64   ? 8
                               : EIGENTROPY_VECTOR_BYTES == 32 ? 2
                                                               : 1;

// Columns of both panels that stay in the first-level cache while all rows of x use them.
constexpr index_t columns_at_a_time = 64;

typedef long long Bits
    __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES), aligned(sizeof(double)), may_alias));

inline __attribute__((always_inline)) Vector<double> magnitude(Vector<double> v) {
  return reinterpret_cast<Vector<double>>(reinterpret_cast<Bits>(v) & 0x7fffffffffffffffLL);
}

inline __attribute__((always_inline)) void raise_rows(const double* x, const double* y,
                                                      index_t columns, double* tile) {
  Vector<double> largest[rows_at_a_time][vectors_of_panel];
#pragma GCC unroll 8
  for (int i = 0; i < rows_at_a_time; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors_of_panel; ++v) {
      largest[i][v] =
          *reinterpret_cast<const Vector<double>*>(tile + i * max_norm_panel + v * lanes<double>);
    }
  }
  for (index_t c = 0; c < columns; ++c) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors_of_panel; ++v) {
      const auto column =
          *reinterpret_cast<const Vector<double>*>(y + c * max_norm_panel + v * lanes<double>);
#pragma GCC unroll 8
      for (int i = 0; i < rows_at_a_time; ++i) {
        const Vector<double> difference = magnitude(column - x[c * max_norm_panel + i]);
        largest[i][v] = difference > largest[i][v] ? difference : largest[i][v];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < rows_at_a_time; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors_of_panel; ++v) {
      *reinterpret_cast<Vector<double>*>(tile + i * max_norm_panel + v * lanes<double>) =
          largest[i][v];
    }
  }
}

void raise(const double* x, const double* y, index_t columns, double* tile) {
  for (index_t c = 0; c < columns; c += columns_at_a_time) {
    const index_t count = columns - c < columns_at_a_time ? columns - c : columns_at_a_time;
    for (index_t i = 0; i < max_norm_panel; i += rows_at_a_time) {
      raise_rows(x + c * max_norm_panel + i, y + c * max_norm_panel, count,
                 tile + i * max_norm_panel);
    }
  }
}

constexpr MaxNormKernels table{raise};

}  // namespace EIGENTROPY_INSTRUCTION_SET

const MaxNormKernels& MaxNormKernels::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table;
}

}  // namespace eigentropy::simd
