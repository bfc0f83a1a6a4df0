#include "cuda/operator/block_vectors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "checkers.hpp"
#include "cpu/operator/block_vectors.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::bitwise_equal;
using testing::by_precision;
using testing::gaussian_rows;
using testing::near;

// Around a chunk, and more of them than are in memory at a time.
const std::vector<index_t> lengths{1, 2, 61, 511, 512, 513, 1025, 513 * 512 + 7};
constexpr index_t columns = 4, together = 8;

template <class T>
DeviceBuffer<T> on_device(const Queue& queue, const Matrix<T>& V) {
  return to_device(queue, V.data(), static_cast<index_t>(V.size()));
}
template <class T>
Matrix<T> on_host(const Queue& queue, const DeviceBuffer<T>& there, index_t rows, index_t cols) {
  Matrix<T> V(rows, cols);
  const auto values = to_host(queue, there.data(), there.size());
  std::copy(values.begin(), values.end(), V.data());
  return V;
}

// Two blocks side by side, on both sides; the second has room between its rows.
template <class T>
struct Pair {
  Matrix<T> first, second;
  DeviceBuffer<T> first_there, second_there;

  Pair(const Queue& queue, index_t n)
      : first(gaussian_rows<T>(n, 3, 1)), second(n, 5, 9, std::numeric_limits<T>::quiet_NaN()) {
    const auto values = gaussian_rows<T>(n, 5, 2);
    const double scale = 1.0 / std::sqrt(static_cast<double>(n));
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < 3; ++j) first(i, j) *= static_cast<T>(scale);
      for (index_t j = 0; j < 5; ++j) second(i, j) = values(i, j) * static_cast<T>(scale);
    }
    first_there = on_device(queue, first);
    second_there = on_device(queue, second);
  }

  Blocks<T> there() const {
    const index_t n = first.rows();
    return {{first_there.data(), n, 3, 3}, {second_there.data(), n, 5, 9}};
  }
  double operator()(index_t i, index_t j) const {
    return static_cast<double>(j < 3 ? first(i, j) : second(i, j - 3));
  }
  // V^T W in double
  Matrix<double> inner(const Matrix<T>& W) const {
    Matrix<double> products(together, W.cols());
    for (index_t i = 0; i < W.rows(); ++i) {
      for (index_t k = 0; k < together; ++k) {
        for (index_t j = 0; j < W.cols(); ++j) {
          products(k, j) += (*this)(i, k) * static_cast<double>(W(i, j));
        }
      }
    }
    return products;
  }
};

template <class T>
class DeviceVectors : public ::testing::Test {
 protected:
  const Queue queue{0, nullptr};
};
TYPED_TEST_SUITE(DeviceVectors, testing::Precisions, testing::PrecisionName);

TYPED_TEST(DeviceVectors, InnerProductsAreSumsOverRows) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const Pair<TypeParam> V(this->queue, n);
    const auto W = gaussian_rows<TypeParam>(n, columns, 3);
    const auto w = on_device(this->queue, W);
    const auto out = inner<TypeParam>(this->queue, V.there(), {w.data(), n, columns, columns});
    EXPECT_TRUE(all_near(out, V.inner(W), by_precision<TypeParam>(1e-13, 1e-5)));
  }
}

TYPED_TEST(DeviceVectors, InnerProductsOfManyVectorsAreThoseOfTheHost) {
  const index_t n = 5 * 512 + 100, k = 300, m = 17;
  const auto V = gaussian_rows<TypeParam>(n, k, 1), W = gaussian_rows<TypeParam>(n, m, 2);
  const auto v = on_device(this->queue, V), w = on_device(this->queue, W);
  const auto out = inner<TypeParam>(this->queue, {{v.data(), n, k, k}}, {w.data(), n, m, m});
  const auto expected = eigentropy::inner<TypeParam>({V.const_view()}, W.const_view(), 2);
  EXPECT_TRUE(all_near(out, expected, by_precision<TypeParam>(1e-11, 1e-3)));
}

TYPED_TEST(DeviceVectors, GramMatricesAreSummedInDouble) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const auto W = gaussian_rows<TypeParam>(n, columns, 4);
    const auto w = on_device(this->queue, W);
    const auto out = gram<TypeParam>(this->queue, {w.data(), n, columns, columns});
    const auto expected = eigentropy::gram(W.const_view(), 2);
    EXPECT_TRUE(all_near(out, expected, 1e-14 * static_cast<double>(n)));
  }
}

TYPED_TEST(DeviceVectors, CombinationsAreSumsOverColumns) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const Pair<TypeParam> V(this->queue, n);
    const auto C = gaussian_rows<TypeParam>(together, columns, 5);
    const DeviceBuffer<TypeParam> out(this->queue, n * columns);
    combine<TypeParam>(this->queue, V.there(), C.data(), {out.data(), n, columns, columns});
    Matrix<double> expected(n, columns);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < columns; ++j) {
        for (index_t k = 0; k < together; ++k) {
          expected(i, j) += V(i, k) * static_cast<double>(C(k, j));
        }
      }
    }
    EXPECT_TRUE(all_near(on_host(this->queue, out, n, columns), expected,
                         by_precision<TypeParam>(1e-14, 1e-5)));
  }
}

