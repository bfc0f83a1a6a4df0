#include "cpu/eigen/lane_solver.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "checkers.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class LaneSolverOf : public ::testing::Test {};
TYPED_TEST_SUITE(LaneSolverOf, Precisions, PrecisionName);

// By LAPACK, in double, descending.
template <class T>
std::vector<double> by_lapack(const Matrix<T>& A) {
  const index_t n = A.rows();
  Matrix<double> copy(n, n);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) copy(i, j) = static_cast<double>(A(i, j));
  }
  std::vector<double> w(static_cast<std::size_t>(n));
  Control control;
  eigenvalues(copy.symmetric(), w.data(), Reduction::lapack, 1, control, 0.0, 1.0);
  std::reverse(w.begin(), w.end());
  return w;
}

template <class T>
Matrix<T> filled(index_t n, const std::function<double(index_t, index_t)>& entry) {
  Matrix<T> A(n, n, std::numeric_limits<T>::quiet_NaN());
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) A(i, j) = static_cast<T>(entry(i, j));
  }
  return A;
}

template <class T>
Matrix<T> random_matrix(index_t n, unsigned seed, double scale = 1.0) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  return filled<T>(n, [&](index_t, index_t) { return scale * normal(generator); });
}

// Matrices of all kinds, with norms between 1 and some 100, of order n.
template <class T>
std::vector<Matrix<T>> matrices(index_t n) {
  std::vector<Matrix<T>> all;
  for (const auto& spectrum : prescribed_spectra(n)) {
    all.push_back(with_spectrum<T>(spectrum.lambda));
  }
  all.push_back(random_matrix<T>(n, 1));
  all.push_back(filled<T>(n, [](index_t, index_t) { return 0.0; }));
  all.push_back(filled<T>(n, [](index_t, index_t) { return 1.0; }));
  all.push_back(filled<T>(
      n, [](index_t i, index_t j) { return i == j ? 3.0 - 0.1 * static_cast<double>(i) : 0.0; }));
  // Blocks of 3.
  all.push_back(filled<T>(n, [](index_t i, index_t j) { return i / 3 == j / 3 ? 1.0 : 0.0; }));
  // Wilkinson's pairs of eigenvalues; and only off-diagonal entries.
  all.push_back(filled<T>(n, [n](index_t i, index_t j) {
    return i == j ? std::abs(static_cast<double>(2 * i - n)) / 20.0 : (j == i + 1 ? 1.0 : 0.0);
  }));
  all.push_back(filled<T>(n, [](index_t i, index_t j) { return j == i + 1 ? 1.0 : 0.0; }));
  // Graded, downwards and upwards, beyond what squares can hold.
  const double grade = sizeof(T) == sizeof(double) ? 3.0 : 0.4;
  all.push_back(filled<T>(n, [=](index_t i, index_t j) {
    return std::pow(10.0, -0.5 * grade * static_cast<double>(i + j));
  }));
  all.push_back(filled<T>(n, [=](index_t i, index_t j) {
    return std::pow(10.0, -0.5 * grade * static_cast<double>(2 * n - 2 - i - j));
  }));
  all.push_back(filled<T>(n, [=](index_t i, index_t j) {
    return i == j ? std::pow(10.0, -grade * static_cast<double>(i))
                  : (j == i + 1 ? std::pow(10.0, -grade * static_cast<double>(i) - 9.0) : 0.0);
  }));
  // An arrow, and the second differences.
  all.push_back(filled<T>(n, [](index_t i, index_t j) { return i == j || i == 0 ? 1.0 : 0.0; }));
  all.push_back(
      filled<T>(n, [](index_t i, index_t j) { return i == j ? 2.0 : (j == i + 1 ? -1.0 : 0.0); }));
  return all;
}

template <class T>
simd::LaneSource<T> source(const Matrix<T>& A) {
  return {A.data(), A.rows(), A.input().row_stride, 1};
}

// The eigenvalues of each matrix, which must all be solved, in groups as full as they get.
template <class T>
std::vector<std::vector<T>> solve(const std::vector<Matrix<T>>& all) {
  index_t largest = 1;
  for (const auto& A : all) largest = std::max(largest, A.rows());
  LaneSolver<T> solver(largest);
  std::vector<std::vector<T>> values;
  for (const auto& A : all) values.emplace_back(static_cast<std::size_t>(A.rows()));
  const auto most =
      static_cast<std::size_t>(LaneSolver<T>::groups_at_once() * LaneSolver<T>::lanes());
  for (std::size_t first = 0; first < all.size(); first += most) {
    std::vector<LaneProblem<T>> problems;
    for (std::size_t k = first; k < std::min(first + most, all.size()); ++k) {
      problems.push_back({source(all[k]), values[k].data()});
    }
    solver.solve(problems.data(), static_cast<index_t>(problems.size()));
    for (const auto& problem : problems) {
      EXPECT_EQ(problem.outcome, LaneProblem<T>::Outcome::solved);
    }
  }
  return values;
}

