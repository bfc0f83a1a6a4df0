// Non-owning views of matrices. Every matrix in the core is row-major.
#pragma once

#include <cstdint>

namespace eigentropy {

// 64 bits everywhere: n * n passes 2^31 at n = 46 341, n * d much earlier.
using index_t = std::int64_t;

// rows x cols, row i starts at data + i * stride (in elements, stride >= cols).
template <class T>
struct MatrixView {
  T* data;
  index_t rows;
  index_t cols;
  index_t stride;

  T* row(index_t i) const { return data + i * stride; }
};

// n x n symmetric, of which only the upper triangle (row-major, j >= i) holds values. LAPACK,
// which is column-major, reads the same memory as a lower triangle.
template <class T>
struct SymmetricView {
  T* data;
  index_t n;
  index_t stride;

  T* row(index_t i) const { return data + i * stride; }
};

}  // namespace eigentropy
