#include "cpu/eigen/tridiagonal.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/eigen/bisection.hpp"
#include "base/errors.hpp"
#include "checkers.hpp"
#include "cpu/blas.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class TridiagonalEigenvalues : public ::testing::Test {};
TYPED_TEST_SUITE(TridiagonalEigenvalues, Precisions, PrecisionName);

template <class T>
struct Tridiagonal {
  std::string name;
  std::vector<T> d, e;

  std::size_t size() const { return d.size(); }
  // Largest row sum: at least |T|, at most 3 |T|.
  double norm() const {
    double most = 0.0;
    for (std::size_t i = 0; i < size(); ++i) {
      const double left = i > 0 ? std::abs(static_cast<double>(e[i - 1])) : 0.0;
      const double right = i + 1 < size() ? std::abs(static_cast<double>(e[i])) : 0.0;
      most = std::max(most, left + std::abs(static_cast<double>(d[i])) + right);
    }
    return most;
  }
};

// diagonal(i) for i = 0 .. n - 1; off_diagonal(i) between rows i - 1 and i, i = 1 .. n - 1.
template <class T, class Diagonal, class OffDiagonal>
Tridiagonal<T> tridiagonal(const std::string& name, index_t n, Diagonal diagonal,
                           OffDiagonal off_diagonal) {
  Tridiagonal<T> matrix{name, {}, {}};
  for (index_t i = 0; i < n; ++i) {
    matrix.d.push_back(static_cast<T>(diagonal(static_cast<double>(i))));
    if (i > 0) matrix.e.push_back(static_cast<T>(off_diagonal(static_cast<double>(i))));
  }
  return matrix;
}

template <class T>
std::vector<T> solve(Tridiagonal<T> matrix, int threads = 2) {
  Control control;
  tridiagonal_eigenvalues(matrix.d.data(), matrix.e.data(), static_cast<index_t>(matrix.size()),
                          threads, control);
  return matrix.d;
}

// Eigenvalues below x: the negative quotients of LAPACK's recurrence, in long double.
template <class T>
std::size_t count_below(const Tridiagonal<T>& matrix, long double x) {
  constexpr long double least = std::numeric_limits<long double>::min() * 1e10L;
  std::size_t count = 0;
  long double q = 1.0L;
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    const long double left = i > 0 ? static_cast<long double>(matrix.e[i - 1]) : 0.0L;
    q = static_cast<long double>(matrix.d[i]) - x - left * left / q;
    if (std::abs(q) < least) q = -least;
    if (q < 0.0L) ++count;
  }
  return count;
}

// w_k is within `tolerance` of the k-th eigenvalue, for all k, and they ascend.
template <class T>
::testing::AssertionResult are_eigenvalues(const Tridiagonal<T>& matrix, const std::vector<T>& w,
                                           double tolerance) {
  if (w.size() != matrix.size()) return ::testing::AssertionFailure() << w.size() << " values";
  for (std::size_t k = 0; k < w.size(); ++k) {
    const auto value = static_cast<long double>(w[k]);
    if (k > 0 && !(w[k - 1] <= w[k])) {
      return ::testing::AssertionFailure() << "descends at " << k << ": " << w[k];
    }
    if (!(count_below(matrix, value - tolerance) <= k) ||
        !(count_below(matrix, value + tolerance) > k)) {
      return ::testing::AssertionFailure()
             << matrix.name << ", n = " << w.size() << ": " << w[k] << " is not eigenvalue " << k
             << " to within " << tolerance;
    }
  }
  return ::testing::AssertionSuccess();
}

// Ours is good to eps |T|; small matrices are left to sterf.
template <class T>
double solver_tolerance(const Tridiagonal<T>& matrix) {
  const double growth = matrix.size() < 100 ? std::sqrt(static_cast<double>(matrix.size())) : 1.0;
  return 4.0 * growth * epsilon<T> * matrix.norm();
}

template <class T>
Tridiagonal<T> second_difference(index_t n, double scale = 1.0) {
  return tridiagonal<T>(
      "second difference", n, [&](double) { return 2.0 * scale; },
      [&](double) { return -1.0 * scale; });
}

