// From rows on the device to their operator, its spectrum, its eigenpairs.
#pragma once

#include "base/operator.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// A dense symmetric matrix in device memory, and the numbers that come with it at no cost.
template <class T>
struct DeviceMatrix {
  DeviceBuffer<T> entries;  // n x n, both triangles
  index_t n = 0;
  double trace = 0.0;
  double frobenius2 = 0.0;
  double kernel_sum = 0.0;  // sum_ij G_ij
  Buffer<double> degrees;   // d_i, or q_i if the matrix is not normalised
};

// Throws invalid_argument if an entry of the operator is not finite. Waits for the matrix.
template <class T>
DeviceMatrix<T> build_matrix(const Queue& queue, const DeviceRows<T>& X,
                             const OperatorOptions& options, Control& control);

// The device holds one n x n matrix and the solver's workspace. Throws invalid_argument as
// build_matrix does, and SolverError if all drivers fail or return spectra that fail their check.
template <class T>
Spectrum<T> diffusion_spectrum(const Queue& queue, const DeviceRows<T>& X,
                               const OperatorOptions& options, Control& control);

template <class T>
struct Eigenpairs {
  Buffer<T> values;        // k, descending
  Buffer<T> vectors;       // n x k, orthonormal columns
  Buffer<double> degrees;  // n
};

// The k largest eigenvalues of A after the trivial one, and their eigenvectors; options.normalized
// must be true, 1 <= k <= n. SolverError as above.
template <class T>
Eigenpairs<T> diffusion_eigenpairs(const Queue& queue, const DeviceRows<T>& X,
                                   const OperatorOptions& options, index_t k, Control& control);

// A V for a symmetric A (n x n, both triangles are read) and V (n x m), all in device memory.
template <class T>
DeviceBuffer<T> symmetric_product(const Queue& queue, const T* A, index_t n, const T* V, index_t m);

}  // namespace eigentropy::cuda
