#include "cpu/operator/diffusion.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/gaussian.hpp"
#include "base/solve_checked.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy {
namespace {

// Share of the progress bar that distances and kernel take: about 2 n^2 d of
// 2 n^2 d + (4/3) n^3 flops, the latter at half the rate.
double kernel_share(index_t n, index_t d) {
  const double kernel = static_cast<double>(d) + 50.0;
  return kernel / (kernel + 1.4 * static_cast<double>(n));
}

template <class T>
DiffusionScaling normalize(SymmetricView<T> G, Buffer<double> q, const OperatorOptions& options,
                           int threads) {
  if (options.normalized) return diffusion_operator(G, q, options.alpha, threads);
  return {static_cast<double>(G.n), frobenius2(G, threads), std::move(q)};
}

double sum_of(const Buffer<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// Turns the kernel with row sums q, whose rows are at most `reach` sigma from the centre, into the
// operator.
template <class T>
DiffusionMatrix<T> finish(Buffer<T> kernel, index_t n, Buffer<double> q, double reach,
                          const OperatorOptions& options, int threads) {
  DiffusionMatrix<T> matrix;
  matrix.n = n;
  matrix.entries = std::move(kernel);
  matrix.reach = reach;
  matrix.kernel_sum = sum_of(q);
  DiffusionScaling scaling = normalize(matrix.view(), std::move(q), options, threads);
  matrix.trace = scaling.trace;
  matrix.frobenius2 = scaling.frobenius2;
  matrix.degrees = std::move(scaling.degrees);
  require_finite_operator<T>(matrix.frobenius2, matrix.n, options.alpha);
  return matrix;
}

// The operator in the memory of the distances.
DiffusionMatrix<float> matrix_of(SingleDistances& distances, const OperatorOptions& options,
                                 int threads, Control& control, double from, double to) {
  const CenteredRows<float>& X = distances.rows();
  Buffer<float> kernel = distances.give();
  Stage stage(control, from, to, upper_tile_visits(X));
  Buffer<double> q =
      gaussian_kernel_of_distances(distances.block(), options.sigma,
                                   SymmetricView<float>{kernel.data(), X.n, X.n}, threads, stage);
  const double reach =
      X.scale / options.sigma * std::sqrt(static_cast<double>(distances.block().max_norm()));
  distances.release_block();
  return finish(std::move(kernel), X.n, std::move(q), reach, options, threads);
}

template <class T>
Spectrum<T> spectrum_of(const DiffusionMatrix<T>& matrix, Reduction reduction,
                        const OperatorOptions& options, int threads, Control& control, double from,
                        double to) {
  const index_t n = matrix.n;
  Spectrum<T> spectrum{Buffer<T>(n), matrix.trace, matrix.frobenius2, matrix.kernel_sum,
                       matrix.reach};
  T* w = spectrum.eigenvalues.data();
  eigenvalues(matrix.view(), w, reduction, threads, control, from, to);
  check_spectrum(w, n, options, matrix.trace, matrix.frobenius2);
  std::reverse(w, w + n);
  return spectrum;
}

}  // namespace

template <class T>
DiffusionMatrix<T> build_matrix(const CenteredRows<T>& X, const OperatorOptions& options,
                                int threads, Control& control, double from, double to) {
  Buffer<T> kernel(X.n * X.n);
  Stage stage(control, from, to, upper_tile_visits(X));
  double largest_norm = 0.0;
  Buffer<double> q = gaussian_kernel(X, options.sigma, SymmetricView<T>{kernel.data(), X.n, X.n},
                                     threads, stage, &largest_norm);
  const double reach = X.scale / options.sigma * largest_norm;
  return finish(std::move(kernel), X.n, std::move(q), reach, options, threads);
}

template <class T>
Spectrum<T> diffusion_spectrum(const CenteredRows<T>& X, const OperatorOptions& options,
                               int threads, Control& control, double from, double to) {
  const double between = from + kernel_share(X.n, X.d) * (to - from);
  const auto solve_by = [&](Reduction reduction) {
    return spectrum_of(build_matrix(X, options, threads, control, from, between), reduction,
                       options, threads, control, between, to);
  };
  return solve_checked([&] { return solve_by(Reduction::automatic); },
                       [&] { return solve_by(Reduction::lapack); });
}

Spectrum<float> diffusion_spectrum(SingleDistances& distances, const OperatorOptions& options,
                                   int threads, Control& control) {
  const CenteredRows<float>& X = distances.rows();
  const double between = kernel_share(X.n, X.d);
  return solve_checked(
      [&] {
        return spectrum_of(matrix_of(distances, options, threads, control, 0.0, between),
                           Reduction::automatic, options, threads, control, between, 1.0);
      },
      [&] {  // the distances are gone
        return spectrum_of(build_matrix(X, options, threads, control, 0.0, between),
                           Reduction::lapack, options, threads, control, between, 1.0);
      });
}

#define EIGENTROPY_INSTANTIATE(T)                                                               \
  template DiffusionMatrix<T> build_matrix(const CenteredRows<T>&, const OperatorOptions&, int, \
                                           Control&, double, double);                           \
  template Spectrum<T> diffusion_spectrum(const CenteredRows<T>&, const OperatorOptions&, int,  \
                                          Control&, double, double);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