// What sytrd makes of a symmetric Gaussian matrix (Dumitriu and Edelman, 2002).
template <class T>
Tridiagonal<T> gaussian_ensemble(index_t n) {
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal(0.0, std::sqrt(2.0));
  return tridiagonal<T>(
      "Gaussian ensemble", n, [&](double) { return normal(generator); },
      [&](double i) {
        std::chi_squared_distribution<double> chi2(static_cast<double>(n) - i);
        return std::sqrt(chi2(generator));
      });
}

// W21+, many times over, joined by entries of `glue`.
template <class T>
Tridiagonal<T> glued_wilkinson(index_t copies, double glue) {
  return tridiagonal<T>(
      "glued Wilkinson", 21 * copies, [](double i) { return std::abs(std::fmod(i, 21.0) - 10.0); },
      [&](double i) { return std::fmod(i, 21.0) == 0.0 ? glue : 1.0; });
}

template <class T>
std::vector<Tridiagonal<T>> matrices(index_t n) {
  const auto size = static_cast<double>(n);
  const auto one = [](double) { return 1.0; };
  const auto zero = [](double) { return 0.0; };
  return {second_difference<T>(n),
          gaussian_ensemble<T>(n),
          glued_wilkinson<T>(std::max<index_t>(1, n / 21), 1e-9),
          tridiagonal<T>(
              "Wilkinson", n, [&](double i) { return std::abs(i - 0.5 * size); }, one),
          tridiagonal<T>(
              "diagonal", n, [](double i) { return std::sin(i); }, zero),
          tridiagonal<T>("identity", n, one, zero),
          tridiagonal<T>("exchange", n, zero, one),
          tridiagonal<T>("pairs", n, zero, [](double i) { return std::fmod(i, 2.0); }),
          tridiagonal<T>("almost diagonal", n, one, [](double i) { return std::exp(-i); }),
          tridiagonal<T>(
              "graded", n, [](double i) { return std::exp(-0.7 * i); },
              [](double i) { return 0.1 * std::exp(-0.7 * i); }),
          tridiagonal<T>(
              "one large", n, [](double i) { return i == 5.0 ? 1e6 : 1e-6 * std::cos(i); },
              [](double) { return 1e-6; }),
          tridiagonal<T>(
              "negative", n, [](double i) { return -3.0 - 1.0 / (i + 1.0); },
              [](double i) { return -1.0 / i; })};
}

// Around the order from which sterf is not called, a kernel's lanes, and odd and even.
const std::vector<index_t> orders{1, 2, 3, 21, 63, 64, 65, 127, 128, 300, 1009};

TYPED_TEST(TridiagonalEigenvalues, AreCertifiedBySturmCounts) {
  constexpr double not_zero = static_cast<double>(std::numeric_limits<TypeParam>::min());
  for (const index_t n : orders) {
    for (const auto& matrix : matrices<TypeParam>(n)) {
      EXPECT_TRUE(are_eigenvalues(matrix, solve(matrix), solver_tolerance(matrix) + not_zero));
    }
  }
}

// A third of the entries are about as large as the largest, a third of a size whose squares
// underflow in part, and the others of any size.
template <class T>
Tridiagonal<T> entries_of_all_sizes(index_t n, unsigned seed) {
  constexpr double range = std::numeric_limits<T>::min_exponent10;
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  std::uniform_real_distribution<double> of_most(range / 16, 0.0), of_any(range, 0.0),
      around_half(range / 2 - 8.0, range / 2 + 2.0);
  const double most = std::pow(10.0, of_most(generator));
  const auto entry = [&](double) {
    const auto third = generator() % 3;
    if (third == 0) return normal(generator) * most;
    return normal(generator) *
           std::min(most, std::pow(10.0, third == 1 ? around_half(generator) : of_any(generator)));
  };
  return tridiagonal<T>("entries of all sizes", n, entry, entry);
}

