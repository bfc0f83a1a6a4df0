// Blocks of vectors in device memory: n x m, each column a vector, with n large and m small.
//
// The functions of cpu/operator/block_vectors.hpp for views of device memory with any stride. Sums
// over rows are taken in chunks of a fixed size and added in a fixed order: two calls give the same
// bits.
#pragma once

#include "base/blocks.hpp"
#include "base/buffer.hpp"
#include "base/views.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// V^T W, row-major, on the host. Products of the rows of a chunk are summed in T, chunks in double.
template <class T>
Buffer<double> inner(const Queue& queue, const Blocks<T>& V, MatrixView<const T> W);

// W^T W, all in double, on the host.
template <class T>
Buffer<double> gram(const Queue& queue, MatrixView<const T> W);

// W <- W - V V^T W. Does not wait.
template <class T>
void project_out(const Queue& queue, const Blocks<T>& V, MatrixView<T> W);

// out <- V C, with C in the host's memory, row-major: as many rows as V has columns, as many
// columns as out. Does not wait: C must stay until the queue has been synchronised.
template <class T>
void combine(const Queue& queue, const Blocks<T>& V, const T* C, MatrixView<T> out);

// max_j |w_j|, the largest Euclidean norm of a column, summed in double. 0 if there is none, NaN if
// an entry is.
template <class T>
double largest_column(const Queue& queue, MatrixView<const T> W);

}  // namespace eigentropy::cuda
