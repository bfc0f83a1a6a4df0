#include "cuda/operator/diffusion.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "cpu/operator/diffusion.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::bitwise_equal;
using testing::by_precision;
using testing::near;

template <class T>
class Diffusion : public ::testing::Test {
 protected:
  const Queue queue{0, nullptr};
  Control control;
};
TYPED_TEST_SUITE(Diffusion, testing::Precisions, testing::PrecisionName);

std::vector<OperatorOptions> operators(double sigma) {
  return {{sigma, 0.0, true}, {sigma, 0.5, true}, {sigma, 1.0, true}, {sigma, 0.0, false}};
}

std::string described(const std::string& name, const OperatorOptions& options) {
  return name + (options.normalized ? ", alpha " + std::to_string(options.alpha) : ", kernel");
}

TYPED_TEST(Diffusion, OperatorIsThatOfTheHost) {
  using T = TypeParam;
  for (const auto& [name, Z, sigma] : cases<T>()) {
    const DeviceRows<T> X = rows_on_device(this->queue, Z);
    for (const OperatorOptions& options : operators(sigma)) {
      const auto A = build_matrix(this->queue, X, options, this->control);
      auto expected =
          eigentropy::build_matrix(testing::centered(Z), options, 2, this->control, 0.0, 1.0);
      mirror(expected.view(), 1);
      const std::string which = described(name, options);
      const double n = static_cast<double>(X.n), tolerance = by_precision<T>(1e-12, 1e-5);
      const auto entries = to_host(this->queue, A.entries.data(), X.n * X.n);
      EXPECT_TRUE(all_near(entries, expected.entries, tolerance)) << which;
      EXPECT_TRUE(near(A.trace, expected.trace, tolerance * n)) << which;
      EXPECT_TRUE(near(A.frobenius2, expected.frobenius2, tolerance * (1 + expected.frobenius2)));
      EXPECT_TRUE(near(A.kernel_sum, expected.kernel_sum, tolerance * n * n)) << which;
      EXPECT_TRUE(all_near(A.degrees, expected.degrees, tolerance * n)) << which;
    }
  }
}

TYPED_TEST(Diffusion, OperatorIsSymmetricToTheBit) {
  const index_t n = 130;
  const auto X = rows_on_device(this->queue, testing::gaussian_rows<TypeParam>(n, 5, 3));
  const auto A = build_matrix(this->queue, X, {1.0, 0.5, true}, this->control);
  const auto entries = to_host(this->queue, A.entries.data(), n * n);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < i; ++j) ASSERT_EQ(entries[i * n + j], entries[j * n + i]);
  }
}

TYPED_TEST(Diffusion, SpectrumIsThatOfTheHost) {
  using T = TypeParam;
  for (const auto& [name, Z, sigma] : cases<T>()) {
    const DeviceRows<T> X = rows_on_device(this->queue, Z);
    for (const OperatorOptions& options : operators(sigma)) {
      const auto found = diffusion_spectrum(this->queue, X, options, this->control);
      EXPECT_EQ(this->control.progress(), 1.0);
      const auto expected =
          eigentropy::diffusion_spectrum(testing::centered(Z), options, 2, this->control, 0.0, 1.0);
      const double size = options.normalized ? 1.0 : static_cast<double>(X.n);
      EXPECT_TRUE(
          all_near(found.eigenvalues, expected.eigenvalues, by_precision<T>(1e-12, 1e-5) * size))
          << described(name, options);
      EXPECT_TRUE(near(found.trace, expected.trace,
                       by_precision<T>(1e-12, 1e-5) * static_cast<double>(X.n)));
    }
  }
}

// One row repeated n times: A = 1 1^T / n has the spectrum 1, 0, ..., 0.
TYPED_TEST(Diffusion, SpectrumOfIdenticalRowsIsOneAndZeros) {
  const auto X = rows_on_device(this->queue, Matrix<TypeParam>(70, 5, TypeParam(3.25)));
  const auto found = diffusion_spectrum(this->queue, X, {1.0, 0.5, true}, this->control);
  std::vector<double> expected(70, 0.0);
  expected[0] = 1.0;
  EXPECT_TRUE(all_near(found.eigenvalues, expected, by_precision<TypeParam>(1e-14, 1e-6)));
}

// Rows that see nobody: A = I.
TYPED_TEST(Diffusion, SpectrumOfIsolatedRowsIsOnes) {
  const auto X = rows_on_device(this->queue, testing::gaussian_rows<TypeParam>(65, 5, 1));
  const auto found = diffusion_spectrum(this->queue, X, {1e-6, 1.0, true}, this->control);
  EXPECT_TRUE(all_near(found.eigenvalues, std::vector<double>(65, 1.0), 0.0));
  EXPECT_EQ(found.kernel_sum, 65.0);
}

TYPED_TEST(Diffusion, SpectrumIsTheSameInEveryRun) {
  const auto X = rows_on_device(this->queue, testing::gaussian_rows<TypeParam>(130, 9, 3));
  const auto run = [&] {
    return diffusion_spectrum(this->queue, X, {1.5, 0.5, true}, this->control);
  };
  const auto first = run(), second = run();
  EXPECT_TRUE(bitwise_equal(first.eigenvalues, second.eigenvalues));
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.frobenius2, second.frobenius2);
}

