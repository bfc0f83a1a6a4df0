#include "cpu/operator/kernel_operator.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "base/threads.hpp"
#include "checkers.hpp"
#include "cpu/operator/symmetric_sweep.hpp"
#include "cpu/simd/gaussian_kernels.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

constexpr double unlimited = std::numeric_limits<double>::infinity();

template <class T>
struct Product {
  Matrix<T> values;
  double trace, frobenius2, kernel_sum;
  std::vector<double> degrees;
};

// Of an operator without normalisation: the density matrix.
constexpr std::nullopt_t density = std::nullopt;

// A V and all that comes with it.
template <class T>
Product<T> product(const Matrix<T>& Z, double sigma, std::optional<double> alpha,
                   const Matrix<T>& V, int threads = 2, double memory_limit = unlimited,
                   bool keeps_matrix = false) {
  Control control;
  const KernelOperator<T> A(
      center_rows<T, T>(Z.input(), threads),
      {sigma, alpha.value_or(0.0), keeps_matrix, memory_limit, alpha.has_value()}, threads,
      control);
  Product<T> result{Matrix<T>(Z.rows(), V.cols(), V.cols() + 2, T(-9)),
                    A.trace(),
                    0.0,
                    A.kernel_sum(),
                    {A.degrees().begin(), A.degrees().end()}};
  A.multiply(V.const_view(), result.values.view(), threads, control);
  result.frobenius2 = A.frobenius2(threads, control);
  return result;
}

// |actual - A V| <= tolerance max |V| for a stochastic A, and nothing beside it was written.
template <class T>
::testing::AssertionResult is_product(const Matrix<T>& actual, const Matrix<double>& A,
                                      const Matrix<T>& V, double tolerance) {
  for (index_t c = 0; c < V.cols(); ++c) {
    for (index_t i = 0; i < A.rows(); ++i) {
      double sum = 0.0, size = 0.0;
      for (index_t j = 0; j < A.rows(); ++j) {
        sum += A(i, j) * static_cast<double>(V(j, c));
        size += A(i, j) * std::abs(static_cast<double>(V(j, c)));
      }
      const auto result = near(static_cast<double>(actual(i, c)), sum, tolerance * size);
      if (!result) return ::testing::AssertionFailure() << "row " << i << ": " << result.message();
    }
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto stride = static_cast<std::size_t>(V.cols() + 2);
    if (i % stride >= stride - 2 && actual.data()[i] != T(-9)) {
      return ::testing::AssertionFailure() << "wrote beyond its columns";
    }
  }
  return ::testing::AssertionSuccess();
}

template <class T>
void expect_same(const Product<T>& actual, const Product<T>& expected) {
  ASSERT_TRUE(bitwise_equal(actual.values, expected.values));
  ASSERT_TRUE(bitwise_equal(actual.degrees, expected.degrees));
  EXPECT_EQ(actual.trace, expected.trace);
  EXPECT_EQ(actual.frobenius2, expected.frobenius2);
  EXPECT_EQ(actual.kernel_sum, expected.kernel_sum);
}

// A by its definition, in double.
template <class T>
Oracle definition(const Matrix<T>& Z, double sigma, std::optional<double> alpha) {
  Oracle result(Z, sigma, alpha.value_or(0.0));
  if (alpha) return result;
  const auto n = static_cast<double>(Z.rows());
  result.d = result.q;
  result.trace = 1.0;
  result.frobenius2 = 0.0;
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.rows(); ++j) {
      result.A(i, j) = result.G(i, j) / n;
      result.frobenius2 += result.A(i, j) * result.A(i, j);
    }
  }
  return result;
}

