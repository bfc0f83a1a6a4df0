// From rows to the spectrum of their diffusion operator: the whole exact path.
#pragma once

#include <string>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/errors.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {

// Which symmetric matrix is built from the rows.
struct OperatorOptions {
  double sigma = 1.0;
  // Exponent of the density normalisation of A.
  double alpha = 0.5;
  // false: the Gaussian kernel G itself (weighted adjacency matrix), and alpha is not used.
  bool normalized = true;
};

// A dense symmetric matrix, its upper triangle stored, and what is known about it for free.
template <class T>
struct DiffusionMatrix {
  Buffer<T> entries;  // n x n
  index_t n = 0;
  double trace = 0.0;
  double frobenius2 = 0.0;
  double kernel_sum = 0.0;  // sum_ij G_ij; (kernel_sum - n) / n is a point's mean neighbourhood
  Buffer<double> degrees;   // d_i; q_i where it is not normalised

  SymmetricView<T> view() const { return {entries.data(), n, n}; }
};

// Throws invalid_argument if a row or an entry of the operator is not finite.
template <class T>
DiffusionMatrix<T> build_matrix(const CenteredRows<T>& X, const OperatorOptions& options,
                                int threads, Control& control, double from, double to);

// The bound of relative errors of a kernel's entries, ten times over: see refinement_of_kernel.
template <class T>
constexpr double kernel_rounding = sizeof(T) == sizeof(double) ? 1e-11 : 1e-4;

// Throws SolverError unless w, ascending, can be the spectrum of an operator of these options with
// these traces: spectrum_matches, and bounds of [0, 1], or [0, n] for the kernel itself. The kernel
// is positive semidefinite up to the rounding of its distances only, which the lower bound allows.
template <class T>
void check_spectrum(const T* w, index_t n, const OperatorOptions& options, double trace,
                    double frobenius2) {
  // Entries are positive, so that relative errors of the entries are errors relative to the norm.
  const double norm = options.normalized ? 1.0 : static_cast<double>(n);
  if (spectrum_matches(w, n, trace, frobenius2, {-kernel_rounding<T> * norm, norm})) return;
  throw SolverError("the eigenvalues do not add up to the traces of the " + std::to_string(n) +
                    " x " + std::to_string(n) + " matrix, or are outside of its bounds");
}

template <class T>
struct Spectrum {
  Buffer<T> eigenvalues;  // descending
  double trace = 0.0;
  double frobenius2 = 0.0;
  double kernel_sum = 0.0;
};

// One n x n matrix is alive at a time, and beside it a block of columns of the rows until the
// kernel is there, then what the solver needs. `from` .. `to` is its stretch of the progress.
// Throws invalid_argument as build_matrix does, and SolverError if the spectra of two drivers fail
// their check.
template <class T>
Spectrum<T> diffusion_spectrum(const CenteredRows<T>& X, const OperatorOptions& options,
                               int threads, Control& control, double from = 0.0, double to = 1.0);

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

// The spectrum of the operator of every subset of the rows, each normalised by itself.
// Small subsets are solved one to a thread, large ones one after the other by all threads.
template <class T>
SubsetSpectra<T> subset_spectra(const CenteredRows<T>& X, Subsets& subsets,
                                const OperatorOptions& options, SubsetKernels kernels,
                                double memory_limit, int threads, Control& control);

// out (n x m) <- A V for V (n x m), both row-major. A is read once. Within a tile sums are in A's
// precision, across tiles in float64.
template <class T, class S>
void symmetric_product(SymmetricView<T> A, MatrixView<const S> V, MatrixView<S> out, int threads,
                       Control& control);

// Binary adjacency matrix, n x n: out_ij = 1 if z_j is within the distance of the k-th nearest row
// to z_i, z_i itself counted as the first. Ties are all in, so a row may have more than k ones.
template <class T>
void knn_adjacency(const CenteredRows<T>& X, index_t k, MatrixView<T> out, int threads,
                   Control& control);

}  // namespace eigentropy
