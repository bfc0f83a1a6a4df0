#include <gtest/gtest.h>

#include "checkers.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/symmetric_product.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class SymmetricProduct : public ::testing::Test {};
TYPED_TEST_SUITE(SymmetricProduct, Precisions, PrecisionName);

// A with NaN below the diagonal: only the upper triangle counts.
template <class T>
Matrix<T> random_symmetric(index_t n, index_t extra_stride = 0) {
  const auto values = gaussian_rows<T>(n, n, 1);
  Matrix<T> A(n, n, n + extra_stride, std::numeric_limits<T>::quiet_NaN());
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) A(i, j) = values(i, j);
  }
  return A;
}

template <class T>
void expect_product(Matrix<T>& A, const Matrix<T>& V, Matrix<T>& out) {
  Control control;
  symmetric_product(A.symmetric(), V.const_view(), out.view(), 2, control);
  for (index_t i = 0; i < A.rows(); ++i) {
    for (index_t c = 0; c < V.cols(); ++c) {
      double sum = 0.0, size = 0.0;
      for (index_t j = 0; j < A.rows(); ++j) {
        const double term =
            static_cast<double>(A(std::min(i, j), std::max(i, j))) * static_cast<double>(V(j, c));
        sum += term;
        size += std::abs(term);
      }
      ASSERT_TRUE(near(static_cast<double>(out(i, c)), sum, 8.0 * epsilon<T> * size));
    }
  }
}

TYPED_TEST(SymmetricProduct, IsTheSumOverRowsForEverySize) {
  for (const index_t n : sizes) {
    for (const index_t m : {1, 2, 7, 70}) {
      auto A = random_symmetric<TypeParam>(n);
      const auto V = gaussian_rows<TypeParam>(n, m, 2);
      Matrix<TypeParam> out(n, m, std::numeric_limits<TypeParam>::quiet_NaN());
      expect_product(A, V, out);
    }
  }
}

TYPED_TEST(SymmetricProduct, WorksWithinWiderMatrices) {
  const index_t n = 61, m = 5;
  auto A = random_symmetric<TypeParam>(n, 3);
  Matrix<TypeParam> V(n, m, m + 2, TypeParam(0)), out(n, m, m + 4, TypeParam(-1));
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < m; ++j) V(i, j) = static_cast<TypeParam>(i - 7 * j);
  }
  expect_product(A, V, out);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = m; j < m + 4; ++j) ASSERT_EQ(out(i, j), -1);
  }
}

TYPED_TEST(SymmetricProduct, IsBitwiseTheSameForEveryNumberOfThreads) {
  const index_t n = 1000, m = 20;
  auto A = random_symmetric<TypeParam>(n);
  const auto V = gaussian_rows<TypeParam>(n, m, 2);
  Control control;
  Matrix<TypeParam> expected(n, m);
  symmetric_product(A.symmetric(), V.const_view(), expected.view(), 1, control);
  for (const int threads : {2, 3, 8}) {
    Matrix<TypeParam> out(n, m);
    symmetric_product(A.symmetric(), V.const_view(), out.view(), threads, control);
    ASSERT_TRUE(bitwise_equal(out, expected));
  }
}

TYPED_TEST(SymmetricProduct, StopsWhenItIsCancelled) {
  auto A = random_symmetric<TypeParam>(61);
  Matrix<TypeParam> V(61, 2), out(61, 2);
  Control control;
  control.cancel();
  EXPECT_THROW(symmetric_product(A.symmetric(), V.const_view(), out.view(), 2, control),
               Interrupted);
}

TYPED_TEST(SymmetricProduct, WithTheIdentityIsTheMatrixItself) {
  const index_t n = 61;
  auto A = random_symmetric<TypeParam>(n);
  Matrix<TypeParam> identity(n, n), out(n, n);
  for (index_t i = 0; i < n; ++i) identity(i, i) = 1;
  Control control;
  symmetric_product(A.symmetric(), identity.const_view(), out.view(), 2, control);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) ASSERT_EQ(out(i, j), A(std::min(i, j), std::max(i, j)));
  }
}

}  // namespace
}  // namespace eigentropy::testing