TYPED_TEST(DeviceVectors, ProjectingOutSubtractsTheCombinationOfTheInnerProducts) {
  for (const index_t n : lengths) {
    SCOPED_TRACE(n);
    const Pair<TypeParam> V(this->queue, n);
    const auto W = gaussian_rows<TypeParam>(n, columns, 6);
    const auto w = on_device(this->queue, W);
    const auto products = V.inner(W);
    Matrix<double> expected(n, columns);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < columns; ++j) {
        expected(i, j) = static_cast<double>(W(i, j));
        for (index_t k = 0; k < together; ++k) expected(i, j) -= V(i, k) * products(k, j);
      }
    }
    project_out<TypeParam>(this->queue, V.there(), {w.data(), n, columns, columns});
    EXPECT_TRUE(all_near(on_host(this->queue, w, n, columns), expected,
                         by_precision<TypeParam>(1e-13, 1e-5)));
  }
}

TYPED_TEST(DeviceVectors, LargestColumnIsTheLongest) {
  for (const index_t n : {1, 2, 511, 512, 513, 5000}) {
    for (const index_t m : {1, 31, 33, 80}) {
      const auto W = gaussian_rows<TypeParam>(n, m, 7);
      const auto w = on_device(this->queue, W);
      double largest = 0.0;
      for (index_t j = 0; j < m; ++j) {
        double sum = 0.0;
        for (index_t i = 0; i < n; ++i) sum += std::pow(static_cast<double>(W(i, j)), 2.0);
        largest = std::max(largest, std::sqrt(sum));
      }
      const double actual = largest_column<TypeParam>(this->queue, {w.data(), n, m, m});
      EXPECT_TRUE(near(actual, largest, 1e-13 * largest)) << n << " x " << m;
    }
  }
}

TYPED_TEST(DeviceVectors, LargestColumnIsNotANumberIfAnEntryIsNot) {
  auto W = gaussian_rows<TypeParam>(700, 3, 7);
  W(600, 2) = std::numeric_limits<TypeParam>::quiet_NaN();
  const auto w = on_device(this->queue, W);
  EXPECT_TRUE(std::isnan(largest_column<TypeParam>(this->queue, {w.data(), 700, 3, 3})));
  EXPECT_EQ(largest_column<TypeParam>(this->queue, {w.data(), 700, 0, 3}), 0.0);
}

// What `compute` returns is the same in two runs, and for each order of threads.
template <class Compute>
void expect_the_same(const Compute& compute) {
  const auto first = compute();
  EXPECT_TRUE(bitwise_equal(compute(), first));
#ifdef EIGENTROPY_CUDA_EMULATED
  emulated::set_order(emulated::Order::descending);
  EXPECT_TRUE(bitwise_equal(compute(), first));
  emulated::set_order(emulated::Order::ascending);
#endif
}

TYPED_TEST(DeviceVectors, AreBitwiseTheSameInEveryRun) {
  const index_t n = 10'000;
  const Pair<TypeParam> V(this->queue, n);
  const auto W = gaussian_rows<TypeParam>(n, 33, 7);
  const auto w = on_device(this->queue, W);
  const MatrixView<const TypeParam> there{w.data(), n, 33, 33};
  expect_the_same([&] { return inner<TypeParam>(this->queue, V.there(), there); });
  expect_the_same([&] { return gram<TypeParam>(this->queue, there); });
  expect_the_same([&] {
    const auto copied = on_device(this->queue, W);
    project_out<TypeParam>(this->queue, V.there(), {copied.data(), n, 33, 33});
    return on_host(this->queue, copied, n, 33);
  });
  expect_the_same(
      [&] { return std::vector<double>{largest_column<TypeParam>(this->queue, there)}; });
}

TYPED_TEST(DeviceVectors, NoColumnsAreNoWork) {
  const index_t n = 100;
  const Pair<TypeParam> V(this->queue, n);
  const auto W = gaussian_rows<TypeParam>(n, columns, 8);
  const auto w = on_device(this->queue, W);
  const MatrixView<TypeParam> there{w.data(), n, columns, columns}, none{w.data(), n, 0, columns};
  const Blocks<TypeParam> no_blocks{{w.data(), n, 0, columns}};
  EXPECT_EQ(inner<TypeParam>(this->queue, V.there(), {w.data(), n, 0, 1}).size(), 0);
  project_out<TypeParam>(this->queue, V.there(), none);
  project_out<TypeParam>(this->queue, no_blocks, there);
  EXPECT_TRUE(bitwise_equal(on_host(this->queue, w, n, columns), W));
  combine<TypeParam>(this->queue, V.there(), nullptr, none);
  combine<TypeParam>(this->queue, no_blocks, nullptr, there);
  EXPECT_TRUE(bitwise_equal(on_host(this->queue, w, n, columns), Matrix<TypeParam>(n, columns)));
}

}  // namespace
}  // namespace eigentropy::cuda
