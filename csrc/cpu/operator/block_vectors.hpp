// Blocks of vectors: n x m, each column a vector, with n large and m small.
//
// Rows are cut into chunks of a fixed size, and chunks are added in a fixed order, so that no
// result depends on the number of threads.
#pragma once

#include "base/blocks.hpp"
#include "base/buffer.hpp"
#include "base/views.hpp"

namespace eigentropy {

// V^T W, row-major. Products of the rows of a chunk are summed in T, chunks in double.
template <class T>
Buffer<double> inner(const Blocks<T>& V, MatrixView<const T> W, int threads);

// W^T W, computed in double throughout, because its small eigenvalues are squares of small lengths.
template <class T>
Buffer<double> gram(MatrixView<const T> W, int threads);

// W <- W - V V^T W
template <class T>
void project_out(const Blocks<T>& V, MatrixView<T> W, int threads);

// out <- V C, with C row-major: as many rows as V has columns, as many columns as out.
template <class T>
void combine(const Blocks<T>& V, const T* C, MatrixView<T> out, int threads);

}  // namespace eigentropy
