#include "cpu/operator/block_vectors.hpp"

#include <gtest/gtest.h>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class BlockVectors : public ::testing::Test {};
TYPED_TEST_SUITE(BlockVectors, Precisions, PrecisionName);

// Around a chunk, and beyond the number of parts of the rows.
const std::vector<index_t> lengths{1, 2, 61, 511, 512, 513, 1025, 65 * 512 + 7};

// Two blocks side by side, and what they are together.
template <class T>
struct Pair {
  Matrix<T> first, second;
  explicit Pair(index_t n) : first(gaussian_rows<T>(n, 3, 1)), second(gaussian_rows<T>(n, 5, 2)) {}

  Blocks<T> blocks() const { return {first.const_view(), second.const_view()}; }
  double operator()(index_t i, index_t j) const {
    return static_cast<double>(j < 3 ? first(i, j) : second(i, j - 3));
  }
};

constexpr index_t together = 8, columns = 4;

template <class T>
double rounding(index_t n) {
  return 8.0 * static_cast<double>(n) * static_cast<double>(std::numeric_limits<T>::epsilon());
}

Matrix<double> matrix_of(const Buffer<double>& values, index_t rows) {
  Matrix<double> M(rows, values.size() / rows);
  std::copy(values.begin(), values.end(), M.data());
  return M;
}

TYPED_TEST(BlockVectors, InnerProductsAreSumsOverRows) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const Pair<TypeParam> V(n);
    const auto W = gaussian_rows<TypeParam>(n, columns, 3);
    Matrix<double> expected(together, columns);
    for (index_t i = 0; i < n; ++i) {
      for (index_t k = 0; k < together; ++k) {
        for (index_t j = 0; j < columns; ++j) {
          expected(k, j) += V(i, k) * static_cast<double>(W(i, j));
        }
      }
    }
    const auto out = matrix_of(inner(V.blocks(), W.const_view(), 3), together);
    EXPECT_TRUE(all_near(out, expected, rounding<TypeParam>(std::min(n, index_t{5000}))));
  }
}

TYPED_TEST(BlockVectors, GramMatricesAreSummedInDouble) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const auto W = gaussian_rows<TypeParam>(n, columns, 4);
    Matrix<double> expected(columns, columns);
    for (index_t i = 0; i < n; ++i) {
      for (index_t k = 0; k < columns; ++k) {
        for (index_t j = 0; j < columns; ++j) {
          expected(k, j) += static_cast<double>(W(i, k)) * static_cast<double>(W(i, j));
        }
      }
    }
    EXPECT_TRUE(all_near(matrix_of(gram(W.const_view(), 3), columns), expected,
                         1e-12 * static_cast<double>(n)));
  }
}

TYPED_TEST(BlockVectors, CombinationsAreSumsOverColumns) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const Pair<TypeParam> V(n);
    const auto C = gaussian_rows<TypeParam>(together, columns, 5);
    Matrix<TypeParam> out(n, columns, TypeParam(7)), expected(n, columns);
    combine(V.blocks(), C.data(), out.view(), 3);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < columns; ++j) {
        double sum = 0.0;
        for (index_t k = 0; k < together; ++k) sum += V(i, k) * static_cast<double>(C(k, j));
        expected(i, j) = static_cast<TypeParam>(sum);
      }
    }
    EXPECT_TRUE(all_near(out, expected, rounding<TypeParam>(together)));
  }
}

TYPED_TEST(BlockVectors, ProjectingOutSubtractsTheCombinationOfTheInnerProducts) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    Pair<TypeParam> V(n);
    for (Matrix<TypeParam>* block : {&V.first, &V.second}) {
      for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < block->cols(); ++j) {
          (*block)(i, j) /= static_cast<TypeParam>(std::sqrt(static_cast<double>(n)));
        }
      }
    }
    auto W = gaussian_rows<TypeParam>(n, columns, 6);
    const Buffer<double> products = inner(V.blocks(), W.const_view(), 1);
    Matrix<TypeParam> expected(n, columns);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < columns; ++j) {
        auto value = static_cast<double>(W(i, j));
        for (index_t k = 0; k < together; ++k) value -= V(i, k) * products[k * columns + j];
        expected(i, j) = static_cast<TypeParam>(value);
      }
    }
    project_out(V.blocks(), W.view(), 3);
    EXPECT_TRUE(all_near(W, expected, rounding<TypeParam>(64)));
  }
}

TYPED_TEST(BlockVectors, AreBitwiseTheSameForEveryNumberOfThreads) {
  const index_t n = 65 * 512 + 7;
  const Pair<TypeParam> V(n);
  const auto original = gaussian_rows<TypeParam>(n, columns, 7);
  auto expected = original;
  project_out(V.blocks(), expected.view(), 1);
  const auto squares = matrix_of(gram(expected.const_view(), 1), columns);
  for (const int threads : {2, 3, 8}) {
    auto W = original;
    project_out(V.blocks(), W.view(), threads);
    EXPECT_TRUE(bitwise_equal(W, expected));
    EXPECT_TRUE(bitwise_equal(matrix_of(gram(W.const_view(), threads), columns), squares));
  }
}

TYPED_TEST(BlockVectors, NoColumnsAreNoWork) {
  const Pair<TypeParam> V(100);
  Matrix<TypeParam> none(100, 0), W = gaussian_rows<TypeParam>(100, columns, 8);
  const Matrix<TypeParam> before = W;
  EXPECT_EQ(inner(V.blocks(), none.const_view(), 2).size(), 0);
  project_out(V.blocks(), none.view(), 2);
  project_out(Blocks<TypeParam>{none.const_view()}, W.view(), 2);
  EXPECT_TRUE(bitwise_equal(W, before));
}

}  // namespace
}  // namespace eigentropy::testing
