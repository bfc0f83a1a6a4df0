#include "cpu/rows/nearest_rows.hpp"

#include <gtest/gtest.h>

#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

NearestRows nearest_of(const Matrix<double>& Z, index_t k, int threads = 3,
                       index_t block_columns = widest_block) {
  Control control;
  auto X = center_rows<double, double>(Z.input(), threads);
  X.block_columns = block_columns;
  return nearest_rows(X, k, threads, control);
}

// From the whole matrix of distances, sorted by distance and then by number.
void expect_nearest(const Matrix<double>& Z, index_t k, index_t block_columns = widest_block) {
  const NearestRows found = nearest_of(Z, k, 3, block_columns);
  auto X = center_rows<double, double>(Z.input(), 1);
  X.block_columns = block_columns;
  Matrix<double> r2(X.n, X.n);
  Control control;
  squared_distances(X, r2.view(), 1, control);
  for (index_t i = 0; i < X.n; ++i) {
    std::vector<std::pair<double, index_t>> others;
    for (index_t j = 0; j < X.n; ++j) {
      if (j != i) others.emplace_back(r2(i, j), j);
    }
    std::sort(others.begin(), others.end());
    for (index_t m = 0; m < k; ++m) {
      ASSERT_EQ(found.rows[i * k + m], others[static_cast<std::size_t>(m)].second);
      ASSERT_EQ(found.r2[i * k + m], others[static_cast<std::size_t>(m)].first);
    }
  }
}

TEST(NearestRows, AreThoseOfTheWholeMatrixOfDistances) {
  for (const index_t n : sizes) {
    for (const index_t k : {index_t{1}, index_t{7}, n - 1}) {
      if (k >= 1 && k < n) expect_nearest(gaussian_rows<double>(n, 8, 1), k);
    }
  }
}

TEST(NearestRows, OfRowsLongerThanABlockOfColumnsAreTheSame) {
  expect_nearest(gaussian_rows<double>(523, 40, 2), 5, 16);
}

TEST(NearestRows, AtOneDistanceAreTakenByNumber) {
  const index_t n = tile_size + 61;
  expect_nearest(Matrix<double>(n, 3, 5.0), 4);  // all rows are equal
  Matrix<double> grid(n, 2);
  for (index_t i = 0; i < n; ++i) {
    grid(i, 0) = static_cast<double>(i % 19);
    grid(i, 1) = static_cast<double>(i / 19);
  }
  expect_nearest(grid, 6);
}

TEST(NearestRows, DoNotDependOnTheNumberOfThreads) {
  const auto Z = gaussian_rows<double>(1000, 3, 3);
  const NearestRows one = nearest_of(Z, 9, 1), four = nearest_of(Z, 9, 4);
  EXPECT_TRUE(std::equal(one.rows.begin(), one.rows.end(), four.rows.begin()));
  EXPECT_TRUE(std::equal(one.r2.begin(), one.r2.end(), four.r2.begin()));
}

}  // namespace
}  // namespace eigentropy::testing