// Compares with the definition, and the two ways to have the matrix with each other.
template <class T>
void expect_product(const Matrix<T>& Z, double sigma, std::optional<double> alpha, index_t m,
                    double memory_limit = unlimited) {
  const auto V = gaussian_rows<T>(Z.rows(), m, 5);
  const auto actual = product(Z, sigma, alpha, V, 2, memory_limit);
  if (memory_limit == unlimited) {
    expect_same(actual, product(Z, sigma, alpha, V, 2, unlimited, true));
  } else {
    EXPECT_EQ(product(Z, sigma, alpha, V, 2, memory_limit, true).kernel_sum, actual.kernel_sum);
  }
  const Oracle expected = definition(Z, sigma, alpha);
  const double tolerance = by_precision<T>(1e-11, 1e-4);
  EXPECT_TRUE(is_product(actual.values, expected.A, V, tolerance));
  for (std::size_t i = 0; i < expected.d.size(); ++i) {
    ASSERT_TRUE(near(actual.degrees[i], expected.d[i], tolerance * expected.d[i]));
  }
  EXPECT_TRUE(near(actual.trace, expected.trace, tolerance * expected.trace));
  EXPECT_TRUE(near(actual.frobenius2, expected.frobenius2, tolerance * expected.frobenius2));
  double sum = 0.0;
  for (const double q : expected.q) sum += q;
  EXPECT_TRUE(near(actual.kernel_sum, sum, tolerance * sum));
}

template <class T>
class KernelOperatorOf : public ::testing::Test {};
TYPED_TEST_SUITE(KernelOperatorOf, Precisions, PrecisionName);

TYPED_TEST(KernelOperatorOf, RowsIsTheDefinitionForEverySize) {
  for (const index_t n : {1, 2, 47, 48, 49, 61, 191, 192, 193, 400}) {
    expect_product(gaussian_rows<TypeParam>(n, 6, 1), 1.5, 0.5, 5);
  }
}

TYPED_TEST(KernelOperatorOf, RowsIsTheDefinitionForEveryAlpha) {
  for (const double alpha : {0.0, 0.5, 1.0, 3.0}) {
    expect_product(gaussian_rows<TypeParam>(205, 6, 1), 1.5, alpha, 3);
  }
}

TYPED_TEST(KernelOperatorOf, RowsIsTheDensityMatrixForEverySize) {
  for (const index_t n : {1, 2, 47, 48, 49, 61, 191, 192, 193, 400}) {
    expect_product(gaussian_rows<TypeParam>(n, 6, 1), 1.5, density, 5);
  }
}

TYPED_TEST(KernelOperatorOf, DensityOfRowsThatAreReadInStretchesIsTheSame) {
  constexpr index_t d = 7, row = d * static_cast<index_t>(sizeof(TypeParam));
  const auto Z = gaussian_rows<TypeParam>(3 * sweep_tile + 5, d, 1);
  for (const index_t stretch : {index_t{0}, sweep_tile, 2 * sweep_tile}) {
    expect_product(Z, 1.5, density, 9, static_cast<double>(2 * stretch * row));
  }
}

// Its trace is 1 and its scaling known, whatever the rows: nothing is divided by a degree.
TYPED_TEST(KernelOperatorOf, DensityOfRowsThatNoOtherIsNearIsTheIdentityOverN) {
  Matrix<TypeParam> Z(400, 1);
  for (index_t i = 0; i < 400; ++i) Z(i, 0) = static_cast<TypeParam>(i * i);
  const auto V = gaussian_rows<TypeParam>(400, 6, 2);
  const auto actual = product(Z, 0.01, density, V);
  for (index_t i = 0; i < 400; ++i) {
    for (index_t c = 0; c < 6; ++c) {
      const auto v = static_cast<double>(V(i, c)) / 400.0;
      ASSERT_TRUE(near(static_cast<double>(actual.values(i, c)), v,
                       4.0 * epsilon<TypeParam> * std::abs(v)));
    }
    EXPECT_EQ(actual.degrees[static_cast<std::size_t>(i)], 1.0);
  }
  EXPECT_EQ(actual.trace, 1.0);
  EXPECT_TRUE(near(actual.frobenius2, 1.0 / 400.0, 8.0 * epsilon<TypeParam> / 400.0));
  EXPECT_EQ(actual.kernel_sum, 400.0);
}

TYPED_TEST(KernelOperatorOf, DensityPassesOverTheKernelOnceForEverythingThatIsKnown) {
  const auto Z = gaussian_rows<TypeParam>(500, 5, 1);
  for (const bool keeps_matrix : {false, true}) {
    Control control;
    const KernelOperator<TypeParam> A(centered(Z), {1.0, 0.0, keeps_matrix, unlimited, false}, 2,
                                      control);
    EXPECT_EQ(control.progress(), 1.0);
    // Another pass would be interrupted.
    Control cancelled;
    cancelled.cancel();
    const double frobenius2 = A.frobenius2(2, cancelled);
    const auto expected = definition(Z, 1.0, density).frobenius2;
    EXPECT_TRUE(near(frobenius2, expected, by_precision<TypeParam>(1e-11, 1e-4) * expected));
    for (const double s : A.scaling()) ASSERT_TRUE(near(s, 1.0 / std::sqrt(500.0), 1e-16));
  }
}

