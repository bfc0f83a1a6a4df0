// From rows to the spectrum of their diffusion operator: the whole exact path.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/gaussian.hpp"
#include "base/operator.hpp"
#include "base/views.hpp"
#include "cpu/rows/centered_rows.hpp"
#include "cpu/rows/single_distances.hpp"

namespace eigentropy {

// A dense symmetric matrix, stored as its upper triangle, and the numbers that come with it at no
// cost.
template <class T>
struct DiffusionMatrix {
  Buffer<T> entries;  // n x n
  index_t n = 0;
  double trace = 0.0;
  double frobenius2 = 0.0;
  double kernel_sum = 0.0;  // sum_ij G_ij; (kernel_sum - n) / n is a point's mean neighbourhood
  double reach = 0.0;       // largest distance of a row from the centre, in units of sigma
  Buffer<double> degrees;   // d_i, or q_i if the matrix is not normalised

  SymmetricView<T> view() const { return {entries.data(), n, n}; }
};

// Throws invalid_argument if a row or an entry of the operator is not finite.
template <class T>
DiffusionMatrix<T> build_matrix(const CenteredRows<T>& X, const OperatorOptions& options,
                                int threads, Control& control, double from, double to);

// Memory: one n x n matrix and, beside it, first a block of columns of the rows, then the solver's
// workspace. `from` .. `to` is the stretch of the progress bar that the call fills. Throws
// invalid_argument as build_matrix does, and SolverError if the spectra of two drivers fail their
// check.
template <class T>
Spectrum<T> diffusion_spectrum(const CenteredRows<T>& X, const OperatorOptions& options,
                               int threads, Control& control, double from = 0.0, double to = 1.0);

// The same from rows of the caller that are finite.
template <class T, class S>
Spectrum<T> diffusion_spectrum(InputView<S> Z, const OperatorOptions& options, int threads,
                               Control& control) {
  const auto X = center_rows<S, T>(Z, centering_for_kernel<T>(options.sigma), threads, control);
  return diffusion_spectrum(X, options, threads, control);
}

// The same from distances that are kept, in their memory. They are gone afterwards.
Spectrum<float> diffusion_spectrum(SingleDistances& distances, const OperatorOptions& options,
                                   int threads, Control& control);

}  // namespace eigentropy
