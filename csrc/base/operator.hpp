// The operator that is built from rows, and the checks of its spectrum.
#pragma once

#include <limits>
#include <string>

#include "base/buffer.hpp"
#include "base/errors.hpp"
#include "base/spectrum.hpp"
#include "base/views.hpp"

namespace eigentropy {

// Which symmetric matrix is built from the rows.
struct OperatorOptions {
  double sigma = 1.0;
  // Exponent of the density normalisation of A.
  double alpha = 0.5;
  // false: the Gaussian kernel G itself (weighted adjacency matrix), and alpha is not used.
  bool normalized = true;
};

// The same operator, of which only products are wanted.
struct KernelOperatorOptions {
  double sigma = 1.0;
  double alpha = 0.5;
  // Whether the upper triangle of G is kept. If not, every product computes it again.
  bool keeps_matrix = false;
  // Bytes that the rows may take.
  double memory_limit = std::numeric_limits<double>::infinity();
  // false: the density matrix G / n, and alpha is not used.
  bool normalized = true;
  // Bytes that tiles of G in 16 bits may take, on the host: products in single precision then read
  // these tiles and compute the others again. Not beside keeps_matrix.
  double limit_of_16_bits = 0.0;
  // Whether |G / n|_F^2 is found, too, with the first pass of an operator that is normalised.
  bool with_density = false;

  // How often the constructor passes over G: for q and, where d is another sum, for d.
  index_t passes() const { return normalized && alpha != 0.0 ? 2 : 1; }
};

// Ten times the bound of the relative errors of a kernel's entries, which refinement_of_kernel
// gives.
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
  double reach = 0.0;  // largest distance of a row from the centre, in units of sigma
};

}  // namespace eigentropy