TYPED_TEST(TridiagonalEigenvalues, OfEntriesOfAllSizesAreCertified) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const auto matrix = entries_of_all_sizes<TypeParam>(2 + seed % 80, seed);
    EXPECT_TRUE(are_eigenvalues(matrix, solve(matrix), solver_tolerance(matrix))) << seed;
    auto by_sterf = matrix;
    eigenvalues_by_sterf(by_sterf.d.data(), by_sterf.e.data(),
                         static_cast<index_t>(by_sterf.size()));
    EXPECT_TRUE(are_eigenvalues(matrix, by_sterf.d, solver_tolerance(matrix))) << seed;
  }
}

// Of small matrices, too, which the core leaves to sterf, and a plug-in without LAPACK does not.
TYPED_TEST(TridiagonalEigenvalues, ByBisectionAloneAreCertified) {
  constexpr double not_zero = static_cast<double>(std::numeric_limits<TypeParam>::min());
  for (const index_t n : {1, 2, 3, 5, 21, 63, 64}) {
    for (auto matrix : matrices<TypeParam>(n)) {
      Control control;
      std::vector<TypeParam> w = matrix.d;
      bisect(w.data(), matrix.e.data(), static_cast<index_t>(w.size()), 2, control);
      EXPECT_TRUE(are_eigenvalues(matrix, w, 4.0 * epsilon<TypeParam> * matrix.norm() + not_zero));
    }
  }
}

