#include "cpu/eigen/panel_qr.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class PanelQrOf : public ::testing::Test {};
TYPED_TEST_SUITE(PanelQrOf, Precisions, PrecisionName);

template <class T>
struct Factors {
  Matrix<T> V, factor, R;  // R with its zeros
};

// P is given by its columns: column j is row j of `columns`.
template <class T>
Factors<T> factor(PanelQr<T>& solver, const Matrix<T>& columns) {
  const index_t width = columns.rows(), m = columns.cols();
  Factors<T> out{{m, width}, {width, width}, {width, width}};
  Matrix<T> R(width, width);  // row j: column j of R
  solver.factor(m, columns.data(), m, out.V.data(), out.factor.data(), R.data(), width);
  for (index_t i = 0; i < width; ++i) {
    for (index_t j = 0; j < width; ++j) out.R(i, j) = i <= j && i < m ? R(j, i) : T(0);
  }
  return out;
}

// Q X = X - V (T (V^T X)), in double.
template <class T>
Matrix<double> apply(const Factors<T>& f, const Matrix<double>& X) {
  const index_t m = f.V.rows(), width = f.V.cols(), count = X.cols();
  Matrix<double> product(width, count), image = X;
  for (index_t c = 0; c < count; ++c) {
    for (index_t j = 0; j < width; ++j) {
      for (index_t i = 0; i < m; ++i) product(j, c) += double(f.V(i, j)) * X(i, c);
    }
    for (index_t k = 0; k < width; ++k) {
      double share = 0.0;
      for (index_t j = k; j < width; ++j) share += double(f.factor(k, j)) * product(j, c);
      for (index_t i = 0; i < m; ++i) image(i, c) -= double(f.V(i, k)) * share;
    }
  }
  return image;
}

template <class T>
void expect_factors(const Matrix<T>& columns, const std::string& what) {
  const index_t width = columns.rows(), m = columns.cols();
  PanelQr<T> solver(width);
  const Factors<T> f = factor(solver, columns);
  double largest = 0.0;
  for (const T value : columns) largest = std::max(largest, std::abs(double(value)));

  for (index_t i = 0; i < m; ++i) {
    for (index_t j = i; j < width; ++j) ASSERT_EQ(f.V(i, j), T(i == j && i < m)) << what;
  }
  const double tolerance = 10.0 * std::sqrt(double(m)) * epsilon<T>;
  Matrix<double> R(m, width);
  for (index_t i = 0; i < std::min(m, width); ++i) {
    for (index_t j = i; j < width; ++j) R(i, j) = double(f.R(i, j)) / std::max(largest, 1e-300);
  }
  const Matrix<double> QR = apply(f, R);
  for (index_t j = 0; j < width; ++j) {
    for (index_t i = 0; i < m; ++i) {
      ASSERT_TRUE(near(QR(i, j), double(columns(j, i)) / std::max(largest, 1e-300), tolerance))
          << what << ": P at " << i << ", " << j;
    }
  }
  Matrix<double> units(m, std::min<index_t>(m, 20));  // Q of some unit vectors
  for (index_t c = 0; c < units.cols(); ++c) units(c * (m / units.cols()), c) = 1.0;
  const Matrix<double> Q = apply(f, units);
  for (index_t a = 0; a < Q.cols(); ++a) {
    for (index_t b = 0; b <= a; ++b) {
      double dot = 0.0;
      for (index_t i = 0; i < m; ++i) dot += Q(i, a) * Q(i, b);
      ASSERT_TRUE(near(dot, a == b, tolerance)) << what << ": Q^T Q at " << a << ", " << b;
    }
  }
}

TYPED_TEST(PanelQrOf, APanelIsQTimesR) {
  for (const index_t width : {16, 32, 48, 96}) {
    for (const index_t m : {1, 2, 15, 16, 17, 63, 97, 500}) {
      expect_factors(gaussian_rows<TypeParam>(width, m, 1),
                     std::to_string(m) + " x " + std::to_string(width));
    }
  }
}

TYPED_TEST(PanelQrOf, APanelOfTheExtremesOfTheRangeIsQTimesR) {
  for (const double exponent : {-1.0, 0.9}) {
    const double scale = std::pow(by_precision<TypeParam>(1e300, 1e37), exponent);
    expect_factors(gaussian_rows<TypeParam>(32, 200, 2, scale), std::to_string(exponent));
  }
}

TYPED_TEST(PanelQrOf, ARankDeficientPanelIsQTimesR) {
  const index_t width = 32, m = 150;
  const auto random = gaussian_rows<TypeParam>(width, m, 3);
  const std::vector<std::pair<std::string, std::function<TypeParam(index_t, index_t)>>> panels{
      {"zero", [](index_t, index_t) { return TypeParam(0); }},
      {"ones", [](index_t, index_t) { return TypeParam(1); }},
      {"one entry", [](index_t j, index_t i) { return TypeParam(j == 7 && i == 90); }},
      {"triangular", [&](index_t j, index_t i) { return i <= j ? random(j, i) : TypeParam(0); }},
      {"columns of zeros",
       [&](index_t j, index_t i) { return j % 3 ? random(j, i) : TypeParam(0); }},
      {"equal columns", [&](index_t j, index_t i) { return random(j % 5, i); }},
      // Down to what underflows when it is squared, and further.
      {"graded columns",
       [&](index_t j, index_t i) {
         return static_cast<TypeParam>(std::ldexp(double(random(j, i)), int(-4 * j)));
       }},
      {"graded columns, the other way",
       [&](index_t j, index_t i) {
         return static_cast<TypeParam>(std::ldexp(double(random(j, i)), int(-4 * (width - j))));
       }},
      {"hardly anything below the diagonal", [&](index_t j, index_t i) {
         return i <= j ? TypeParam(1) : static_cast<TypeParam>(1e-25) * random(j, i);
       }}};
  for (const auto& [name, entry] : panels) {
    Matrix<TypeParam> columns(width, m);
    for (index_t j = 0; j < width; ++j) {
      for (index_t i = 0; i < m; ++i) columns(j, i) = entry(j, i);
    }
    expect_factors(columns, name);
  }
}

TYPED_TEST(PanelQrOf, APanelDoesNotDependOnTheOneBefore) {
  const auto columns = gaussian_rows<TypeParam>(16, 80, 4);
  PanelQr<TypeParam> fresh(16), used(16);
  factor(used, gaussian_rows<TypeParam>(16, 5, 5));
  const auto expected = factor(fresh, columns), actual = factor(used, columns);
  EXPECT_TRUE(bitwise_equal(actual.V, expected.V));
  EXPECT_TRUE(bitwise_equal(actual.R, expected.R));
  EXPECT_TRUE(bitwise_equal(actual.factor, expected.factor));
}

TYPED_TEST(PanelQrOf, NaNReachesR) {
  auto columns = gaussian_rows<TypeParam>(16, 80, 6);
  columns(3, 60) = std::numeric_limits<TypeParam>::quiet_NaN();
  PanelQr<TypeParam> solver(16);
  EXPECT_TRUE(std::isnan(factor(solver, columns).R(3, 3)));
}

}  // namespace
}  // namespace eigentropy::testing