TYPED_TEST(Diffusion, OperatorBeyondTheNumbersIsAnError) {
  const auto Z = with_an_isolated_row<TypeParam>(65, 3);
  const auto message = [](const auto& run) -> std::string {
    try {
      run();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "no error";
  };
  const OperatorOptions options{100.0, 400.0, true};
  const auto expected = message(
      [&] { eigentropy::build_matrix(testing::centered(Z), options, 1, this->control, 0.0, 1.0); });
  EXPECT_NE(expected, "no error");
  EXPECT_EQ(message([&] {
              build_matrix(this->queue, rows_on_device(this->queue, Z), options, this->control);
            }),
            expected);
}

TYPED_TEST(Diffusion, StopsWhenItIsAskedTo) {
  const auto X = rows_on_device(this->queue, testing::gaussian_rows<TypeParam>(10, 5, 1));
  this->control.cancel();
  EXPECT_THROW(diffusion_spectrum(this->queue, X, {1.0, 0.5, true}, this->control), Interrupted);
}

// Eigenvectors have signs, and mix where eigenvalues are equal: A V = V diag(w) and V^T V = I say
// what they are.
template <class T>
void expect_eigenpairs(const Eigenpairs<T>& pairs, const testing::Oracle& oracle, index_t k,
                       double tolerance) {
  const index_t n = oracle.A.rows();
  const auto v = [&](index_t i, index_t j) {
    return static_cast<double>(pairs.vectors[i * k + j]);
  };
  for (index_t a = 0; a < k; ++a) {
    for (index_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (index_t j = 0; j < n; ++j) sum += oracle.A(i, j) * v(j, a);
      EXPECT_NEAR(sum, static_cast<double>(pairs.values[a]) * v(i, a), tolerance);
    }
    for (index_t b = 0; b <= a; ++b) {
      double inner = 0.0;
      for (index_t i = 0; i < n; ++i) inner += v(i, a) * v(i, b);
      EXPECT_NEAR(inner, a == b ? 1.0 : 0.0, tolerance);
    }
  }
}

TYPED_TEST(Diffusion, EigenpairsAreThoseAfterTheTrivialOne) {
  using T = TypeParam;
  const OperatorOptions options{1.0, 0.5, true};
  for (const index_t n : {3, 65, 130}) {
    const auto Z = testing::gaussian_rows<T>(n, 2, 3);
    const DeviceRows<T> X = rows_on_device(this->queue, Z);
    const auto rows = testing::rows_of(testing::centered(Z));
    const testing::Oracle oracle(rows, 1.0 / X.scale, 0.5);
    const auto spectrum = diffusion_spectrum(this->queue, X, options, this->control);
    const index_t k = std::min<index_t>(n - 1, 5);
    const auto pairs = diffusion_eigenpairs(this->queue, X, options, k, this->control);
    const double tolerance = by_precision<T>(1e-12, 1e-5);
    const std::vector<T> expected(spectrum.eigenvalues.begin() + 1,
                                  spectrum.eigenvalues.begin() + 1 + k);
    EXPECT_TRUE(all_near(pairs.values, expected, tolerance));
    EXPECT_TRUE(all_near(pairs.degrees, oracle.d, tolerance * static_cast<double>(n)));
    expect_eigenpairs(pairs, oracle, k, tolerance);
  }
}

TYPED_TEST(Diffusion, EigenpairsOfIdenticalRowsAreZeros) {
  const auto X = rows_on_device(this->queue, Matrix<TypeParam>(70, 5, TypeParam(3.25)));
  const auto pairs = diffusion_eigenpairs(this->queue, X, {1.0, 0.5, true}, 3, this->control);
  EXPECT_TRUE(all_near(pairs.values, std::vector<double>(3, 0.0), 1e-6));
}

TYPED_TEST(Diffusion, ProductWithVectorsIsThatOfTheFormula) {
  using T = TypeParam;
  const index_t n = 70, m = 3;
  Matrix<T> A = testing::gaussian_rows<T>(n, n, 1);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < i; ++j) A(i, j) = A(j, i);
  }
  const Matrix<T> V = testing::gaussian_rows<T>(n, m, 2);
  const auto a = to_device(this->queue, A.data(), n * n);
  const auto v = to_device(this->queue, V.data(), n * m);
  const auto out = symmetric_product(this->queue, a.data(), n, v.data(), m);
  Matrix<double> expected(n, m);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < m; ++j) {
      for (index_t k = 0; k < n; ++k) {
        expected(i, j) += static_cast<double>(A(i, k)) * static_cast<double>(V(k, j));
      }
    }
  }
  EXPECT_TRUE(
      all_near(to_host(this->queue, out.data(), n * m), expected, by_precision<T>(1e-12, 1e-4)));
}

}  // namespace
}  // namespace eigentropy::cuda
