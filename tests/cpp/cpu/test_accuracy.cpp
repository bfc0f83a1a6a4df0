// The accuracy of the eigenvalue solvers: every eigenvalue within 50 n eps |A|.
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <random>

#include "base/threads.hpp"
#include "checkers.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/operator/diffusion.hpp"
#include "matrices.hpp"
#include "sanitizers.hpp"

extern "C" void scipy_dsyevd_(const char*, const char*, const int*, double*, const int*, double*,
                              double*, const int*, int*, const int*, int*, std::size_t,
                              std::size_t);

namespace eigentropy::testing {
namespace {

constexpr Reduction reductions[] = {Reduction::one_stage, Reduction::two_stage,
                                    Reduction::automatic, Reduction::lapack};
constexpr const char* names[] = {"automatic", "one stage", "two stages", "lapack"};

// What is promised, in units of n eps |A|.
constexpr double promised = 50.0;

// What a change of the solvers may not lose unnoticed. The rounding of a prescribed matrix is some
// eps |A|, whatever n is.
double usual(index_t n) { return n < 64 ? 4.0 : 0.5; }

template <class T>
class Accuracy : public ::testing::Test {
 protected:
  void TearDown() override {
    RecordProperty("worst_error_in_n_eps_norm", std::to_string(worst_));
    std::cout << "worst error for n >= 64: " << worst_ << " n eps |A| (" << worst_case_ << ")\n";
  }

  // w and expected ascend.
  void expect_accurate(const std::vector<T>& w, const std::vector<double>& expected,
                       const std::string& name) {
    const auto n = static_cast<index_t>(w.size());
    const double norm = std::max(std::abs(expected.front()), std::abs(expected.back()));
    const double unit = static_cast<double>(n) * epsilon<T> * norm;
    EXPECT_TRUE(all_near(w, expected, promised * unit)) << name;
    EXPECT_TRUE(all_near(w, expected, usual(n) * unit)) << name;
    if (n < 64) return;
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double error = std::abs(static_cast<double>(w[i]) - expected[i]);
      if (unit > 0.0 && error > worst_ * unit) {
        worst_ = error / unit;
        worst_case_ = name;
      }
    }
  }

 private:
  double worst_ = 0.0;
  std::string worst_case_ = "all exact";
};
TYPED_TEST_SUITE(Accuracy, Precisions, PrecisionName);

template <class T>
std::vector<T> solve(Matrix<T> A, Reduction reduction, int threads) {
  std::vector<T> w(static_cast<std::size_t>(A.rows()), std::numeric_limits<T>::quiet_NaN());
  Control control;
  eigenvalues(A.symmetric(), w.data(), reduction, threads, control, 0.0, 1.0);
  return w;
}

// All eigenvalues by LAPACK's dsyevd, in double for either precision.
template <class T>
std::vector<double> solve_by_lapack(const Matrix<T>& A) {
  const index_t n = A.rows();
  std::vector<double> entries, w(static_cast<std::size_t>(n));
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) {
      entries.push_back(static_cast<double>(A(std::min(i, j), std::max(i, j))));
    }
  }
  const SingleThreadedBlas one_thread;  // its threads wait by spinning
  const int order = static_cast<int>(n), size = 2 * order + 1, integer_size = 1;
  std::vector<double> work(static_cast<std::size_t>(size));
  int info = 0, integer_work = 0;
  scipy_dsyevd_("N", "L", &order, entries.data(), &order, w.data(), work.data(), &size,
                &integer_work, &integer_size, &info, 1, 1);
  EXPECT_EQ(info, 0);
  return w;
}

template <class T>
struct Problem {
  std::string name;
  Matrix<T> A;
  std::vector<double> lambda;  // ascending
};

template <class T>
Problem<T> rotated(const std::string& name, index_t n, const std::function<double(double)>& value) {
  std::vector<double> lambda;
  for (index_t i = 0; i < n; ++i) lambda.push_back(value(static_cast<double>(i)));
  return {name, with_spectrum<T>(lambda), sorted(lambda)};
}

template <class T>
Problem<T> diagonal(index_t n) {
  Problem<T> problem{"diagonal", Matrix<T>(n, n), {}};
  for (index_t i = 0; i < n; ++i) {
    problem.A(i, i) = static_cast<T>(std::sin(static_cast<double>(i)));
    problem.lambda.push_back(static_cast<double>(problem.A(i, i)));
  }
  problem.lambda = sorted(problem.lambda);
  return problem;
}

template <class T>
Problem<T> second_difference(index_t n) {
  Problem<T> problem{"tridiagonal", Matrix<T>(n, n), {}};
  for (index_t i = 0; i < n; ++i) {
    problem.A(i, i) = 2;
    if (i + 1 < n) problem.A(i, i + 1) = -1;
    const double angle = std::acos(-1.0) * static_cast<double>(i + 1) / static_cast<double>(n + 1);
    problem.lambda.push_back(2.0 - 2.0 * std::cos(angle));
  }
  return problem;
}

