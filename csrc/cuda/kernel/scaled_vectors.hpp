// The vectors that a sweep multiplies with, and where their products go.
#pragma once

#include "cuda/kernel/row_order.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// scaled (rows x m) <- factors_i V_ic, row i being that of `order`, for the columns [first, first +
// count) of V (n x columns), and zeros beyond these columns. If V is null, it stands for a column
// of ones. All in device memory.
template <class T>
struct ScaledVectors {
  const T* V;
  index_t n, columns, first, count;
  const double* factors;
  RowOrder order = {};
};
template <class T>
void scale_vectors(const Queue& queue, const ScaledVectors<T>& vectors, T* scaled, index_t rows,
                   index_t m);

// What to multiply with: the entries of G, or their squares.
enum class Entries { plain, squared };

// The arguments of a sweep over G for one stripe of vectors: out_i <- factors_i sum_j G_ij V_j,
// where the rows of V are packed, and factors and out have the caller's rows.
template <class T, class Out>
struct Operands {
  Entries entries;  // squares are multiplied with up to 16 vectors
  const double* factors;
  RowOrder order;
  const T* V;              // scaled, of this stripe
  Out* out;                // its first column
  index_t columns, count;  // of a row of out, and of the stripe
};

}  // namespace eigentropy::cuda
