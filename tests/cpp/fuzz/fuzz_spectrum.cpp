// The spectrum of the diffusion operator of any rows: numbers in [-1, 1], of which the largest is
// 1, or an error that is meant.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "base/errors.hpp"
#include "cpu/operator/diffusion.hpp"
#include "entry.hpp"

namespace eigentropy::fuzzing {

template <class T>
void run(Bytes& bytes) {
  const index_t n = bytes.number(1, 40), d = bytes.number(1, 9);
  const double sigma = std::abs(bytes.take<double>());
  const double alpha = 0.5 * static_cast<double>(bytes.number(0, 2));
  if (!std::isfinite(sigma) || sigma == 0.0) return;  // the Python layer refuses both
  const std::vector<T> Z = bytes.values<T>(n * d);
  Control control;
  try {
    const auto X = center_rows<T, T>(InputView<T>{Z.data(), n, d, d, 1}, {}, 1, control);
    const Spectrum<T> found = diffusion_spectrum(X, {sigma, alpha, true}, 1, control);
    const double slack = 1e4 * static_cast<double>(std::numeric_limits<T>::epsilon());
    for (index_t i = 0; i < n; ++i) {
      const double value = static_cast<double>(found.eigenvalues[i]);
      if (std::abs(value) <= 1.0 + slack && (i > 0 || value >= 1.0 - slack)) continue;
      std::fprintf(stderr, "eigenvalue %ld is %g\n", static_cast<long>(i), value);
      std::abort();
    }
  } catch (const std::invalid_argument&) {
  } catch (const SolverError&) {
  }
}

}  // namespace eigentropy::fuzzing
