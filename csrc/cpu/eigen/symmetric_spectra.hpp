// Eigenvalues of symmetric matrices that the caller has.
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

// The n eigenvalues of each matrix, descending, one matrix after the other. Upper triangles are
// read, nothing else. Small matrices are solved one to a thread, large ones one after the other by
// all threads. std::invalid_argument if an entry is not finite, before anything is computed.
template <class T>
Buffer<T> symmetric_spectra(const MatrixBatch<T>& A, Reduction reduction, int threads,
                            Control& control);

// The same of one matrix by the two-stage reduction, in its own memory, which is left undefined.
// There is no second copy from which another driver could start again.
template <class T>
Buffer<T> symmetric_spectrum_in_place(SymmetricView<T> A, int threads, Control& control);

}  // namespace eigentropy