// Of LAPACK's, and of the lanes': a tenth of what the documents promise, 50 n eps |A|.
template <class T>
double tolerance(const std::vector<double>& w) {
  const double norm = std::max(std::abs(w.front()), std::abs(w.back()));
  return (5.0 * static_cast<double>(w.size()) + 10.0) * epsilon<T> * norm;
}

TYPED_TEST(LaneSolverOf, FindsTheEigenvaluesThatLapackFinds) {
  using T = TypeParam;
  for (index_t n = 1; n <= 130; n += n < 20 ? 1 : 11) {
    const auto all = matrices<T>(n);
    const auto values = solve(all);
    for (std::size_t k = 0; k < all.size(); ++k) {
      const auto expected = by_lapack(all[k]);
      EXPECT_TRUE(all_near(values[k], expected, tolerance<T>(expected)))
          << "matrix " << k << ", n = " << n;
    }
  }
}

TYPED_TEST(LaneSolverOf, FindsPrescribedEigenvalues) {
  using T = TypeParam;
  for (const index_t n : {2, 50, 100, 128, 200}) {
    std::vector<Matrix<T>> all;
    for (const auto& spectrum : prescribed_spectra(n)) {
      all.push_back(with_spectrum<T>(spectrum.lambda));
    }
    const auto values = solve(all);
    for (std::size_t k = 0; k < all.size(); ++k) {
      auto expected = prescribed_spectra(n)[k].lambda;
      std::sort(expected.begin(), expected.end(), std::greater<>());
      EXPECT_TRUE(all_near(values[k], expected, (static_cast<double>(n) + 20.0) * epsilon<T>));
    }
  }
}

// The largest and the smallest numbers, beside each other. The results are exact multiples, unless
// they underflow.
TYPED_TEST(LaneSolverOf, FindsEigenvaluesOfAnyScale) {
  using T = TypeParam;
  const index_t n = 30;
  const auto A = random_matrix<T>(n, 3);
  const int most = std::numeric_limits<T>::max_exponent;
  std::vector<int> exponents{0, 1, -1, most / 2, -most / 2, most - 8, -most + 8, -most - 10};
  std::vector<Matrix<T>> all;
  for (const int exponent : exponents) {
    all.push_back(filled<T>(n, [&](index_t i, index_t j) {
      return std::ldexp(static_cast<double>(A(i, j)), exponent);
    }));
  }
  const auto values = solve(all);
  for (std::size_t k = 0; k < all.size(); ++k) {
    for (std::size_t i = 0; i < values[k].size(); ++i) {
      const double exact = std::ldexp(static_cast<double>(values[0][i]), exponents[k]);
      const bool underflows = exponents[k] < -most + 10;
      const double lost =
          underflows ? 1e4 * static_cast<double>(std::numeric_limits<T>::denorm_min()) : 0.0;
      EXPECT_TRUE(near(static_cast<double>(values[k][i]), exact, lost)) << exponents[k];
    }
  }
}

TYPED_TEST(LaneSolverOf, FindsTheSameToTheBitWhateverIsBesideAMatrix) {
  using T = TypeParam;
  std::vector<Matrix<T>> all;
  for (const index_t n : {61, 1, 100, 33, 2, 34, 35, 3, 99, 128, 36, 60}) {
    all.push_back(random_matrix<T>(n, static_cast<unsigned>(n)));
    auto more = matrices<T>(n);
    all.push_back(std::move(more[static_cast<std::size_t>(n) % more.size()]));
  }
  const auto together = solve(all);
  std::vector<Matrix<T>> backwards(all.rbegin(), all.rend());
  const auto reversed = solve(backwards);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const auto alone = solve(std::vector<Matrix<T>>{all[k]});
    EXPECT_TRUE(bitwise_equal(together[k], alone[0])) << all[k].rows();
    EXPECT_TRUE(bitwise_equal(reversed[all.size() - 1 - k], alone[0])) << all[k].rows();
  }
}

// Neither does what such a matrix holds reach the lanes beside it.
TYPED_TEST(LaneSolverOf, SaysWhichMatrixIsNotFinite) {
  using T = TypeParam;
  const index_t n = 20;
  const auto good = random_matrix<T>(n, 4);
  const auto alone = solve(std::vector<Matrix<T>>{good});
  for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                      -std::numeric_limits<T>::infinity()}) {
    for (const auto& [i, j] : {std::pair<index_t, index_t>{0, 0}, {3, 17}, {n - 1, n - 1}}) {
      auto spoilt = good;
      spoilt(i, j) = bad;
      std::vector<T> w(static_cast<std::size_t>(n)), ignored = w;
      LaneProblem<T> problems[]{{source(spoilt), ignored.data()}, {source(good), w.data()}};
      LaneSolver<T>(n).solve(problems, 2);
      EXPECT_EQ(problems[0].outcome, LaneProblem<T>::Outcome::not_finite);
      EXPECT_EQ(problems[1].outcome, LaneProblem<T>::Outcome::solved);
      EXPECT_TRUE(bitwise_equal(w, alone[0]));
    }
  }
}

}  // namespace
}  // namespace eigentropy::testing
