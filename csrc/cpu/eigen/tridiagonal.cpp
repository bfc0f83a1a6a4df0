#include "cpu/eigen/tridiagonal.hpp"

#include <algorithm>
#include <cmath>

#include "base/buffer.hpp"
#include "base/eigen/bisection.hpp"
#include "base/errors.hpp"
#include "cpu/blas.hpp"

namespace eigentropy {
namespace {

// Matrices below this order are solved by LAPACK's sterf.
constexpr index_t bisected_from = 64;

template <class T>
bool all_finite(const T* values, index_t n) {
  return std::all_of(values, values + n, [](T value) { return std::isfinite(value); });
}

// An off-diagonal entry below this part of the largest entry moves no eigenvalue by more than
// rounding does.
constexpr double negligible = 0x1p-54;

void drop_negligible(const double* d, double* e, index_t n) {
  double largest = 0.0;
  for (index_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(d[i]));
  for (index_t i = 0; i + 1 < n; ++i) largest = std::max(largest, std::abs(e[i]));
  for (index_t i = 0; i + 1 < n; ++i) {
    if (std::abs(e[i]) < negligible * largest) e[i] = 0.0;
  }
}

}  // namespace

// sterf works with squares of entries. Where a square underflows in part, sterf loses digits of
// large eigenvalues, too.
void eigenvalues_by_sterf(double* d, double* e, index_t n) {
  drop_negligible(d, e, n);
  check_info("sterf", blas::sterf(blas::to_blas(n), d, e));
}

// In single precision, squares underflow soon.
void eigenvalues_by_sterf(float* d, float* e, index_t n) {
  const Buffer<double> diagonal(n), off_diagonal(n);
  std::copy_n(d, n, diagonal.data());
  std::copy_n(e, n - 1, off_diagonal.data());
  eigenvalues_by_sterf(diagonal.data(), off_diagonal.data(), n);
  std::transform(diagonal.begin(), diagonal.end(), d,
                 [](double value) { return static_cast<float>(value); });
}

template <class T>
void tridiagonal_eigenvalues(T* d, T* e, index_t n, int threads, Control& control) {
  // Bisection is left to say what a matrix that is not finite has for eigenvalues.
  if (n <= 1 || n >= bisected_from || !all_finite(d, n) || !all_finite(e, n - 1)) {
    return bisect(d, e, n, threads, control);
  }
  control.check();
  eigenvalues_by_sterf(d, e, n);
}

template void tridiagonal_eigenvalues(float*, float*, index_t, int, Control&);
template void tridiagonal_eigenvalues(double*, double*, index_t, int, Control&);

}  // namespace eigentropy
