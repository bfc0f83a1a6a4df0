#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "base/buffer.hpp"
#include "checkers.hpp"
#include "cpu/simd/lane_gaussian_kernels.hpp"
#include "cpu/simd/lane_matrix_kernels.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class LaneGaussian : public ::testing::Test {};
TYPED_TEST_SUITE(LaneGaussian, Precisions, PrecisionName);

using Sets = std::vector<std::vector<index_t>>;

// The kernels of these rows of Z, with unused rows first in the smaller ones: a matrix for each
// lane, of which the upper triangle is set.
template <class T>
std::vector<Matrix<T>> kernels_of(simd::InstructionSet set, const Matrix<T>& Z, const Sets& sets,
                                  double scale, bool from_products) {
  const auto& kernels = simd::kernels_of<simd::LaneGaussianKernels<T>>(set);
  const index_t lanes = simd::kernels_of<simd::LaneMatrixKernels<T>>(set).lanes;
  std::vector<simd::LaneSubset> subsets;
  index_t n = 0;
  for (index_t k = 0; k < lanes; ++k) {
    const auto& rows = sets[static_cast<std::size_t>(k) % sets.size()];
    subsets.push_back({rows.data(), static_cast<index_t>(rows.size())});
    n = std::max(n, subsets.back().n);
  }
  std::vector<index_t> unused;
  for (const auto& subset : subsets) unused.push_back(n - subset.n);
  const Buffer<T> A(n * (n + 1) / 2 * lanes), norms(n * lanes),
      x((n + kernels.block_rows) * simd::lane_depth * lanes);
  for (index_t first = 0; first < Z.cols(); first += simd::lane_depth) {
    const index_t depth = std::min(simd::lane_depth, Z.cols() - first);
    kernels.pack(Z.data(), Z.cols(), subsets.data(), n, first, depth, x.data());
    const auto add = from_products ? kernels.products : kernels.differences;
    add(x.data(), depth, n, first > 0, A.data());
  }
  const auto finish = from_products ? kernels.from_products : kernels.from_differences;
  finish(A.data(), n, static_cast<T>(scale), unused.data(), norms.data());
  std::vector<Matrix<T>> found(static_cast<std::size_t>(lanes), Matrix<T>(n, n));
  const T* entry = A.data();
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) {
      for (auto& matrix : found) matrix(i, j) = *entry++;
    }
  }
  return found;
}

// The rows of several sizes, in no order, 1 to `most` of `n`.
Sets some_sets(index_t n, index_t most) {
  Sets sets;
  for (const index_t size : {most, most - 1, index_t{1}, most / 2, most}) {
    sets.emplace_back();
    for (index_t i = 0; i < size; ++i) sets.back().push_back((7 * i + 3 * size) % n);
  }
  return sets;
}

template <class T>
void expect_kernels(const Matrix<T>& Z, const Sets& sets, double scale, bool from_products,
                    double tolerance) {
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    SCOPED_TRACE(simd::name_of(set));
    const auto found = kernels_of(set, Z, sets, scale, from_products);
    for (std::size_t k = 0; k < found.size(); ++k) {
      const auto& rows = sets[k % sets.size()];
      const index_t n = found[k].rows(), unused = n - static_cast<index_t>(rows.size());
      for (index_t i = 0; i < n; ++i) {
        for (index_t j = i; j < n; ++j) {
          double expected = 0.0;
          if (i >= unused) {
            const index_t a = rows[static_cast<std::size_t>(i - unused)];
            const index_t b = rows[static_cast<std::size_t>(j - unused)];
            expected = std::exp(scale * exact_squared_distance(Z, a, b));
          }
          ASSERT_TRUE(near(static_cast<double>(found[k](i, j)), expected, tolerance))
              << "lane " << k << ", row " << i << ", column " << j;
        }
      }
    }
  }
}

// Columns on both sides of a vector, of a block of rows that are packed at a time, and of two.
TYPED_TEST(LaneGaussian, IsExpOfTheSquaredDistances) {
  for (const index_t d : {1, 3, 16, 63, 64, 65, 131}) {
    const auto Z = gaussian_rows<TypeParam>(40, d, 1);
    for (const index_t most : {2, 5, 6, 17}) {
      for (const bool from_products : {true, false}) {
        expect_kernels(Z, some_sets(40, most), -0.5 / static_cast<double>(d), from_products,
                       20.0 * epsilon<TypeParam>);
      }
    }
  }
}

TYPED_TEST(LaneGaussian, OfDifferencesKeepsTheDigitsOfNearRowsFarFromTheCentre) {
  auto Z = gaussian_rows<TypeParam>(40, 70, 1);
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.cols(); ++j) Z(i, j) += TypeParam(4096);
  }
  expect_kernels(Z, some_sets(40, 17), -0.5 / 70.0, false, 20.0 * epsilon<TypeParam>);
}

TYPED_TEST(LaneGaussian, OfEqualRowsIsOneExactly) {
  auto Z = gaussian_rows<TypeParam>(20, 131, 1, 1e3);
  for (index_t i = 0; i < Z.rows(); ++i) std::copy_n(Z.data(), Z.cols(), Z.data() + i * Z.cols());
  for (const bool from_products : {true, false}) {
    expect_kernels(Z, some_sets(20, 9), -1.0, from_products, 0.0);
  }
}

TYPED_TEST(LaneGaussian, DoesNotDependOnTheRowsBeside) {
  const auto Z = gaussian_rows<TypeParam>(40, 131, 1);
  const std::vector<index_t> rows{3, 1, 4, 15, 9, 26, 5, 35, 8};
  std::vector<index_t> many(38);
  std::iota(many.begin(), many.end(), index_t{2});
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    for (const bool from_products : {true, false}) {
      const auto alone = kernels_of(set, Z, {rows}, -0.01, from_products)[0];
      const auto beside = kernels_of(set, Z, {many, rows}, -0.01, from_products)[1];
      const index_t unused = beside.rows() - alone.rows();
      std::vector<TypeParam> expected, actual;
      for (index_t i = 0; i < alone.rows(); ++i) {
        for (index_t j = i; j < alone.rows(); ++j) {
          expected.push_back(alone(i, j));
          actual.push_back(beside(unused + i, unused + j));
        }
      }
      EXPECT_TRUE(bitwise_equal(actual, expected)) << simd::name_of(set);
    }
  }
}

}  // namespace
}  // namespace eigentropy::testing
