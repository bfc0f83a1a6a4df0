// Gaussian kernel, anisotropic normalisation and symmetric conjugation.
//
//   G_ij = exp(-r2_ij / (2 sigma^2)),  G_ii = 1
//   q_i  = sum_j G_ij
//   K_ij = G_ij / (q_i q_j)^alpha
//   d_i  = sum_j K_ij
//   A_ij = K_ij / sqrt(d_i d_j)         same eigenvalues as the diffusion matrix P = D^-1 K
#pragma once

#include <functional>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/gaussian.hpp"
#include "base/views.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

template <class T>
T exponent_scale(const CenteredRows<T>& X, double sigma) {
  return exponent_scale<T>(sigma, X.scale);
}

// Writes the upper triangle of G and returns q, n sums. Distances, exponential and sums are fused
// over tiles. If rows fit one block of columns, G is written once and never read; products of
// longer rows are summed in G, one block after the other. `stage` has upper_tile_visits(X) tasks.
// `largest_norm`, if given, becomes the largest |x_i|.
template <class T>
Buffer<double> gaussian_kernel(const CenteredRows<T>& X, double sigma, SymmetricView<T> G,
                               int threads, Stage& stage, double* largest_norm = nullptr);

// Turns the upper tiles of squared distances, which were not refined, into those of G. The rows of
// the block are all rows. Returns q as above.
template <class T>
Buffer<double> gaussian_kernel_of_distances(const ColumnBlock<T>& block, double sigma,
                                            SymmetricView<T> G, int threads, Stage& stage);

// G_ij for chosen rows i, n columns each: count x n. `finish` is that of squared_distances_from.
template <class T>
void gaussian_kernel_rows(const CenteredRows<T>& X, double sigma, const index_t* chosen,
                          index_t count, MatrixView<T> G, int threads, Control& control,
                          const std::function<void(Columns)>& finish);

struct DiffusionScaling {
  double trace;            // tr A
  double frobenius2;       // |A|_F^2
  Buffer<double> degrees;  // d_i
};

// Turns G into A in place.
template <class T>
DiffusionScaling diffusion_operator(SymmetricView<T> G, const Buffer<double>& q, double alpha,
                                    int threads);

// |G|_F^2 of a symmetric matrix stored as its upper triangle.
template <class T>
double frobenius2(SymmetricView<T> A, int threads);

// A <- A - v v^T with v = sqrt(d) / |sqrt(d)|. Every diffusion operator has the eigenvalue 1 with
// this eigenvector, which says nothing about the data.
template <class T>
void remove_trivial_pair(SymmetricView<T> A, const Buffer<double>& degrees, int threads);

// Copies the upper triangle below the diagonal.
template <class T>
void mirror(SymmetricView<T> A, int threads);

}  // namespace eigentropy
