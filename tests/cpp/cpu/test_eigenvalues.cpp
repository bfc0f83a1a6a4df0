#include "cpu/eigen/eigenvalues.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/errors.hpp"
#include "base/spectrum.hpp"
#include "checkers.hpp"
#include "matrices.hpp"
#include "sanitizers.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class Eigenvalues : public ::testing::Test {};
TYPED_TEST_SUITE(Eigenvalues, Precisions, PrecisionName);

constexpr Reduction reductions[] = {Reduction::one_stage, Reduction::two_stage,
                                    Reduction::automatic, Reduction::lapack};

template <class T>
std::vector<T> solve(Matrix<T> A, Reduction reduction, int threads = 2) {
  std::vector<T> w(static_cast<std::size_t>(A.rows()), std::numeric_limits<T>::quiet_NaN());
  Control control;
  eigenvalues(A.symmetric(), w.data(), reduction, threads, control, 0.0, 1.0);
  return w;
}

// n eps |A| with |A| = 1, and the rounding of the matrix itself.
template <class T>
double solver_tolerance(std::size_t n) {
  return (static_cast<double>(n) + 20.0) * epsilon<T>;
}

// Around the width of the band, a tile and the crossover of the two reductions.
const std::vector<index_t> orders{1, 2, 3, 31, 64, 65, 66, 97, 300};

TYPED_TEST(Eigenvalues, OfEveryReductionAreThePrescribedOnes) {
  for (const index_t n : orders) {
    for (const auto& [name, lambda] : prescribed_spectra(n)) {
      const auto A = with_spectrum<TypeParam>(lambda);
      for (const auto reduction : reductions) {
        EXPECT_TRUE(all_near(solve(A, reduction), sorted(lambda),
                             solver_tolerance<TypeParam>(lambda.size())))
            << name << ", n = " << n << ", reduction " << static_cast<int>(reduction);
      }
    }
  }
}

TYPED_TEST(Eigenvalues, OfEveryReductionAgreeBeyondTheCrossover) {
  const index_t n = sanitized ? 601 : 1501;
  const auto lambda = prescribed_spectra(n)[1].lambda;  // geometric: down to 1e-69
  const auto A = with_spectrum<TypeParam>(lambda);
  for (const auto reduction : reductions) {
    EXPECT_TRUE(
        all_near(solve(A, reduction), sorted(lambda), solver_tolerance<TypeParam>(lambda.size())));
  }
}

TYPED_TEST(Eigenvalues, OfEveryOrderUpToThreeBandsAreThePrescribedOnes) {
  for (index_t n = 1; n <= 200; n += sanitized ? 3 : 1) {
    const auto lambda = prescribed_spectra(n)[0].lambda;
    ASSERT_TRUE(all_near(solve(with_spectrum<TypeParam>(lambda), Reduction::two_stage),
                         sorted(lambda), solver_tolerance<TypeParam>(lambda.size())))
        << n;
  }
}

TYPED_TEST(Eigenvalues, DoNotDependOnTheNumberOfThreads) {
  for (const index_t n : {97, 421, 700}) {
    const auto A = with_spectrum<TypeParam>(prescribed_spectra(n)[0].lambda);
    for (const auto reduction : reductions) {
      const auto one = solve(A, reduction, 1);
      for (const int threads : {2, 5}) {
        EXPECT_TRUE(bitwise_equal(solve(A, reduction, threads), one));
      }
    }
  }
}

TYPED_TEST(Eigenvalues, OfADiagonalMatrixAreItsDiagonal) {
  for (const index_t n : orders) {
    std::vector<double> diagonal;
    Matrix<TypeParam> A(n, n);
    for (index_t i = 0; i < n; ++i) {
      diagonal.push_back(static_cast<double>((7 * i) % n) / static_cast<double>(n));
      A(i, i) = static_cast<TypeParam>(diagonal.back());
    }
    for (const auto reduction : reductions) {
      EXPECT_TRUE(all_near(solve(A, reduction), sorted(diagonal), 2.0 * epsilon<TypeParam>)) << n;
    }
  }
}