TEST(TridiagonalChecker, RejectsWrongEigenvaluesAndNaN) {
  const auto matrix = second_difference<double>(100);
  const auto right = solve(matrix);
  const double tolerance = solver_tolerance(matrix);
  ASSERT_TRUE(are_eigenvalues(matrix, right, tolerance));
  for (const double wrong :
       {right[50] + 1e-13, right[50] - 1e-13, right[51], right[49],
        std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    auto changed = right;
    changed[50] = wrong;
    EXPECT_FALSE(are_eigenvalues(matrix, changed, tolerance)) << wrong;
  }
  EXPECT_FALSE(are_eigenvalues(matrix, std::vector<double>{}, tolerance));
}

TYPED_TEST(TridiagonalEigenvalues, OfTheSecondDifferenceAreThoseOfItsSines) {
  for (const index_t n : orders) {
    std::vector<double> expected;
    for (index_t k = 1; k <= n; ++k) {
      const double angle = static_cast<double>(k) * std::acos(-1.0) / static_cast<double>(n + 1);
      expected.push_back(2.0 - 2.0 * std::cos(angle));
    }
    const auto matrix = second_difference<TypeParam>(n);
    EXPECT_TRUE(all_near(solve(matrix), expected, solver_tolerance(matrix))) << n;
  }
}

TYPED_TEST(TridiagonalEigenvalues, OfTheClementMatrixAreIntegers) {
  for (const index_t n : orders) {
    const auto size = static_cast<double>(n);
    const auto matrix = tridiagonal<TypeParam>(
        "Clement", n, [](double) { return 0.0; },
        [&](double i) { return std::sqrt(i * (size - i)); });
    std::vector<double> expected;
    for (index_t k = 0; k < n; ++k) expected.push_back(2.0 * static_cast<double>(k) - size + 1.0);
    EXPECT_TRUE(all_near(solve(matrix), expected, solver_tolerance(matrix))) << n;
  }
}

// The 21 are those of one copy, each repeated, to within the glue.
TYPED_TEST(TridiagonalEigenvalues, OfGluedCopiesAreClustersAroundThoseOfOne) {
  const auto one = solve(glued_wilkinson<double>(1, 0.0));
  for (const double glue : {0.0, 1e-20, 1e-8, 1e-3}) {
    const auto matrix = glued_wilkinson<TypeParam>(40, glue);
    std::vector<double> expected;
    for (const double value : one) expected.insert(expected.end(), 40, value);
    EXPECT_TRUE(all_near(solve(matrix), expected, 2.0 * glue + solver_tolerance(matrix))) << glue;
  }
}

TYPED_TEST(TridiagonalEigenvalues, OfZeroAreZero) {
  for (const index_t n : orders) {
    const auto zero = second_difference<TypeParam>(n, 0.0);
    EXPECT_TRUE(all_near(solve(zero), std::vector<double>(zero.size(), 0.0), 0.0)) << n;
  }
}

TYPED_TEST(TridiagonalEigenvalues, ScaleWithTheMatrixExactlyByPowersOfTwo) {
  const index_t n = 301;
  const auto plain = solve(gaussian_ensemble<TypeParam>(n));
  const int far = static_cast<int>(by_precision<TypeParam>(500, 60));  // 1e150, 1e18
  for (const int exponent : {-far, -1, 1, far}) {
    auto matrix = gaussian_ensemble<TypeParam>(n);
    for (auto& x : matrix.d) x = std::ldexp(x, exponent);
    for (auto& x : matrix.e) x = std::ldexp(x, exponent);
    auto expected = plain;
    for (auto& x : expected) x = std::ldexp(x, exponent);
    EXPECT_TRUE(bitwise_equal(solve(matrix), expected)) << exponent;
  }
}

TYPED_TEST(TridiagonalEigenvalues, AreFoundAtTheEndsOfTheRange) {
  constexpr double most = static_cast<double>(std::numeric_limits<TypeParam>::max());
  constexpr double least = static_cast<double>(std::numeric_limits<TypeParam>::min());
  for (const double scale : {0.2 * most, least, 0.0625 * least}) {
    const auto matrix = second_difference<TypeParam>(200, scale);
    // Below the smallest normal number, numbers are this far apart.
    const double apart = static_cast<double>(std::numeric_limits<TypeParam>::denorm_min());
    EXPECT_TRUE(are_eigenvalues(matrix, solve(matrix), solver_tolerance(matrix) + apart)) << scale;
  }
}

TYPED_TEST(TridiagonalEigenvalues, AreThoseOfLapack) {
  for (const index_t n : {index_t{300}, index_t{2001}}) {
    const auto matrix = gaussian_ensemble<TypeParam>(n);
    auto copy = matrix;
    check_info("sterf", blas::sterf(static_cast<int>(n), copy.d.data(), copy.e.data()));
    EXPECT_TRUE(all_near(solve(matrix), copy.d,
                         50.0 * static_cast<double>(n) * epsilon<TypeParam> * matrix.norm()));
  }
}

// Large enough for five threads to have work.
TYPED_TEST(TridiagonalEigenvalues, DoNotDependOnTheNumberOfThreads) {
  const index_t n = 3001;
  for (const auto& matrix : {gaussian_ensemble<TypeParam>(n), glued_wilkinson<TypeParam>(143, 1e-5),
                             second_difference<TypeParam>(n)}) {
    const auto alone = solve(matrix, 1);
    for (const int threads : {2, 5}) {
      EXPECT_TRUE(bitwise_equal(solve(matrix, threads), alone)) << matrix.name << threads;
    }
  }
}

TYPED_TEST(TridiagonalEigenvalues, OfAMatrixThatIsNotFiniteAreNaN) {
  constexpr auto nan = std::numeric_limits<TypeParam>::quiet_NaN();
  constexpr auto infinity = std::numeric_limits<TypeParam>::infinity();
  for (const index_t n : {index_t{5}, index_t{300}}) {
    for (const auto bad : {nan, infinity, -infinity}) {
      auto on = second_difference<TypeParam>(n), off = on;
      on.d[3] = bad;
      off.e[2] = bad;
      for (const auto& matrix : {on, off}) {
        for (const auto value : solve(matrix)) EXPECT_TRUE(std::isnan(value));
      }
    }
  }
}

TYPED_TEST(TridiagonalEigenvalues, AreNotComputedOnceCancelled) {
  for (const index_t n : {index_t{5}, index_t{300}}) {
    auto matrix = second_difference<TypeParam>(n);
    Control control;
    control.cancel();
    EXPECT_THROW(tridiagonal_eigenvalues(matrix.d.data(), matrix.e.data(), n, 2, control),
                 Interrupted);
  }
}

}  // namespace
}  // namespace eigentropy::testing