TYPED_TEST(KernelOperatorOf, DensityIsBitwiseTheSameForEveryNumberOfThreads) {
  const auto Z = gaussian_rows<TypeParam>(7 * sweep_tile + 11, 5, 1);
  const auto V = gaussian_rows<TypeParam>(Z.rows(), 70, 2);
  for (const double limit : {unlimited, 1.0}) {
    const auto expected = product(Z, 1.0, density, V, 1, limit);
    for (const int threads : {2, 3, 8}) {
      expect_same(product(Z, 1.0, density, V, threads, limit), expected);
    }
  }
}

TYPED_TEST(KernelOperatorOf, OneOperatorHasTheProductsAndTracesOfTheDensityMatrix) {
  const auto Z = gaussian_rows<TypeParam>(2 * sweep_tile + 7, 5, 1);
  const auto V = gaussian_rows<TypeParam>(Z.rows(), 6, 2);
  const auto expected = product(Z, 1.0, density, V);
  const Oracle kernel = definition(Z, 1.0, 0.5);
  for (const bool keeps_matrix : {false, true}) {
    Control control;
    const KernelOperator<TypeParam> A(
        centered(Z), {1.0, 0.5, keeps_matrix, unlimited, true, 0.0, true}, 2, control);
    EXPECT_EQ(A.density_frobenius2(), expected.frobenius2);
    ASSERT_TRUE(bitwise_equal(std::vector<double>(A.kernel_sums().begin(), A.kernel_sums().end()),
                              expected.degrees));
    Matrix<TypeParam> actual(Z.rows(), V.cols(), V.cols() + 2, TypeParam(-9));
    A.multiply_kernel(V.const_view(), actual.view(), 2, control);
    EXPECT_TRUE(is_product(actual, kernel.G, V, by_precision<TypeParam>(1e-11, 1e-4)));
    // What it is of itself does not change.
    const double frobenius2 = A.frobenius2(2, control);
    EXPECT_TRUE(near(frobenius2, kernel.frobenius2,
                     by_precision<TypeParam>(1e-11, 1e-4) * kernel.frobenius2));
    EXPECT_TRUE(near(A.trace(), kernel.trace, by_precision<TypeParam>(1e-11, 1e-4) * kernel.trace));
  }
}

constexpr double tile_of_16_bits = 2.0 * sweep_tile * sweep_tile;

TEST(KernelOperatorIn16Bits, IsTheDefinitionToTheRoundingOfEachTileThatFits) {
  const auto Z = gaussian_rows<float>(3 * sweep_tile + 5, 6, 1);
  const auto V = gaussian_rows<float>(Z.rows(), 33, 2);
  for (const auto alpha : {std::optional<double>(0.5), std::optional<double>()}) {
    const Oracle expected = definition(Z, 1.5, alpha);
    for (const double kept : {0.0, 0.9, 1.0, 4.0, 10.0, 1e9}) {
      Control control;
      const KernelOperator<float> A(
          centered(Z),
          {1.5, alpha.value_or(0.0), false, unlimited, alpha.has_value(), kept * tile_of_16_bits},
          2, control);
      EXPECT_EQ(A.share_in_16_bits(), std::min(10.0, std::floor(kept)) / 10.0);  // of 10 tiles
      Matrix<float> actual(Z.rows(), V.cols(), V.cols() + 2, -9.0f);
      A.multiply(V.const_view(), actual.view(), 2, control);
      EXPECT_TRUE(is_product(actual, expected.A, V, 2e-4));
      double sum = 0.0;
      for (const double q : expected.q) sum += q;
      EXPECT_TRUE(near(A.kernel_sum(), sum, 1e-4 * sum));
      EXPECT_TRUE(near(A.frobenius2(2, control), expected.frobenius2, 1e-3 * expected.frobenius2));
      for (std::size_t i = 0; i < expected.d.size(); ++i) {
        ASSERT_TRUE(
            near(A.degrees()[static_cast<index_t>(i)], expected.d[i], (2e-4) * expected.d[i]));
      }
    }
  }
}