TYPED_TEST(Eigenvalues, OfAMatrixOfOnesAreZeroAndN) {
  for (const index_t n : {2, 3, 66, 300}) {
    std::vector<double> expected(static_cast<std::size_t>(n), 0.0);
    expected.back() = static_cast<double>(n);
    for (const auto reduction : reductions) {
      EXPECT_TRUE(all_near(solve(Matrix<TypeParam>(n, n, TypeParam(1)), reduction), expected,
                           solver_tolerance<TypeParam>(expected.size()) * static_cast<double>(n)));
    }
  }
}

TYPED_TEST(Eigenvalues, IgnoreTheRoomBetweenRowsAndTheLowerTriangle) {
  for (const index_t n : {3, 66, 97}) {
    const auto lambda = prescribed_spectra(n)[0].lambda;
    for (const auto reduction : reductions) {
      EXPECT_TRUE(all_near(solve(with_spectrum<TypeParam>(lambda, 5), reduction), sorted(lambda),
                           solver_tolerance<TypeParam>(lambda.size())));
    }
  }
}

TYPED_TEST(Eigenvalues, ReportTheirStretchOfTheProgress) {
  Control control;
  auto A = with_spectrum<TypeParam>(prescribed_spectra(66)[0].lambda);
  std::vector<TypeParam> w(66);
  eigenvalues(A.symmetric(), w.data(), Reduction::two_stage, 2, control, 0.25, 0.75);
  EXPECT_DOUBLE_EQ(control.progress(), 0.75);
}

TYPED_TEST(Eigenvalues, OfASmallSolverAreThePrescribedOnesForAllSizesUpToItsOwn) {
  SmallEigensolver<TypeParam> solver(97);
  for (const index_t n : {97, 1, 66, 2, 3, 31, 97}) {
    for (const auto& [name, lambda] : prescribed_spectra(n)) {
      auto A = with_spectrum<TypeParam>(lambda);
      std::vector<TypeParam> w(lambda.size(), std::numeric_limits<TypeParam>::quiet_NaN());
      solver.eigenvalues(A.symmetric(), w.data());
      EXPECT_TRUE(all_near(w, sorted(lambda), solver_tolerance<TypeParam>(lambda.size())))
          << name << ", n = " << n;
    }
  }
}

