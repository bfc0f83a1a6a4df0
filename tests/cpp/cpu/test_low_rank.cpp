#include "cpu/operator/low_rank.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

constexpr double sigma = 1.5;

// A kernel whose scaling is no operator's, so that rows and columns cannot be exchanged unseen.
ScaledKernel kernel_of(const Matrix<double>& Z) {
  Buffer<double> scaling(Z.rows());
  for (index_t i = 0; i < Z.rows(); ++i) scaling[i] = 1.0 / (1.0 + static_cast<double>(i % 7));
  return {center_rows<double, double>(Z.input(), 2), sigma, std::move(scaling)};
}

double entry(const Matrix<double>& Z, const ScaledKernel& kernel, index_t i, index_t j) {
  double r2 = 0.0;
  for (index_t k = 0; k < Z.cols(); ++k) r2 += std::pow(Z(i, k) - Z(j, k), 2);
  return kernel.scaling[i] * kernel.scaling[j] * std::exp(-r2 / (2.0 * sigma * sigma));
}

const MatrixView<const double> nothing{nullptr, 0, 1, 1};

TEST(LowRank, OneRowOfTheFactorIsARowOfTheOperatorOverTheRootOfItsDiagonal) {
  for (const index_t n : sizes) {
    SCOPED_TRACE(n);
    const auto Z = gaussian_rows<double>(n, 4, 1);
    const ScaledKernel kernel = kernel_of(Z);
    const index_t p = n / 2;
    Matrix<double> row(1, n), expected(1, n);
    const double root = kernel.scaling[p];
    Control control;
    factor_rows(kernel, nothing, &p, 1, &root, row.view(), 2, control);
    for (index_t j = 0; j < n; ++j) expected(0, j) = entry(Z, kernel, p, j) / root;
    EXPECT_TRUE(all_near(row, expected, 1e-14));
  }
}

// The textbook's elimination, one pivot at a time.
Matrix<double> factor(const Matrix<double>& Z, const ScaledKernel& kernel,
                      const std::vector<index_t>& pivots) {
  const index_t n = Z.rows(), rank = static_cast<index_t>(pivots.size());
  Matrix<double> F(rank, n);
  for (index_t l = 0; l < rank; ++l) {
    const index_t p = pivots[static_cast<std::size_t>(l)];
    for (index_t j = 0; j < n; ++j) {
      F(l, j) = entry(Z, kernel, p, j);
      for (index_t m = 0; m < l; ++m) F(l, j) -= F(m, p) * F(m, j);
    }
    const double root = std::sqrt(F(l, p));
    for (index_t j = 0; j < n; ++j) F(l, j) /= root;
  }
  return F;
}

// Two pivots first, then three together.
Matrix<double> factor_in_blocks(const ScaledKernel& kernel, const std::vector<index_t>& pivots,
                                int threads) {
  const index_t n = kernel.rows.n, rank = static_cast<index_t>(pivots.size());
  Matrix<double> F(rank, n);
  Control control;
  for (index_t begin = 0, end = 2; begin < rank; begin = end, end = rank) {
    const index_t count = end - begin;
    const MatrixView<const double> so_far{F.data(), begin, n, n};
    const index_t* const chosen = pivots.data() + begin;
    Matrix<double> L(count, count);
    residual_block(kernel, so_far, chosen, count, L.view(), threads, control);
    for (index_t j = 0; j < count; ++j) {
      for (index_t i = 0; i < j; ++i) L(i, j) = 0.0;
      for (index_t i = j; i < count; ++i) {
        for (index_t k = 0; k < j; ++k) L(i, j) -= L(i, k) * L(j, k);
        L(i, j) = i == j ? std::sqrt(L(j, j)) : L(i, j) / L(j, j);
      }
    }
    factor_rows(kernel, so_far, chosen, count, L.data(), {F.view().row(begin), count, n, n},
                threads, control);
  }
  return F;
}

const std::vector<index_t> pivots{300, 0, 522, 17, 256};

TEST(LowRank, RowsInBlocksAreThoseOfElimination) {
  const auto Z = gaussian_rows<double>(523, 3, 2);
  const ScaledKernel kernel = kernel_of(Z);
  EXPECT_TRUE(all_near(factor_in_blocks(kernel, pivots, 2), factor(Z, kernel, pivots), 1e-13));
}

TEST(LowRank, RowsDoNotDependOnTheNumberOfThreads) {
  const auto Z = gaussian_rows<double>(523, 3, 2);
  const ScaledKernel kernel = kernel_of(Z);
  const auto one = factor_in_blocks(kernel, pivots, 1);
  for (const int threads : {2, 3, 8}) {
    EXPECT_TRUE(bitwise_equal(factor_in_blocks(kernel, pivots, threads), one));
  }
}

TEST(LowRank, GramColumnsAreInnerProductsAboveTheDiagonal) {
  for (const index_t rank : sizes) {
    const auto F = gaussian_rows<double>(rank, 101, 3);
    for (const index_t first : {index_t{0}, rank / 2, rank - 1}) {
      SCOPED_TRACE(first);
      Matrix<double> out(rank, rank - first), expected(rank, rank - first);
      Control control;
      gram_columns(F.const_view(), first, out.view(), 3, control);
      for (index_t l = 0; l < rank; ++l) {
        for (index_t i = 0; i < rank - first; ++i) {
          for (index_t j = 0; j < 101; ++j) expected(l, i) += F(l, j) * F(first + i, j);
          if (l > first + i) expected(l, i) = out(l, i) = 0.0;
        }
      }
      EXPECT_TRUE(all_near(out, expected, 1e-12));
    }
  }
}

TEST(LowRank, RowsAreNotComputedOnceItIsCancelled) {
  const auto Z = gaussian_rows<double>(523, 3, 2);
  const ScaledKernel kernel = kernel_of(Z);
  Matrix<double> row(1, 523);
  const double root = 1.0;
  Control control;
  control.cancel();
  EXPECT_THROW(factor_rows(kernel, nothing, pivots.data(), 1, &root, row.view(), 2, control),
               Interrupted);
}

}  // namespace
}  // namespace eigentropy::testing