template <class T>
std::vector<Problem<T>> problems(index_t n) {
  const auto size = static_cast<double>(n);
  const double smallest = by_precision<T>(1e-12, 1e-6);
  const auto cluster = [](double i) { return (std::fmod(i, 4.0) + 1.0) / 4.0; };
  return {rotated<T>("uniform", n, [=](double i) { return (i + 1.0) / size; }),
          rotated<T>("geometric", n,
                     [=](double i) { return std::pow(smallest, i / std::max(1.0, size - 1.0)); }),
          rotated<T>("clustered", n,
                     [=](double i) { return cluster(i) + 8.0 * epsilon<T> * std::sin(i); }),
          rotated<T>("one outlier", n, [=](double i) { return i == 0.0 ? 1.0 : smallest * i; }),
          rotated<T>("rank deficient", n, [=](double i) { return i < size / 3.0 ? 1.0 : 0.0; }),
          rotated<T>("both signs", n, [=](double i) { return std::cos(i); }),
          rotated<T>("identity", n, [](double) { return 1.0; }),
          rotated<T>("zero", n, [](double) { return 0.0; }),
          diagonal<T>(n),
          second_difference<T>(n)};
}

// 1, 2, 3, primes, and both sides of the width of the band, 64, of twice that, and of the order
// from which there are two stages.
std::vector<index_t> orders() {
  std::vector<index_t> all{1, 2, 3, 63, 64, 65, 127, 128, 129, 257};
  if (!sanitized) all.insert(all.end(), {499, 500, 509, 521, 1009});
  return all;
}

// From 500 on, `automatic` is two stages, too, and the others take long.
std::vector<int> thread_counts(Reduction reduction, index_t n) {
  if (n < 500) return {1, 2, 3};
  if (reduction == Reduction::two_stage) return {1, 3};
  return {2};
}

TYPED_TEST(Accuracy, OfPrescribedSpectraIsThePromisedOneByEveryReduction) {
  for (const index_t n : orders()) {
    for (const auto& [name, A, lambda] : problems<TypeParam>(n)) {
      for (const auto reduction : reductions) {
        for (const int threads : thread_counts(reduction, n)) {
          this->expect_accurate(solve(A, reduction, threads), lambda,
                                name + ", n = " + std::to_string(n) + ", " +
                                    names[static_cast<int>(reduction)] + ", " +
                                    std::to_string(threads) + " threads");
        }
      }
    }
  }
}

TYPED_TEST(Accuracy, IsThatOfLapackInDouble) {
  for (const index_t n : {3, 64, 129, sanitized ? 131 : 521}) {
    for (const auto& [name, A, lambda] : problems<TypeParam>(n)) {
      const auto expected = solve_by_lapack(A);
      for (const auto reduction : reductions) {
        this->expect_accurate(
            solve(A, reduction, 2), expected,
            name + ", n = " + std::to_string(n) + ", " + names[static_cast<int>(reduction)]);
      }
    }
  }
}

// From the identity, where no row sees another, to a matrix of rank one.
TYPED_TEST(Accuracy, OfKernelsAndDiffusionOperatorsOfEveryWidthIsThatOfLapack) {
  const index_t n = sanitized ? 131 : 521;
  const auto X = centered(clusters<TypeParam>(n, 3, 3, 4.0, 1));
  for (const bool normalized : {true, false}) {
    for (const double sigma : {1e-3, 0.1, 0.5, 2.0, 10.0, 1e4}) {
      Control control;
      const auto built = build_matrix(X, {sigma, 0.5, normalized}, 2, control, 0.0, 1.0);
      Matrix<TypeParam> A(n, n);
      for (index_t i = 0; i < n; ++i) std::copy_n(built.view().row(i), n, &A(i, 0));
      const auto expected = solve_by_lapack(A);
      for (const auto reduction : reductions) {
        const auto w = solve(A, reduction, 2);
        this->expect_accurate(
            w, expected,
            "sigma = " + std::to_string(sigma) + ", " + names[static_cast<int>(reduction)]);
        EXPECT_NO_THROW(
            check_spectrum(w.data(), n, {sigma, 0.5, normalized}, built.trace, built.frobenius2));
      }
    }
  }
}

// A random problem: its seed says all.
struct RandomCase {
  std::mt19937_64 generator;
  index_t n;
  double scale;
  Reduction reduction;
  int threads;

