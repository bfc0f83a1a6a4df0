#include "cpu/rows/max_norm.hpp"

#include <gtest/gtest.h>

#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

// Around a panel, and more than one thread's share.
const std::vector<index_t> counts{1, 2, 15, 16, 17, 61, 131};

double exact_distance(const Matrix<double>& X, index_t i, index_t j) {
  double largest = 0.0;
  for (index_t c = 0; c < X.cols(); ++c) largest = std::max(largest, std::abs(X(i, c) - X(j, c)));
  return largest;
}

// D holds `before`, and has room between its rows, which must not be touched.
void expect_distances(const Matrix<double>& X, index_t first, index_t rows, double before,
                      int threads = 3) {
  Matrix<double> D(rows, X.rows(), X.rows() + 3, before);
  Control control;
  raise_to_max_distances(X.const_view(), first, D.view(), threads, control);
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < X.rows(); ++j) {
      ASSERT_EQ(D(i, j), std::max(before, exact_distance(X, first + i, j))) << i << " " << j;
    }
    for (index_t j = X.rows(); j < X.rows() + 3; ++j) {
      ASSERT_EQ(D.data()[i * (X.rows() + 3) + j], before);
    }
  }
}

TEST(MaxNorm, DistancesAreTheLargestDifferences) {
  for (const index_t n : counts) {
    for (const index_t d : {1, 2, 63, 64, 65, 200}) {
      SCOPED_TRACE(::testing::Message() << n << " x " << d);
      expect_distances(gaussian_rows<double>(n, d, 1), 0, n, 0.0);
    }
  }
}

TEST(MaxNorm, StripsOfRowsMayBeginAndEndAnywhere) {
  const auto X = gaussian_rows<double>(61, 5, 2);
  for (const index_t first : {0, 1, 15, 16, 17, 40, 60}) {
    for (const index_t rows : {1, 2, 16, 21}) {
      SCOPED_TRACE(::testing::Message() << rows << " from " << first);
      if (first + rows <= 61) expect_distances(X, first, rows, 0.0);
    }
    expect_distances(X, first, 61 - first, 0.0);
  }
}

TEST(MaxNorm, DistancesAreRaisedAndNeverLowered) {
  expect_distances(gaussian_rows<double>(50, 4, 3), 10, 30, 1.5);
}

TEST(MaxNorm, TheNumberOfThreadsChangesNothing) {
  const auto X = gaussian_rows<double>(131, 70, 4);
  for (const int threads : {1, 2, 7}) expect_distances(X, 0, 131, 0.0, threads);
}

TEST(MaxNorm, EqualRowsAreAtDistance0AndExtremesBeyondAllNumbers) {
  Matrix<double> X(20, 3, 1.7e308);
  expect_distances(X, 0, 20, 0.0);
  X(7, 2) = -1.7e308;
  X(8, 1) = 5e-324;
  expect_distances(X, 0, 20, 0.0);
  EXPECT_TRUE(std::isinf(exact_distance(X, 7, 8)));
}

TEST(MaxNorm, CanBeStopped) {
  const auto X = gaussian_rows<double>(64, 8, 5);
  Matrix<double> D(64, 64);
  Control control;
  control.cancel();
  EXPECT_THROW(raise_to_max_distances(X.const_view(), 0, D.view(), 2, control), Interrupted);
}

}  // namespace
}  // namespace eigentropy::testing