// What solve() throws, or "" if it does not; nothing may have been written by then.
template <class Solve>
std::string refusal(const Solve& solve) {
  try {
    solve();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

// In every place that is read, and for every way in.
TYPED_TEST(Eigenvalues, OfAMatrixThatIsNotFiniteAreRefusedBeforeAnyWork) {
  constexpr auto nan = std::numeric_limits<TypeParam>::quiet_NaN();
  constexpr auto infinity = std::numeric_limits<TypeParam>::infinity();
  SmallEigensolver<TypeParam> small(600);
  std::vector<TypeParam> w(600, TypeParam(77));
  Matrix<TypeParam> vectors(600, 1);
  Control control;
  const auto expect_refused = [&](Matrix<TypeParam> A, const std::string& message) {
    const auto before = A;
    for (const auto reduction : reductions) {
      EXPECT_EQ(
          refusal([&] { eigenvalues(A.symmetric(), w.data(), reduction, 2, control, 0.0, 1.0); }),
          message);
    }
    EXPECT_EQ(refusal([&] { small.eigenvalues(A.symmetric(), w.data()); }), message);
    EXPECT_EQ(refusal([&] { top_eigenpairs(A.symmetric(), 1, w.data(), vectors.view(), control); }),
              message);
    for (const TypeParam value : w) EXPECT_EQ(value, TypeParam(77));
    EXPECT_EQ(std::memcmp(A.data(), before.data(), sizeof(TypeParam) * before.size()), 0);
    EXPECT_EQ(control.progress(), 0.0);
  };
  for (const index_t n : {1, 3, 66, 501}) {
    const std::string order = std::to_string(n) + " x " + std::to_string(n);
    for (const index_t row : {index_t{0}, n / 2, n - 1}) {
      for (const index_t column : {row, (row + n - 1) / 2, n - 1}) {
        for (const auto bad : {nan, infinity, -infinity}) {
          auto A = with_spectrum<TypeParam>(prescribed_spectra(n)[0].lambda);
          A(row, column) = bad;
          expect_refused(A, "no eigenvalues: entry (" + std::to_string(row) + ", " +
                                std::to_string(column) + ") of the " + order + " matrix is " +
                                std::to_string(bad));
        }
      }
    }
  }
}

// The largest numbers are finite, though their sums are not.
TYPED_TEST(Eigenvalues, OfTheLargestNumbersAreNotRefusedForWhatTheyAddUpTo) {
  const TypeParam most = std::numeric_limits<TypeParam>::max();
  for (const index_t n : {2, 40}) {
    Matrix<TypeParam> A(n, n);
    for (index_t i = 0; i < n; ++i) A(i, i) = most / 4;
    EXPECT_TRUE(all_near(solve(A, Reduction::lapack),
                         std::vector<TypeParam>(static_cast<std::size_t>(n), most / 4),
                         4.0 * epsilon<TypeParam> * static_cast<double>(most)));
  }
}

TYPED_TEST(Eigenvalues, TopPairsAreOrthonormalEigenvectorsInDescendingOrder) {
  for (const index_t n : {1, 2, 3, 66, 300}) {
    for (const index_t k : {index_t{1}, std::min<index_t>(n, 5), n}) {
      const auto lambda = prescribed_spectra(n)[0].lambda;
      const auto A = with_spectrum<TypeParam>(lambda);
      auto destroyed = A;
      std::vector<TypeParam> w(static_cast<std::size_t>(k));
      Matrix<TypeParam> V(n, k);
      Control control;
      top_eigenpairs(destroyed.symmetric(), k, w.data(), V.view(), control);

      const auto ascending = sorted(lambda);
      const double tolerance = 4.0 * solver_tolerance<TypeParam>(lambda.size());
      EXPECT_TRUE(
          all_near(w, std::vector<double>(ascending.rbegin(), ascending.rbegin() + k), tolerance));
      for (index_t a = 0; a < k; ++a) {
        for (index_t b = 0; b <= a; ++b) {
          double product = 0.0;
          for (index_t i = 0; i < n; ++i) {
            product += static_cast<double>(V(i, a)) * static_cast<double>(V(i, b));
          }
          ASSERT_TRUE(near(product, a == b ? 1.0 : 0.0, tolerance));
        }
        for (index_t i = 0; i < n; ++i) {
          double image = 0.0;
          for (index_t j = 0; j < n; ++j) {
            image += static_cast<double>(A(std::min(i, j), std::max(i, j)) * V(j, a));
          }
          const double expected = static_cast<double>(w[static_cast<std::size_t>(a)] * V(i, a));
          ASSERT_TRUE(near(image, expected, tolerance));
        }
      }
    }
  }
}

struct Traces {
  double trace = 0.0, squares = 0.0;
};
template <class T>
Traces traces_of(const std::vector<T>& w) {
  Traces traces;
  for (const T value : w) {
    traces.trace += static_cast<double>(value);
    traces.squares += static_cast<double>(value) * static_cast<double>(value);
  }
  return traces;
}

TYPED_TEST(Eigenvalues, MatchTheTracesOfTheirOwnMatrix) {
  for (const index_t n : orders) {
    for (const auto& [name, lambda] : prescribed_spectra(n)) {
      const auto w = solve(with_spectrum<TypeParam>(lambda), Reduction::automatic);
      const Traces traces = traces_of(lambda);
      EXPECT_TRUE(spectrum_matches(w.data(), n, traces.trace, traces.squares)) << name << n;
    }
  }
}

TYPED_TEST(Eigenvalues, ThatAreWrongInOnePlaceMatchNoTraces) {
  const auto lambda = prescribed_spectra(300)[0].lambda;
  const std::vector<TypeParam> right(lambda.begin(), lambda.end());
  const Traces traces = traces_of(right);
  ASSERT_TRUE(spectrum_matches(right.data(), 300, traces.trace, traces.squares));
  for (const std::size_t i : {std::size_t{0}, std::size_t{150}, std::size_t{299}}) {
    for (const double wrong :
         {static_cast<double>(right[i]) + 0.1, -1.0, 1e30, std::numeric_limits<double>::quiet_NaN(),
          std::numeric_limits<double>::infinity()}) {
      auto changed = right;
      changed[i] = static_cast<TypeParam>(wrong);
      EXPECT_FALSE(spectrum_matches(changed.data(), 300, traces.trace, traces.squares)) << wrong;
    }
  }
}

// The sum alone would accept these.
TYPED_TEST(Eigenvalues, OfTheRightSumAndTheWrongSquaresMatchNoTraces) {
  const std::vector<TypeParam> w{0.5, 0.5};
  EXPECT_TRUE(spectrum_matches(w.data(), 2, 1.0, 0.5));
  EXPECT_FALSE(spectrum_matches(w.data(), 2, 1.0, 1.0));
}

TYPED_TEST(Eigenvalues, MatchNoTracesThatAreNaN) {
  const std::vector<TypeParam> w{0.5, 0.5};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(spectrum_matches(w.data(), 2, nan, 0.5));
  EXPECT_FALSE(spectrum_matches(w.data(), 2, 1.0, nan));
}

TYPED_TEST(Eigenvalues, OutsideOfTheirBoundsMatchNothing) {
  // Both add up to 1, and their squares to 5.
  const std::vector<TypeParam> w{-1.0, 0.0, 2.0};
  EXPECT_TRUE(spectrum_matches(w.data(), 3, 1.0, 5.0));
  EXPECT_TRUE(spectrum_matches(w.data(), 3, 1.0, 5.0, {-1.0, 2.0}));
  EXPECT_FALSE(spectrum_matches(w.data(), 3, 1.0, 5.0, {-0.99, 2.0}));
  EXPECT_FALSE(spectrum_matches(w.data(), 3, 1.0, 5.0, {-1.0, 1.99}));
}

// 50 n eps |A|, with |A| at most 1 by the bounds though |A|_F is 10.
TYPED_TEST(Eigenvalues, MayPassTheirBoundsByRoundingOnly) {
  constexpr index_t n = 100;
  const double unit = static_cast<double>(n) * epsilon<TypeParam>;
  const auto match = [&](double first) {
    std::vector<TypeParam> w(n, TypeParam(1));
    w[0] = static_cast<TypeParam>(first);
    const Traces traces = traces_of(w);
    return spectrum_matches(w.data(), n, traces.trace, traces.squares, {0.0, 1.0});
  };
  EXPECT_TRUE(match(-49.0 * unit));
  EXPECT_FALSE(match(-51.0 * unit));
  EXPECT_TRUE(match(1.0 + 49.0 * unit));
  EXPECT_FALSE(match(1.0 + 51.0 * unit));
  EXPECT_FALSE(match(std::numeric_limits<double>::quiet_NaN()));
}

TYPED_TEST(Eigenvalues, OfAZeroMatrixMatchNothingButZeros) {
  const std::vector<TypeParam> zeros(3, TypeParam(0)), other{0, 0, TypeParam(1e-30)};
  EXPECT_TRUE(spectrum_matches(zeros.data(), 3, 0.0, 0.0, {0.0, 1.0}));
  EXPECT_FALSE(spectrum_matches(other.data(), 3, 0.0, 0.0, {0.0, 1.0}));
}

template <class Error>
std::string message_of_info(const std::string& routine, int info) {
  try {
    check_info(routine, info);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error of this kind";
}

TEST(CheckInfo, OfZeroIsNoError) {
  for (const char* routine : {"sytrd", "sterf", "syevr"}) {
    EXPECT_NO_THROW(check_info(routine, 0));
  }
}

TEST(CheckInfo, BelowZeroIsAnErrorOfOursInEveryRoutine) {
  for (const std::string routine : {"sytrd", "sterf", "syevr"}) {
    EXPECT_EQ(message_of_info<std::logic_error>(routine, -3),
              "LAPACK's " + routine + ": argument 3 is illegal");
  }
}

TEST(CheckInfo, AboveZeroHasTheRoutinesOwnMeaning) {
  EXPECT_EQ(message_of_info<SolverError>("sterf", 2),
            "LAPACK's sterf did not converge in 30 n iterations: 2 off-diagonal "
            "entries are not zero");
  EXPECT_EQ(message_of_info<SolverError>("syevr", 2),
            "LAPACK's syevr failed with an internal error (info = 2)");
  EXPECT_EQ(message_of_info<SolverError>("sytrd", 2),
            "LAPACK's sytrd returned info = 2, which has no meaning for it");
}

}  // namespace
}  // namespace eigentropy::testing
