// Eigenvalues of any matrix: ascending numbers that add up to the trace, or an error that is meant.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "base/errors.hpp"
#include "base/spectrum.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "entry.hpp"

namespace eigentropy::fuzzing {
namespace {

void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

template <class T>
void run(Bytes& bytes) {
  const auto reduction = static_cast<Reduction>(bytes.number(0, 3));
  const index_t n = bytes.number(1, 48);
  std::vector<T> A = bytes.values<T>(n * n);
  bool finite = true;
  double largest = 0.0, trace = 0.0, frobenius2 = 0.0;
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) {
      const double entry = static_cast<double>(A[static_cast<std::size_t>(i * n + j)]);
      finite = finite && std::isfinite(entry);
      largest = std::max(largest, std::abs(entry));
      trace += i == j ? entry : 0.0;
      frobenius2 += (i == j ? 1.0 : 2.0) * entry * entry;
    }
  }
  std::vector<T> w(static_cast<std::size_t>(n));
  Control control;
  try {
    eigenvalues(SymmetricView<T>{A.data(), n, n}, w.data(), reduction, 1, control, 0.0, 1.0);
  } catch (const std::invalid_argument&) {
    expect(!finite, "a matrix of finite numbers was refused");
    return;
  } catch (const SolverError&) {
    return;
  }
  expect(finite, "a matrix with NaN or infinity was taken");
  expect(std::is_sorted(w.begin(), w.end()), "the eigenvalues do not ascend");
  // Whoever calls with larger or smaller entries divides by scale_of first.
  if (scale_of<T>(largest) != 1.0) return;
  expect(spectrum_matches(w.data(), n, trace, frobenius2), "the eigenvalues do not add up");
}

}  // namespace eigentropy::fuzzing