TEST(KernelOperatorIn16Bits, RoundsWhatItKeepsAndNothingElse) {
  const auto Z = gaussian_rows<float>(2 * sweep_tile, 6, 1);
  // The product for the last rows then comes from the last tile alone.
  auto V = gaussian_rows<float>(Z.rows(), 16, 2);
  std::fill_n(V.data(), sweep_tile * V.cols(), 0.0f);
  const auto of = [&](double tiles) {
    Control control;
    const KernelOperator<float> A(
        centered(Z), {1.5, 0.0, false, unlimited, false, tiles * tile_of_16_bits}, 2, control);
    Matrix<float> out(Z.rows(), V.cols());
    A.multiply(V.const_view(), out.view(), 2, control);
    return out;
  };
  const auto none = of(0.0), first = of(2.0), all = of(3.0);
  double of_first = 0.0, of_last = 0.0;
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t c = 0; c < V.cols(); ++c) {
      const double change = std::abs(static_cast<double>(first(i, c) - none(i, c)));
      double& most = i < sweep_tile ? of_first : of_last;
      most = std::max(most, change);
    }
  }
  EXPECT_GT(of_first, 0.0);
  EXPECT_EQ(of_last, 0.0);
  EXPECT_FALSE(bitwise_equal(all, first));
}

TEST(KernelOperatorIn16Bits, IsBitwiseTheSameForEveryNumberOfThreads) {
  const auto Z = gaussian_rows<float>(5 * sweep_tile + 11, 5, 1);
  const auto V = gaussian_rows<float>(Z.rows(), 20, 2);
  const auto of = [&](int threads) {
    Control control;
    const KernelOperator<float> A(
        centered(Z), {1.0, 0.5, false, unlimited, true, 7.0 * tile_of_16_bits}, threads, control);
    Matrix<float> out(Z.rows(), V.cols());
    A.multiply(V.const_view(), out.view(), threads, control);
    return out;
  };
  const auto expected = of(1);
  for (const int threads : {2, 3, 8}) ASSERT_TRUE(bitwise_equal(of(threads), expected));
}

TYPED_TEST(KernelOperatorOf, RowsTakesAnyNumberOfVectors) {
  for (const index_t m : {1, 4, 5, 16, 33, 64, 65, 130}) {
    expect_product(gaussian_rows<TypeParam>(205, 6, 1), 1.5, 0.5, m);
  }
}

// Both sides of what is summed at a time, and of a block of columns.
TYPED_TEST(KernelOperatorOf, RowsIsTheDefinitionForEveryDimension) {
  for (const index_t d : {1, 2, 255, 256, 257, 1023, 1025, 3000}) {
    expect_product(gaussian_rows<TypeParam>(70, d, 1), 0.7 * std::sqrt(static_cast<double>(d)), 0.5,
                   2);
  }
}

TYPED_TEST(KernelOperatorOf, RowsThatAreReadInStretchesIsTheSame) {
  constexpr index_t d = 7, row = d * static_cast<index_t>(sizeof(TypeParam));
  for (const index_t stretch : {index_t{0}, sweep_tile, 2 * sweep_tile}) {
    const auto limit = static_cast<double>(2 * stretch * row);
    expect_product(gaussian_rows<TypeParam>(3 * sweep_tile + 5, d, 1), 1.5, 0.5, 9, limit);
  }
}

TYPED_TEST(KernelOperatorOf, RowsThatNoOtherIsNearIsTheIdentity) {
  Matrix<TypeParam> Z(400, 1);
  for (index_t i = 0; i < 400; ++i) Z(i, 0) = static_cast<TypeParam>(i * i);
  for (const double alpha : {0.0, 0.5, 1.0}) {
    const auto V = gaussian_rows<TypeParam>(400, 6, 2);
    const auto actual = product(Z, 0.01, alpha, V);
    for (index_t i = 0; i < 400; ++i) {
      for (index_t c = 0; c < 6; ++c) ASSERT_EQ(actual.values(i, c), V(i, c));
    }
    EXPECT_EQ(actual.trace, 400.0);
    EXPECT_EQ(actual.frobenius2, 400.0);
    EXPECT_EQ(actual.kernel_sum, 400.0);
  }
}

