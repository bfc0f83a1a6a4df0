#include "cuda/eigen/panel_qr.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::near;

template <class T>
class DevicePanelQr : public ::testing::Test {};
TYPED_TEST_SUITE(DevicePanelQr, testing::Precisions, testing::PrecisionName);

// Column-major, in long double.
struct Dense {
  Dense(index_t row_count, index_t col_count)
      : rows(row_count), entries(static_cast<std::size_t>(row_count * col_count)) {}
  long double& operator()(index_t i, index_t j) {
    return entries[static_cast<std::size_t>(j * rows + i)];
  }
  index_t rows;
  std::vector<long double> entries;
};

// Q^T X = X - V T^T V^T X for the m x b matrix X.
template <class T>
Dense apply_transposed(const T* V, index_t stride, const T* factor, index_t m, index_t b, Dense X,
                       index_t columns) {
  for (index_t c = 0; c < columns; ++c) {
    std::vector<long double> products(static_cast<std::size_t>(b)), shares(products.size());
    for (index_t j = 0; j < b; ++j) {
      for (index_t i = 0; i < m; ++i) {
        products[static_cast<std::size_t>(j)] +=
            static_cast<long double>(V[j * stride + i]) * X(i, c);
      }
    }
    for (index_t j = 0; j < b; ++j) {
      for (index_t i = 0; i <= j; ++i) {
        shares[static_cast<std::size_t>(j)] +=
            static_cast<long double>(factor[j * b + i]) * products[static_cast<std::size_t>(i)];
      }
    }
    for (index_t j = 0; j < b; ++j) {
      for (index_t i = 0; i < m; ++i) {
        X(i, c) -=
            static_cast<long double>(V[j * stride + i]) * shares[static_cast<std::size_t>(j)];
      }
    }
  }
  return X;
}

// Gaussian, of rank one, with columns of zeros, and nothing but zeros.
template <class T>
std::vector<T> panel(int kind, index_t m, index_t b) {
  std::mt19937_64 generator(7);
  std::normal_distribution<double> normal;
  std::vector<double> column(static_cast<std::size_t>(m));
  for (double& x : column) x = normal(generator);
  std::vector<T> entries;
  for (index_t j = 0; j < b; ++j) {
    for (index_t i = 0; i < m; ++i) {
      double x = normal(generator);
      if (kind == 1) x = column[static_cast<std::size_t>(i)] * static_cast<double>(j + 1);
      if (kind == 2 && j % 3 == 0) x = 0.0;
      if (kind == 3) x = 0.0;
      entries.push_back(static_cast<T>(x));
    }
  }
  return entries;
}

// The factors of one panel P, m x b, on the host.
template <class T>
struct Factored {
  index_t m, b, stride;
  const T *P, *V, *V_copy, *band, *factor;
  std::string name;

  double tolerance() const {
    return 50.0 * testing::epsilon<T> * std::sqrt(static_cast<double>(b));
  }

  void check_shape() const {
    for (index_t j = 0; j < b; ++j) {
      for (index_t i = 0; i < m; ++i) {
        EXPECT_EQ(V[j * stride + i], V_copy[j * stride + i]) << name;
        if (i <= j) {
          EXPECT_EQ(V[j * stride + i], T(i == j ? 1 : 0)) << name;
        }
      }
    }
  }

  // Q^T P = R
  void check_product() const {
    Dense X(m, b);
    double norm2 = 0.0;
    for (index_t j = 0; j < b; ++j) {
      for (index_t i = 0; i < m; ++i) {
        X(i, j) = P[j * stride + i];
        norm2 += static_cast<double>(X(i, j) * X(i, j));
      }
    }
    Dense R = apply_transposed(V, stride, factor, m, b, X, b);
    for (index_t j = 0; j < b; ++j) {
      for (index_t i = 0; i < m; ++i) {
        const T expected = i <= j ? band[j * (b + 1) + b + i - j] : T(0);
        EXPECT_TRUE(near(static_cast<double>(R(i, j)), static_cast<double>(expected),
                         tolerance() * std::sqrt(norm2)))
            << name << ", entry " << i << ", " << j;
      }
    }
  }

  // |Q^T x| = |x|
  void check_length() const {
    Dense x(m, 1);
    for (index_t i = 0; i < m; ++i) x(i, 0) = std::cos(static_cast<double>(i));
    Dense y = apply_transposed(V, stride, factor, m, b, x, 1);
    long double before = 0.0L, after = 0.0L;
    for (index_t i = 0; i < m; ++i) {
      before += x(i, 0) * x(i, 0);
      after += y(i, 0) * y(i, 0);
    }
    EXPECT_TRUE(near(static_cast<double>(after / before), 1.0, tolerance())) << name;
  }
};

// Four panels at a time, with room between their columns.
template <class T>
void check_panels(index_t m, index_t b) {
  const Queue queue(0, nullptr);
  const index_t kinds = 4, stride = m + 3, step = b * stride, square = b * b;
  std::vector<T> entries(static_cast<std::size_t>(kinds * step), T(-1));
  for (int kind = 0; kind < kinds; ++kind) {
    const auto one = panel<T>(kind, m, b);
    for (index_t j = 0; j < b; ++j) {
      std::copy_n(one.begin() + j * m, m, entries.begin() + kind * step + j * stride);
    }
  }
  const auto there = to_device(queue, entries.data(), kinds * step);
  const DeviceBuffer<T> V(queue, kinds * 2 * step), band(queue, kinds * (square + b));
  const PanelQr<T> qr(queue, std::max<index_t>(m, 300), b, kinds);
  qr.factor(queue, {there.data(), stride, step, m},
            {V.data(), stride, 2 * step, step, band.data(), square + b});
  const auto v = to_host(queue, V.data(), V.size());
  const auto r = to_host(queue, band.data(), band.size());
  const auto t = to_host(queue, qr.factors(), kinds * square);
  for (int kind = 0; kind < kinds; ++kind) {
    const T* const reflectors = v.data() + kind * 2 * step;
    const Factored<T> one{
        m,
        b,
        stride,
        entries.data() + kind * step,
        reflectors,
        reflectors + step,
        r.data() + kind * (square + b),
        t.data() + kind * square,
        "kind " + std::to_string(kind) + ", " + std::to_string(m) + " x " + std::to_string(b)};
    one.check_shape();
    one.check_product();
    one.check_length();
  }
}

TYPED_TEST(DevicePanelQr, MultipliesToThePanel) {
  for (const index_t b : {5, 16, 64}) {
    for (const index_t m : {index_t{1}, b - 1, b, b + 1, index_t{300}}) {
      check_panels<TypeParam>(m, b);
    }
  }
}

TEST(DevicePanel, RefusesPanelsThatAreTooWide) {
  const Queue queue(0, nullptr);
  EXPECT_THROW(PanelQr<double>(queue, 100, 65, 1), std::invalid_argument);
  EXPECT_THROW(PanelQr<double>(queue, 100, 0, 1), std::invalid_argument);
}

}  // namespace
}  // namespace eigentropy::cuda
