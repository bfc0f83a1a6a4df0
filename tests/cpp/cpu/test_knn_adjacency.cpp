#include <gtest/gtest.h>

#include "base/tiles.hpp"
#include "checkers.hpp"
#include "cpu/kernel/knn_adjacency.hpp"
#include "cpu/operator/diffusion.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class Knn : public ::testing::Test {};
TYPED_TEST_SUITE(Knn, Precisions, PrecisionName);

template <class T>
Matrix<T> adjacency_of(const Matrix<T>& Z, index_t k, int threads = 2) {
  Matrix<T> out(Z.rows(), Z.rows(), std::numeric_limits<T>::quiet_NaN());
  Control control;
  knn_adjacency(center_rows<T, T>(Z.input(), threads), k, out.view(), threads, control);
  return out;
}

// Points at 0, 1, 2, 4, 7, 11, ...: from each of them, all distances differ.
template <class T>
Matrix<T> points_on_a_line(index_t n) {
  Matrix<T> Z(n, 1);
  for (index_t i = 0; i < n; ++i) Z(i, 0) = static_cast<T>(1 + i * (i - 1) / 2);
  return Z;
}

TYPED_TEST(Knn, AdjacencyHasOnesForTheNearestRowsAndOneself) {
  for (const index_t n : {2, 3, 61}) {
    const auto Z = points_on_a_line<TypeParam>(n);
    for (const index_t k : {index_t{1}, index_t{2}, n}) {
      const auto adjacency = adjacency_of(Z, k);
      for (index_t i = 0; i < n; ++i) {
        std::vector<double> distances;
        for (index_t j = 0; j < n; ++j) distances.push_back(exact_squared_distance(Z, i, j));
        const double reach = sorted(distances)[static_cast<std::size_t>(k - 1)];
        for (index_t j = 0; j < n; ++j) {
          ASSERT_EQ(adjacency(i, j), exact_squared_distance(Z, i, j) <= reach ? 1 : 0);
        }
      }
    }
  }
}

TYPED_TEST(Knn, RowsOfGenericPointsHaveKOnes) {
  for (const index_t n : {index_t{61}, tile_size - 1, tile_size, tile_size + 1}) {
    const auto adjacency = adjacency_of(gaussian_rows<TypeParam>(n, 8, 1), 7);
    for (index_t i = 0; i < n; ++i) {
      TypeParam ones = 0;
      for (index_t j = 0; j < n; ++j) ones += adjacency(i, j);
      ASSERT_EQ(ones, 7);
      ASSERT_EQ(adjacency(i, i), 1);
    }
  }
}

TYPED_TEST(Knn, TiesAreAllIn) {
  Matrix<TypeParam> Z(5, 2);  // a square and its centre
  Z(1, 0) = Z(2, 1) = 2;
  Z(3, 0) = Z(3, 1) = 2;
  Z(4, 0) = Z(4, 1) = 1;
  const auto adjacency = adjacency_of(Z, 2);
  for (index_t j = 0; j < 5; ++j) EXPECT_EQ(adjacency(4, j), 1);
  EXPECT_EQ(adjacency(0, 4), 1);
  EXPECT_EQ(adjacency(0, 1), 0);
}

TYPED_TEST(Knn, AllRowsAreNeighboursWhenTheyAreIdentical) {
  const auto adjacency = adjacency_of(Matrix<TypeParam>(61, 3, TypeParam(5)), 1);
  EXPECT_TRUE(bitwise_equal(adjacency, Matrix<TypeParam>(61, 61, TypeParam(1))));
}

TYPED_TEST(Knn, OneRowIsItsOwnNeighbour) {
  EXPECT_EQ(adjacency_of(Matrix<TypeParam>(1, 3, TypeParam(5)), 1)(0, 0), 1);
}

TYPED_TEST(Knn, DoesNotDependOnTheNumberOfThreads) {
  const auto Z = gaussian_rows<TypeParam>(tile_size + 9, 5, 1);
  const auto one = adjacency_of(Z, 5, 1);
  for (const int threads : {2, 5}) EXPECT_TRUE(bitwise_equal(adjacency_of(Z, 5, threads), one));
}

}  // namespace
}  // namespace eigentropy::testing
