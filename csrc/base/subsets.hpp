// Subsets of one set of rows, and the spectra of their operators.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"

namespace eigentropy {

// Index sets: subset s holds indices[offsets[s]] .. indices[offsets[s + 1] - 1].
struct Subsets {
  Buffer<index_t> offsets;
  Buffer<index_t> indices;

  index_t count() const { return offsets.size() - 1; }
  index_t size(index_t s) const { return offsets[s + 1] - offsets[s]; }
  index_t* begin(index_t s) const { return indices.data() + offsets[s]; }
};

template <class T>
struct SubsetSpectra {
  Buffer<T> eigenvalues;       // subset s at offsets[s], descending
  Buffer<double> kernel_sums;  // sum_ij G_ij, one for each subset
  Buffer<double> traces;       // tr A, one for each subset

  explicit SubsetSpectra(const Subsets& subsets)
      : eigenvalues(subsets.indices.size()),
        kernel_sums(subsets.count()),
        traces(subsets.count()) {}
};

// How the kernels of the subsets are obtained.
enum class SubsetKernels {
  automatic,  // whichever costs less arithmetic, if the shared kernel fits into `memory_limit`
  shared,     // gathered from one n x n kernel of all rows
  recomputed  // computed from the rows of each subset
};

}  // namespace eigentropy