  explicit RandomCase(unsigned seed, double decades) : generator(seed) {
    n = static_cast<index_t>(std::exp(uniform(0.0, std::log(sanitized ? 200.0 : 700.0))));
    scale = std::pow(10.0, uniform(-decades, decades));
    reduction = reductions[static_cast<int>(uniform(0.0, 3.999))];
    threads = static_cast<int>(uniform(1.0, 4.999));
  }
  double uniform(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(generator);
  }

  // Some clusters of random width, some zeros, of both signs: everything at random.
  std::vector<double> spectrum() {
    const int centers = static_cast<int>(uniform(1.0, 8.0));
    const double width = std::pow(10.0, uniform(-17.0, 0.0)), zeros = uniform(-0.5, 0.9);
    const double grade = uniform(-1.0, 1.0) > 0.0 ? std::pow(10.0, uniform(-16.0, 0.0)) : 1.0;
    std::vector<double> middles, lambda;
    for (int i = 0; i < centers; ++i) middles.push_back(uniform(-1.0, 1.0));
    for (index_t i = 0; i < n; ++i) {
      const double middle = middles[static_cast<std::size_t>(uniform(0.0, centers - 1e-9))];
      const double value = uniform(0.0, 1.0) < zeros ? 0.0 : middle + uniform(-width, width);
      lambda.push_back(scale * value * std::pow(grade, uniform(0.0, 1.0)));
    }
    return lambda;
  }

  std::string name() const {
    return "n = " + std::to_string(n) + ", scale " + std::to_string(std::log10(scale)) +
           " decades, " + names[static_cast<int>(reduction)] + ", " + std::to_string(threads) +
           " threads";
  }
};

// Sixty cases each: what(case, A, lambda, w).
template <class T, class What>
void for_random_cases(double decades, const What& what) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    RandomCase random(seed, decades);
    const auto lambda = sorted(random.spectrum());
    const auto A = with_spectrum<T>(lambda);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + random.name());
    what(random, A, lambda, solve(A, random.reduction, random.threads));
  }
}

TYPED_TEST(Accuracy, OfRandomSpectraAtEveryScaleIsThePromisedOne) {
  for_random_cases<TypeParam>(
      by_precision<TypeParam>(140.0, 15.0),
      [&](const RandomCase& random, const auto&, const auto& lambda, const auto& w) {
        this->expect_accurate(w, lambda, random.name());
        EXPECT_TRUE(std::is_sorted(w.begin(), w.end()));
      });
}

template <class T>
class EigenvalueLaws : public ::testing::Test {};
TYPED_TEST_SUITE(EigenvalueLaws, Precisions, PrecisionName);

TYPED_TEST(EigenvalueLaws, OfPermutationNegationAndInterlacingHoldForRandomMatrices) {
  using T = TypeParam;
  for_random_cases<T>(0.0, [&](RandomCase& random, const Matrix<T>& A, const auto& lambda,
                               const std::vector<T>& w) {
    const index_t n = random.n;
    const double norm = std::max(std::abs(lambda.front()), std::abs(lambda.back()));
    const double rounding = usual(n) * static_cast<double>(n) * epsilon<T> * norm;
    const auto solve_mapped = [&](index_t order, const std::function<T(index_t, index_t)>& at) {
      Matrix<T> mapped(order, order);
      for (index_t i = 0; i < order; ++i) {
        for (index_t j = i; j < order; ++j) mapped(i, j) = at(i, j);
      }
      return solve(mapped, random.reduction, random.threads);
    };

    // The order of rows and columns does not matter.
    std::vector<index_t> order(static_cast<std::size_t>(n));
    for (index_t i = 0; i < n; ++i) order[static_cast<std::size_t>(i)] = i;
    std::shuffle(order.begin(), order.end(), random.generator);
    const auto permuted = solve_mapped(n, [&](index_t i, index_t j) {
      const index_t a = order[static_cast<std::size_t>(i)], b = order[static_cast<std::size_t>(j)];
      return A(std::min(a, b), std::max(a, b));
    });
    EXPECT_TRUE(all_near(permuted, w, rounding));

    // -A has the eigenvalues -lambda.
    auto negative = solve_mapped(n, [&](index_t i, index_t j) { return -A(i, j); });
    std::reverse(negative.begin(), negative.end());
    for (T& value : negative) value = -value;
    EXPECT_TRUE(all_near(negative, w, rounding));

    // Cauchy: those of A without its last row and column are between those of A.
    if (n == 1) return;
    const auto smaller = solve_mapped(n - 1, [&](index_t i, index_t j) { return A(i, j); });
    for (std::size_t i = 0; i + 1 < w.size(); ++i) {
      const auto middle = static_cast<double>(smaller[i]);
      EXPECT_LE(static_cast<double>(w[i]) - rounding, middle);
      EXPECT_GE(static_cast<double>(w[i + 1]) + rounding, middle);
    }
  });
}

}  // namespace
}  // namespace eigentropy::testing
