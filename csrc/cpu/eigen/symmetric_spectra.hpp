// Eigenvalues of symmetric matrices in the caller's memory.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

// `count` matrices, n x n each, `step` elements apart.
template <class T>
struct MatrixBatch {
  const T* data;
  index_t count, n;
  index_t step, row_stride, col_stride;

  InputView<T> operator[](index_t b) const {
    return {data + b * step, n, n, row_stride, col_stride};
  }
};

// The n eigenvalues of each matrix, descending, one matrix after the other. Only the upper
// triangles are read. Small matrices are solved side by side in SIMD lanes, or one to a thread, and
// large ones one after the other by all threads. Throws std::invalid_argument, which names the
// first matrix that has an entry that is not finite.
template <class T>
Buffer<T> symmetric_spectra(const MatrixBatch<T>& A, Reduction reduction, int threads,
                            Control& control);

// The eigenvalues of one matrix by the two-stage reduction, which destroys the matrix. No copy is
// left from which a second driver could start, so a failure is final.
template <class T>
Buffer<T> symmetric_spectrum_in_place(SymmetricView<T> A, int threads, Control& control);

}  // namespace eigentropy
