#include "cuda/operator/subsets.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "cpu/operator/subsets.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::bitwise_equal;
using testing::by_precision;

constexpr SubsetKernels all_kinds[] = {SubsetKernels::automatic, SubsetKernels::shared,
                                       SubsetKernels::recomputed};

// Subsets of these sizes, of rows at random.
Subsets random_subsets(index_t rows, const std::vector<index_t>& sizes, unsigned seed) {
  std::mt19937_64 generator(seed);
  std::vector<index_t> all(static_cast<std::size_t>(rows)), offsets{0}, indices;
  for (index_t i = 0; i < rows; ++i) all[static_cast<std::size_t>(i)] = i;
  for (const index_t size : sizes) {
    std::shuffle(all.begin(), all.end(), generator);
    indices.insert(indices.end(), all.begin(), all.begin() + size);
    offsets.push_back(static_cast<index_t>(indices.size()));
  }
  Subsets subsets{Buffer<index_t>(static_cast<index_t>(offsets.size())),
                  Buffer<index_t>(static_cast<index_t>(indices.size()))};
  std::copy(offsets.begin(), offsets.end(), subsets.offsets.begin());
  std::copy(indices.begin(), indices.end(), subsets.indices.begin());
  return subsets;
}

template <class T>
class DeviceSubsets : public ::testing::Test {
 protected:
  const Queue queue{0, nullptr};
  Control control;

  SubsetSpectra<T> on_device(const Matrix<T>& Z, const std::vector<index_t>& sizes,
                             const OperatorOptions& options, SubsetKernels kernels,
                             double memory_limit = 1e9) {
    Subsets subsets = random_subsets(Z.rows(), sizes, 3);
    const auto X = rows_on_device(queue, Z);
    return subset_spectra(queue, X, subsets, options, kernels, memory_limit, control);
  }
  SubsetSpectra<T> on_host(const Matrix<T>& Z, const std::vector<index_t>& sizes,
                           const OperatorOptions& options) {
    Subsets subsets = random_subsets(Z.rows(), sizes, 3);
    return eigentropy::subset_spectra(testing::centered(Z), subsets, options,
                                      SubsetKernels::recomputed, 0.0, 2, control);
  }
};
TYPED_TEST_SUITE(DeviceSubsets, testing::Precisions, testing::PrecisionName);

// One alone, equal ones, ones that are filled up, and one too large for a batch.
const std::vector<std::vector<index_t>> ragged{
    {1}, {2, 1}, {5, 5, 5}, {64, 60, 65, 63, 59, 7, 1, 30}, {130, 128, 100, 12, 9, 20, 129}};

TYPED_TEST(DeviceSubsets, SpectraAreThoseOfTheHost) {
  using T = TypeParam;
  const auto Z = testing::clusters<T>(150, 6, 3, 5.0, 4);
  for (const auto& sizes : ragged) {
    for (const SubsetKernels kernels : all_kinds) {
      for (const OperatorOptions& options :
           {OperatorOptions{2.0, 0.5, true}, OperatorOptions{2.0, 0.0, true},
            OperatorOptions{2.0, 1.0, true}, OperatorOptions{2.0, 0.0, false}}) {
        const auto found = this->on_device(Z, sizes, options, kernels);
        EXPECT_EQ(this->control.progress(), 1.0);
        const auto expected = this->on_host(Z, sizes, options);
        const double size = options.normalized ? 1.0 : 130.0;
        EXPECT_TRUE(
            all_near(found.eigenvalues, expected.eigenvalues, by_precision<T>(1e-12, 1e-5) * size));
        EXPECT_TRUE(
            all_near(found.kernel_sums, expected.kernel_sums, by_precision<T>(1e-10, 1e-3) * size));
      }
    }
  }
}

