#include "cpu/gradient/resolvents.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class Resolvents : public ::testing::Test {};
TYPED_TEST_SUITE(Resolvents, Precisions, PrecisionName);

// Around the order of elimination, blocks that are computed whole, and halves that are not alike.
const std::vector<index_t> orders{1, 2, 31, 32, 33, 61, 64, 65, 128, 130, 257, 523};

// H diag(lambda) H with the reflector H = 1 - 2 v v^T, v_i = sin(i + 1) / |sin|
template <class T>
Matrix<T> reflected(const std::vector<double>& eigenvalues) {
  const index_t n = static_cast<index_t>(eigenvalues.size());
  std::vector<double> v;
  double squares = 0.0;
  for (index_t i = 0; i < n; ++i) {
    v.push_back(std::sin(static_cast<double>(i + 1)));
    squares += v.back() * v.back();
  }
  Matrix<double> H(n, n);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) {
      H(i, j) = (i == j ? 1.0 : 0.0) -
                2.0 * v[static_cast<std::size_t>(i)] * v[static_cast<std::size_t>(j)] / squares;
    }
  }
  Matrix<T> A(n, n);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) {
      double sum = 0.0;
      for (index_t k = 0; k < n; ++k) {
        sum += H(i, k) * eigenvalues[static_cast<std::size_t>(k)] * H(j, k);
      }
      A(i, j) = static_cast<T>(sum);
    }
  }
  return A;
}

const std::vector<double> shifts{0.5, 0.01, 2.0}, weights{1.5, 0.02, -4.0};
const RationalFunction function{0.75, -2.0, shifts.data(), weights.data(), 3};

double value(double x) {
  double sum = function.constant + function.linear * x;
  for (std::size_t k = 0; k < shifts.size(); ++k) sum += weights[k] / (x + shifts[k]);
  return sum;
}

template <class T>
std::vector<T> function_of(const Matrix<T>& A, int threads, Control& control) {
  const index_t n = A.const_view().rows;
  std::vector<T> out(static_cast<std::size_t>(n * n));
  Buffer<T> room(2 * n * n * poles_together(function.poles, threads));
  function_of_matrix(A.const_view(), function, MatrixView<T>{out.data(), n, n, n}, room.data(),
                     threads, control);
  return out;
}

TYPED_TEST(Resolvents, AFunctionOfAMatrixIsThatOfItsEigenvalues) {
  for (const index_t n : orders) {
    SCOPED_TRACE(n);
    std::vector<double> eigenvalues, values;
    for (index_t i = 0; i < n; ++i) {
      eigenvalues.push_back(0.05 + 0.9 * static_cast<double>(i) / static_cast<double>(n));
      values.push_back(value(eigenvalues.back()));
    }
    const auto A = reflected<TypeParam>(eigenvalues);
    Control control;
    const auto found = function_of(A, 2, control);
    EXPECT_TRUE(all_near(found, reflected<double>(values),
                         1e3 * static_cast<double>(std::numeric_limits<TypeParam>::epsilon())));
  }
}

TYPED_TEST(Resolvents, ThreadsChangeNothing) {
  const auto A = reflected<TypeParam>(std::vector<double>(150, 0.25));
  Control control;
  const auto one = function_of(A, 1, control);
  for (const int threads : {2, 3, 8}) {
    const auto found = function_of(A, threads, control);
    EXPECT_TRUE(std::equal(one.begin(), one.end(), found.begin())) << threads;
  }
}

TYPED_TEST(Resolvents, RowsMayHaveRoomBetweenThem) {
  const auto dense = reflected<TypeParam>(std::vector<double>{0.1, 0.4, 0.2});
  Matrix<TypeParam> A(3, 3, 5, std::numeric_limits<TypeParam>::quiet_NaN());
  for (index_t i = 0; i < 3; ++i) {
    for (index_t j = 0; j < 3; ++j) A(i, j) = dense(i, j);
  }
  Control control;
  const auto expected = function_of(dense, 1, control);
  const auto found = function_of(A, 1, control);
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), found.begin()));
}

TYPED_TEST(Resolvents, AShiftedMatrixThatIsNotPositiveDefiniteIsAnError) {
  for (const index_t n : {3, 200}) {  // by elimination alone, and below a block
    std::vector<double> eigenvalues(static_cast<std::size_t>(n), 0.5);
    eigenvalues.back() = -0.1;
    const auto A = reflected<TypeParam>(eigenvalues);
    Control control;
    EXPECT_THROW(function_of(A, 2, control), SolverError);
  }
}

TYPED_TEST(Resolvents, ARequestToStopIsHeard) {
  const auto A = reflected<TypeParam>(std::vector<double>(70, 0.5));
  Control control;
  control.cancel();
  EXPECT_THROW(function_of(A, 2, control), Interrupted);
}

}  // namespace
}  // namespace eigentropy::testing
