// Matrices of the tests in the device's memory.
#pragma once

#include <vector>

#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"
#include "matrices.hpp"

namespace eigentropy::cuda {

using testing::Matrix;

template <class T>
constexpr Type type_of = sizeof(T) == sizeof(double) ? Type::float64 : Type::float32;

// A matrix, and what is read of it.
template <class T>
struct Uploaded {
  DeviceBuffer<T> memory;
  Source source;
};

template <class T>
Uploaded<T> upload(const Queue& queue, const Matrix<T>& Z) {
  Uploaded<T> there{to_device(queue, Z.data(), static_cast<index_t>(Z.size())), {}};
  there.source = {there.memory.data(), type_of<T>, Z.rows(), Z.cols(), Z.input().row_stride, 1};
  return there;
}

template <class T>
DeviceRows<T> rows_on_device(const Queue& queue, const Matrix<T>& Z) {
  return center_rows<T>(queue, upload(queue, Z).source);
}

template <class T>
std::vector<double> doubles(const Buffer<T>& buffer) {
  return {buffer.begin(), buffer.end()};
}

// Other choices of drivers while it lives.
struct TunedDrivers {
  explicit TunedDrivers(const SolverTuning& tuning) : before(solver_tuning()) {
    solver_tuning() = tuning;
  }
  ~TunedDrivers() { solver_tuning() = before; }
  TunedDrivers(const TunedDrivers&) = delete;
  TunedDrivers& operator=(const TunedDrivers&) = delete;
  const SolverTuning before;
};
inline SolverTuning one_stage_first() {
  SolverTuning tuning;
  tuning.one_stage_from = 1;
  return tuning;
}
inline SolverTuning two_stages_first(index_t band = 16) {
  SolverTuning tuning;
  tuning.two_stages_from = 1;
  tuning.narrow_band = band;
  return tuning;
}
// Matrices above `batched` rows are reduced together in two stages.
inline SolverTuning together_above(index_t batched) {
  SolverTuning tuning = two_stages_first();
  tuning.largest_batched = batched;
  tuning.largest_together = 1000;
  return tuning;
}

// Rows for which a kernel may go wrong, each with a bandwidth that suits them.
template <class T>
struct Case {
  std::string name;
  Matrix<T> Z;
  double sigma;
};

template <class T>
Matrix<T> shifted(Matrix<T> Z, double offset) {
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.cols(); ++j) {
      Z(i, j) = static_cast<T>(static_cast<double>(Z(i, j)) + offset);
    }
  }
  return Z;
}

template <class T>
Matrix<T> integer_grid(index_t n, index_t d) {
  Matrix<T> Z(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < d; ++j) Z(i, j) = static_cast<T>((i * (j + 3) + 7 * j) % 11);
  }
  return Z;
}

// Every other row is the one before.
template <class T>
Matrix<T> duplicates(index_t n, index_t d) {
  Matrix<T> Z = testing::gaussian_rows<T>(n, d, 5);
  for (index_t i = 1; i < n; i += 2) {
    for (index_t j = 0; j < d; ++j) Z(i, j) = Z(i - 1, j);
  }
  return Z;
}

// One row sees no other.
template <class T>
Matrix<T> with_an_isolated_row(index_t n, index_t d) {
  Matrix<T> Z = testing::gaussian_rows<T>(n, d, 6);
  for (index_t j = 0; j < d; ++j) Z(n / 2, j) = 1000;
  return Z;
}

// Rows of one number repeated, in whose products all rounding errors have one direction.
template <class T>
Matrix<T> repeated_numbers(index_t n, index_t d) {
  const Matrix<T> numbers = testing::gaussian_rows<T>(n, 1, 7);
  Matrix<T> Z(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < d; ++j) Z(i, j) = numbers(i, 0);
  }
  return Z;
}

template <class T>
std::vector<Case<T>> cases() {
  std::vector<Case<T>> all;
  const auto root = [](index_t d) { return std::sqrt(static_cast<double>(d)); };
  const auto add_gaussian = [&](index_t n, index_t d) {
    all.push_back({"gaussian " + std::to_string(n) + " x " + std::to_string(d),
                   testing::gaussian_rows<T>(n, d, 1), 0.7 * root(d)});
  };
  for (const index_t n : {1, 2, 63, 64, 65, 130}) add_gaussian(n, 17);
  for (const index_t d : {1, 3, 64}) add_gaussian(65, d);
  all.push_back({"long rows", testing::gaussian_rows<T>(66, 1100, 2), 30.0});
  all.push_back({"repeated numbers", repeated_numbers<T>(66, 2000), 100.0});
  all.push_back({"many rows", testing::gaussian_rows<T>(257, 5, 2), 1.0});
  all.push_back({"identical", Matrix<T>(70, 5, T(3.25)), 1.0});
  all.push_back({"duplicates", duplicates<T>(90, 7), 1.0});
  all.push_back({"far clusters", testing::clusters<T>(130, 4, 3, 1000.0, 3), 1.0});
  all.push_back({"large offset", shifted(testing::gaussian_rows<T>(70, 6, 4), 1000.0), 1.5});
  all.push_back({"integers", integer_grid<T>(90, 6), 4.0});
  all.push_back({"isolated row", with_an_isolated_row<T>(65, 3), 1.0});
  return all;
}

}  // namespace eigentropy::cuda
