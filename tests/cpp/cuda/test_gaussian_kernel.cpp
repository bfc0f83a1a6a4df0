#include "cuda/kernel/gaussian_kernel.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "checkers.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::bitwise_equal;
using testing::by_precision;
using testing::Oracle;

template <class T>
class Kernel : public ::testing::Test {};
TYPED_TEST_SUITE(Kernel, testing::Precisions, testing::PrecisionName);

template <class T>
struct HostKernel {
  Buffer<T> G;
  Buffer<double> q;
};

template <class T>
HostKernel<T> on_host(const Queue& queue, const DeviceRows<T>& X, double sigma) {
  const DeviceBuffer<T> G(queue, X.n * X.n);
  const Batch<T> batch(queue, {{X.n, X.n, G.data(), nullptr}});
  const auto q = gaussian_kernels(queue, X, sigma, batch);
  return {to_host(queue, G.data(), X.n * X.n), to_host(queue, q.data(), X.n)};
}

// Against the formula, on the rows as they are in T.
TYPED_TEST(Kernel, IsTheGaussianOfDistances) {
  const Queue queue(0, nullptr);
  for (const auto& [name, Z, sigma] : cases<TypeParam>()) {
    const DeviceRows<TypeParam> X = rows_on_device(queue, Z);
    const auto [G, q] = on_host(queue, X, sigma);
    const Oracle expected(testing::rows_of(testing::centered(Z)), sigma / X.scale, 0.5);
    EXPECT_TRUE(all_near(G, expected.G, by_precision<TypeParam>(1e-12, 1e-5))) << name;
    const double n = static_cast<double>(X.n);
    EXPECT_TRUE(all_near(q, expected.q, by_precision<TypeParam>(1e-12, 1e-5) * n)) << name;
  }
}

// eigenvalue routines read one triangle, products both.
TYPED_TEST(Kernel, IsSymmetricToTheBitWithOnesOnItsDiagonal) {
  const Queue queue(0, nullptr);
  for (const auto& [name, Z, sigma] : cases<TypeParam>()) {
    const index_t n = Z.rows();
    const auto G = on_host(queue, rows_on_device(queue, Z), sigma).G;
    for (index_t i = 0; i < n; ++i) {
      EXPECT_EQ(G[i * n + i], TypeParam(1)) << name;
      for (index_t j = 0; j < i; ++j) ASSERT_EQ(G[i * n + j], G[j * n + i]) << name;
    }
  }
}

TYPED_TEST(Kernel, OfEqualRowsIsOne) {
  const Queue queue(0, nullptr);
  const auto G = on_host(queue, rows_on_device(queue, duplicates<TypeParam>(90, 7)), 1e-3).G;
  for (index_t i = 0; i < 90; ++i) {
    for (index_t j = 0; j < 90; ++j) {
      ASSERT_EQ(G[i * 90 + j], i / 2 == j / 2 ? TypeParam(1) : TypeParam(0));
    }
  }
}

// A bandwidth that is tiny for the cloud: near pairs would be lost in |x|^2 + |y|^2 - 2 x.y.
TYPED_TEST(Kernel, OfNearPairsInAWideCloudIsComputedFromDifferences) {
  const Queue queue(0, nullptr);
  Matrix<TypeParam> Z = testing::gaussian_rows<TypeParam>(150, 20, 3, 1024.0);
  for (index_t i = 0; i < 150; i += 3) {
    for (index_t j = 0; j < 20; ++j) {
      Z(i, j) = std::round(Z(i, j));
      Z(i + 1, j) = Z(i, j) + TypeParam(0.5);
    }
  }
  const auto G = on_host(queue, rows_on_device(queue, Z), 2.0).G;
  const double expected = std::exp(-0.5 * 20 * 0.25 / 4.0);
  for (index_t i = 0; i < 150; i += 3) {
    EXPECT_NEAR(G[i * 150 + i + 1], expected, by_precision<TypeParam>(1e-14, 2e-7));
  }
}

TYPED_TEST(Kernel, IsTheSameInEveryRun) {
  const Queue queue(0, nullptr);
  const auto X = rows_on_device(queue, testing::gaussian_rows<TypeParam>(130, 9, 3));
  const auto first = on_host(queue, X, 1.5), second = on_host(queue, X, 1.5);
  EXPECT_TRUE(bitwise_equal(first.G, second.G));
  EXPECT_TRUE(bitwise_equal(first.q, second.q));
}

// Problems of one batch: all rows, and some of them with room between the rows.
TYPED_TEST(Kernel, OfABatchIsThatOfEachProblem) {
  using T = TypeParam;
  const Queue queue(0, nullptr);
  const auto X = rows_on_device(queue, testing::gaussian_rows<T>(100, 4, 3));
  const auto whole = on_host(queue, X, 1.0);
  const std::vector<index_t> chosen{3, 99, 0, 41, 64, 65, 2};
  const auto rows = to_device(queue, chosen.data(), 7);
  const DeviceBuffer<T> entries(queue, 100 * 100 + 7 * 9 + 2 * 2);
  const Batch<T> batch(queue, {{0, 0, nullptr, rows.data()},
                               {100, 100, entries.data(), nullptr},
                               {7, 9, entries.data() + 10000, rows.data()},
                               {0, 0, nullptr, nullptr},
                               {2, 2, entries.data() + 10063, rows.data() + 3}});
  const DeviceBuffer<T> shared = to_device(queue, whole.G.data(), 10000);
  const Batch<T> gathered(queue, {{7, 9, entries.data() + 10000, rows.data()},
                                  {2, 2, entries.data() + 10063, rows.data() + 3}});
  const auto expect_chosen = [&](const double* q, const std::string& how) {
    const auto G = to_host(queue, entries.data(), entries.size());
    for (index_t i = 0; i < 7; ++i) {
      double sum = 0.0;
      for (index_t j = 0; j < 7; ++j) {
        const T g = G[10000 + i * 9 + j];
        EXPECT_EQ(g, whole.G[chosen[i] * 100 + chosen[j]]) << how;
        sum += static_cast<double>(g);
      }
      EXPECT_NEAR(q[i], sum, by_precision<T>(1e-14, 1e-6)) << how;
    }
    EXPECT_EQ(G[10063 + 1], whole.G[41 * 100 + 64]) << how;
    EXPECT_NEAR(q[7], 1.0 + static_cast<double>(whole.G[41 * 100 + 64]), 1e-6) << how;
  };
  auto q = gaussian_kernels(queue, X, 1.0, batch);
  const auto all = to_host(queue, entries.data(), 10000);
  EXPECT_TRUE(bitwise_equal(all, whole.G));
  expect_chosen(to_host(queue, q.data(), 109).data() + 100, "computed");
  q = gather_kernels(queue, shared.data(), 100, gathered);
  expect_chosen(to_host(queue, q.data(), 9).data(), "gathered");
}

}  // namespace
}  // namespace eigentropy::cuda