TYPED_TEST(KernelOperatorOf, RowsOneOfWhichIsFarFromAllOthersKeepsItsEntry) {
  auto Z = gaussian_rows<TypeParam>(300, 3, 1);
  Z(250, 0) = 1000;
  expect_product(Z, 1.5, 0.5, 3);
  const auto actual = product(Z, 1.5, 1.0, gaussian_rows<TypeParam>(300, 1, 2));
  EXPECT_TRUE(near(actual.degrees[250], 1.0, 1e-6));
}

TYPED_TEST(KernelOperatorOf, EqualRowsIsTheMean) {
  const Matrix<TypeParam> Z(400, 5, TypeParam(3.7));
  const auto V = gaussian_rows<TypeParam>(400, 2, 2);
  const auto actual = product(Z, 1e-3, 0.5, V);
  for (index_t c = 0; c < 2; ++c) {
    double mean = 0.0;
    for (index_t i = 0; i < 400; ++i) mean += static_cast<double>(V(i, c)) / 400.0;
    for (index_t i = 0; i < 400; ++i) {
      ASSERT_TRUE(near(static_cast<double>(actual.values(i, c)), mean, 20 * epsilon<TypeParam>));
    }
  }
  EXPECT_TRUE(near(actual.trace, 1.0, 1e-6));
  EXPECT_TRUE(near(actual.frobenius2, 1.0, 1e-6));
}

TYPED_TEST(KernelOperatorOf, RowsTwiceKeepsDistancesOfZero) {
  auto Z = gaussian_rows<TypeParam>(300, 40, 1, 1e4);
  for (index_t i = 0; i < 150; ++i) {
    for (index_t k = 0; k < 40; ++k) Z(150 + i, k) = Z(i, k);
  }
  const auto V = gaussian_rows<TypeParam>(300, 1, 2);
  const auto actual = product(Z, 1e-3, 0.5, V);
  for (index_t i = 0; i < 300; ++i) {
    const double mean =
        0.5 * (static_cast<double>(V(i, 0)) + static_cast<double>(V((i + 150) % 300, 0)));
    ASSERT_TRUE(near(static_cast<double>(actual.values(i, 0)), mean, 8 * epsilon<TypeParam>));
  }
}

// Where |x|^2 + |y|^2 - 2 x.y has no correct digit. The definition is that of the rows as they are
// once they are rounded.
TYPED_TEST(KernelOperatorOf, CloudsThatAreFarApartIsTheDefinition) {
  const auto X = centered(clusters<TypeParam>(300, 20, 3, 1e5, 1));
  auto Z = rows_of(X);
  expect_product(Z, 4.0 / X.scale, 0.5, 3);
}

TYPED_TEST(KernelOperatorOf, RowsIsBitwiseTheSameForEveryNumberOfThreads) {
  const auto Z = gaussian_rows<TypeParam>(7 * sweep_tile + 11, 5, 1);
  const auto V = gaussian_rows<TypeParam>(Z.rows(), 70, 2);
  for (const double limit : {unlimited, 1.0}) {
    const auto expected = product(Z, 1.0, 0.5, V, 1, limit);
    for (const int threads : {2, 3, 8}) {
      expect_same(product(Z, 1.0, 0.5, V, threads, limit), expected);
    }
  }
}

TYPED_TEST(KernelOperatorOf, RowsHasTheSameNormBeforeAndAfterAProduct) {
  const auto Z = gaussian_rows<TypeParam>(500, 5, 1);
  const auto X = centered(Z);
  Control control;
  const KernelOperator<TypeParam> A(X, {1.0}, 2, control);
  const double before = A.frobenius2(2, control);
  const auto V = gaussian_rows<TypeParam>(500, 20, 2);
  EXPECT_EQ(product(Z, 1.0, 0.5, V).frobenius2, before);
}

TYPED_TEST(KernelOperatorOf, RowsOfTheOtherPrecisionGoesWithEither) {
  const auto Z = gaussian_rows<TypeParam>(205, 6, 1);
  const auto X = centered(Z);
  Control control;
  const KernelOperator<TypeParam> A(X, {1.5}, 2, control);
  const auto in_double = gaussian_rows<double>(205, 6, 2);
  const auto in_single = gaussian_rows<float>(205, 6, 2);
  Matrix<double> doubles(205, 6);
  Matrix<float> singles(205, 6);
  A.multiply(in_double.const_view(), doubles.view(), 2, control);
  A.multiply(in_single.const_view(), singles.view(), 2, control);
  EXPECT_TRUE(all_near(singles, doubles, 1e-5));
}