TYPED_TEST(DeviceSubsets, LargeOnesAreSolvedAlone) {
  using T = TypeParam;
  const auto Z = testing::gaussian_rows<T>(520, 3, 4);
  const OperatorOptions options{1.0, 0.5, true};
  const std::vector<index_t> sizes{20, 515, 21};
  for (const SubsetKernels kernels : all_kinds) {
    const auto found = this->on_device(Z, sizes, options, kernels);
    const auto expected = this->on_host(Z, sizes, options);
    EXPECT_TRUE(all_near(found.eigenvalues, expected.eigenvalues, by_precision<T>(1e-12, 1e-5)));
  }
}

// Rows that see no other, and equal ones.
TYPED_TEST(DeviceSubsets, IsolatedAndEqualRowsAreSolved) {
  using T = TypeParam;
  const OperatorOptions options{1.0, 0.5, true};
  for (const auto& Z :
       {with_an_isolated_row<T>(40, 3), duplicates<T>(40, 3), Matrix<T>(40, 3, 1)}) {
    const auto found = this->on_device(Z, {40, 38, 2}, options, SubsetKernels::recomputed);
    const auto expected = this->on_host(Z, {40, 38, 2}, options);
    EXPECT_TRUE(all_near(found.eigenvalues, expected.eigenvalues, by_precision<T>(1e-12, 1e-5)));
  }
}

// So little memory that each is a batch of its own: the same numbers to rounding.
TYPED_TEST(DeviceSubsets, MemoryLimitMakesMoreBatches) {
  using T = TypeParam;
  const auto Z = testing::gaussian_rows<T>(100, 4, 4);
  const std::vector<index_t> sizes{60, 60, 60, 58, 40};
  const OperatorOptions options{1.0, 0.5, true};
  const auto whole = this->on_device(Z, sizes, options, SubsetKernels::recomputed);
  const auto parts = this->on_device(Z, sizes, options, SubsetKernels::recomputed, 1.0);
  EXPECT_TRUE(all_near(parts.eigenvalues, whole.eigenvalues, by_precision<T>(1e-13, 1e-6)));
  EXPECT_TRUE(bitwise_equal(parts.kernel_sums, whole.kernel_sums));
}

TYPED_TEST(DeviceSubsets, SpectraAreTheSameInEveryRun) {
  const auto Z = testing::gaussian_rows<TypeParam>(100, 4, 4);
  const OperatorOptions options{1.0, 0.5, true};
  for (const SubsetKernels kernels : all_kinds) {
    const auto first = this->on_device(Z, {60, 57, 10, 80}, options, kernels);
    const auto second = this->on_device(Z, {60, 57, 10, 80}, options, kernels);
    EXPECT_TRUE(bitwise_equal(first.eigenvalues, second.eigenvalues));
    EXPECT_TRUE(bitwise_equal(first.kernel_sums, second.kernel_sums));
  }
}

TYPED_TEST(DeviceSubsets, EmptyOnesHaveNoEigenvalues) {
  const auto Z = testing::gaussian_rows<TypeParam>(10, 4, 4);
  const auto found = this->on_device(Z, {0, 3, 0}, {1.0, 0.5, true}, SubsetKernels::automatic);
  EXPECT_EQ(found.eigenvalues.size(), 3);
  EXPECT_EQ(found.kernel_sums[0], 0.0);
  EXPECT_EQ(found.kernel_sums[2], 0.0);
}

TYPED_TEST(DeviceSubsets, OperatorBeyondTheNumbersIsAnError) {
  const auto Z = with_an_isolated_row<TypeParam>(65, 3);
  EXPECT_THROW(this->on_device(Z, {65, 3}, {100.0, 400.0, true}, SubsetKernels::recomputed),
               std::invalid_argument);
}

TYPED_TEST(DeviceSubsets, StopWhenTheyAreAskedTo) {
  this->control.cancel();
  const auto Z = testing::gaussian_rows<TypeParam>(10, 4, 4);
  EXPECT_THROW(this->on_device(Z, {5, 3}, {1.0, 0.5, true}, SubsetKernels::automatic), Interrupted);
}

}  // namespace
}  // namespace eigentropy::cuda