TYPED_TEST(KernelOperatorOf, RowsMultipliesForSeveralThreadsAtOnce) {
  const auto Z = gaussian_rows<TypeParam>(500, 5, 1);
  const auto X = centered(Z);
  const auto V = gaussian_rows<TypeParam>(500, 20, 2);
  const auto expected = product(Z, 1.0, 0.5, V);
  Control control;
  const KernelOperator<TypeParam> A(X, {1.0}, 2, control);
  std::vector<Matrix<TypeParam>> results(4, Matrix<TypeParam>(500, 20, 22, TypeParam(-9)));
  std::vector<std::thread> callers;
  for (auto& result : results) {
    callers.emplace_back([&] {
      Control own;
      A.multiply(V.const_view(), result.view(), 2, own);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const auto& result : results) EXPECT_TRUE(bitwise_equal(result, expected.values));
  EXPECT_EQ(A.frobenius2(1, control), expected.frobenius2);
}

TYPED_TEST(KernelOperatorOf, RowsThatAreNotFiniteNamesTheFirst) {
  auto Z = gaussian_rows<TypeParam>(500, 5, 1);
  Z(333, 4) = std::numeric_limits<TypeParam>::infinity();
  Control control;
  for (const double limit : {unlimited, 1.0}) {
    for (const bool normalized : {true, false}) {
      try {
        const KernelOperator<TypeParam> A(center_rows<TypeParam, TypeParam>(Z.input(), 1),
                                          {1.0, 0.5, false, limit, normalized}, 1, control);
        FAIL() << "no exception";
      } catch (const std::invalid_argument& error) {
        EXPECT_NE(std::string(error.what()).find("row 333 of 500"), std::string::npos)
            << error.what();
      }
    }
  }
}

TYPED_TEST(KernelOperatorOf, RowsStopsWhenItIsCancelledAndCanBeUsedAgain) {
  const auto Z = gaussian_rows<TypeParam>(1500, 5, 1);
  const auto V = gaussian_rows<TypeParam>(1500, 20, 2);
  Control control;
  const KernelOperator<TypeParam> A(centered(Z), {1.0}, 2, control);
  EXPECT_EQ(control.progress(), 1.0);
  Matrix<TypeParam> out(1500, 20, 22, TypeParam(-9));
  Control cancelled;
  std::thread user([&] {
    while (cancelled.progress() == 0.0) std::this_thread::yield();
    cancelled.cancel();
  });
  // As often as it takes for the user to come in time.
  EXPECT_THROW(for (;;) A.multiply(V.const_view(), out.view(), 3, cancelled), Interrupted);
  user.join();
  Control again;
  A.multiply(V.const_view(), out.view(), 2, again);
  EXPECT_TRUE(bitwise_equal(out, product(Z, 1.0, 0.5, V).values));
}

// The kernels of each instruction set that this machine can run.
template <class T>
void expect_gaussian(const simd::GaussianKernels<T>& kernels, index_t rows, index_t cols,
                     index_t depth) {
  const auto Z =
      gaussian_rows<T>(rows + cols, depth, 3, 1.0 / std::sqrt(static_cast<double>(depth)));
  std::vector<T> strips(Z.size()), norms(static_cast<std::size_t>(rows + cols), T(0));
  for (index_t i = 0; i < rows + cols; ++i) {
    for (index_t k = 0; k < depth; ++k) {
      const index_t strip = i / simd::strip_rows * simd::strip_rows;
      strips[static_cast<std::size_t>(strip * depth + k * simd::strip_rows + i - strip)] = Z(i, k);
      norms[static_cast<std::size_t>(i)] += Z(i, k) * Z(i, k);
    }
  }
  const simd::GaussianTile<T> tile{rows,
                                   cols,
                                   depth,
                                   strips.data(),
                                   strips.data() + rows * depth,
                                   norms.data(),
                                   norms.data() + rows,
                                   T(-0.5)};
  Matrix<T> products(rows, cols, cols + 3, T(-9)), differences(rows, cols, cols + 3, T(-9));
  kernels.from_products(tile, products.data(), cols + 3);
  kernels.from_differences(tile, differences.data(), cols + 3);
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < cols; ++j) {
      const double exact = std::exp(-0.5 * exact_squared_distance(Z, i, rows + j));
      ASSERT_TRUE(near(static_cast<double>(products(i, j)), exact, 64 * epsilon<T>));
      ASSERT_TRUE(near(static_cast<double>(differences(i, j)), exact, 64 * epsilon<T>));
    }
    for (index_t j = cols; j < cols + 3; ++j) {
      ASSERT_EQ(products.data()[i * (cols + 3) + j], T(-9));
      ASSERT_EQ(differences.data()[i * (cols + 3) + j], T(-9));
    }
  }
}

TYPED_TEST(KernelOperatorOf, TilesIsTheDefinitionWithEveryInstructionSet) {
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    const auto& kernels = simd::kernels_of<simd::GaussianKernels<TypeParam>>(set);
    for (const index_t depth : {1, 2, 3, 255, 256, 257, 600}) {
      expect_gaussian(kernels, simd::strip_rows, simd::strip_rows, depth);
      expect_gaussian(kernels, 2 * simd::strip_rows, 3 * simd::strip_rows, depth);
    }
  }
}

TYPED_TEST(KernelOperatorOf, SquaresAddUpWithEveryInstructionSet) {
  using T = TypeParam;
  const index_t rows = 7;
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    for (const index_t cols : {1, 15, 16, 17, 192}) {
      const auto tile = gaussian_rows<T>(rows, cols + 3, 1);
      const auto scales = gaussian_rows<T>(2, 192, 2);
      const T *const of_rows = scales.data(), *const of_cols = of_rows + 192;
      double expected = 0.0;
      for (index_t i = 0; i < rows; ++i) {
        for (index_t j = 0; j < cols; ++j) {
          expected += std::pow(static_cast<double>(tile(i, j)) * static_cast<double>(of_rows[i]) *
                                   static_cast<double>(of_cols[j]),
                               2.0);
        }
      }
      const auto& kernels = simd::kernels_of<simd::GaussianKernels<T>>(set);
      EXPECT_TRUE(near(kernels.squares(tile.data(), rows, cols, cols + 3, of_rows, of_cols),
                       expected, 64 * epsilon<T> * expected));
    }
  }
}

// The weights w = (q / min q)^-alpha of float32 vectors are 0 where q is 1e4 times the smallest,
// for alpha = 12.
TEST(KernelOperator, ThatIsNotFiniteInSinglePrecisionSaysSo) {
  Matrix<float> Z(10'001, 1);
  Z(10'000, 0) = 100;
  Control control;
  const auto X = centered(Z);
  EXPECT_THROW(KernelOperator<float>(X, {1.0, 12.0}, 2, control), std::invalid_argument);
}

TYPED_TEST(KernelOperatorOf, PartsAddUpInDoubleWithEveryInstructionSet) {
  const std::vector<TypeParam> values(37, TypeParam(0.25));
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    std::vector<double> sums(37, 0x1p30);
    simd::kernels_of<simd::GaussianKernels<TypeParam>>(set).add(36, values.data(), sums.data());
    EXPECT_EQ(sums.back(), 0x1p30);
    sums.pop_back();
    EXPECT_TRUE(all_near(sums, std::vector<double>(36, 0x1p30 + 0.25), 0.0));
  }
}

TEST(ColumnChunks, CoverAllColumns) {
  for (index_t columns = 0; columns < 300; ++columns) {
    const ColumnChunks chunks(columns);
    index_t covered = 0;
    for (index_t c = 0; c < chunks.count; ++c) {
      ASSERT_EQ(chunks.begin(c), covered);
      ASSERT_LT(covered, columns);
      const index_t width = chunks.width(c);
      ASSERT_TRUE(width == 1 || (width % 16 == 0 && width >= 16 && width <= 64)) << width;
      covered += width;
    }
    ASSERT_EQ(covered, chunks.padded);
    ASSERT_GE(covered, columns);
    ASSERT_LT(covered, columns + 16);
  }
}

}  // namespace
}  // namespace eigentropy::testing
