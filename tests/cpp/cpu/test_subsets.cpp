#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>

#include "base/subsets.hpp"
#include "checkers.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class SubsetsSpectra : public ::testing::Test {};
TYPED_TEST_SUITE(SubsetsSpectra, Precisions, PrecisionName);

using Groups = std::vector<std::vector<index_t>>;

Subsets as_subsets(const Groups& groups) {
  std::size_t total = 0;
  for (const auto& group : groups) total += group.size();
  Subsets subsets{Buffer<index_t>(static_cast<index_t>(groups.size()) + 1),
                  Buffer<index_t>(static_cast<index_t>(total))};
  index_t at = 0, s = 0;
  for (const auto& group : groups) {
    subsets.offsets[s++] = at;
    for (const index_t index : group) subsets.indices[at++] = index;
  }
  subsets.offsets[s] = at;
  return subsets;
}

// Random subsets of [0, n) of the given sizes, in no order; they overlap.
Groups random_groups(index_t n, const std::vector<index_t>& group_sizes) {
  std::mt19937_64 generator(3);
  std::vector<index_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), index_t{0});
  Groups groups;
  for (const index_t size : group_sizes) {
    std::shuffle(all.begin(), all.end(), generator);
    groups.emplace_back(all.begin(), all.begin() + size);
  }
  return groups;
}

template <class T>
SubsetSpectra<T> solve(const CenteredRows<T>& X, const Groups& groups, SubsetKernels kernels,
                       const OperatorOptions& options, int threads = 2, double memory = 1e9) {
  Subsets subsets = as_subsets(groups);
  Control control;
  return subset_spectra(X, subsets, options, kernels, memory, threads, control);
}

// Each group by itself, through the path of a whole matrix.
template <class T>
SubsetSpectra<T> solve_one_by_one(const CenteredRows<T>& X, const Groups& groups,
                                  const OperatorOptions& options) {
  const Subsets subsets = as_subsets(groups);
  SubsetSpectra<T> out(subsets);
  for (index_t s = 0; s < subsets.count(); ++s) {
    Control control;
    const auto rows = select_rows(X, subsets.begin(s), subsets.size(s));
    const auto spectrum = diffusion_spectrum(rows, options, 2, control);
    std::copy(spectrum.eigenvalues.begin(), spectrum.eigenvalues.end(),
              out.eigenvalues.begin() + subsets.offsets[s]);
    out.kernel_sums[s] = spectrum.kernel_sum;
    out.traces[s] = spectrum.trace;
  }
  return out;
}

template <class T>
void expect_same(const SubsetSpectra<T>& actual, const SubsetSpectra<T>& expected) {
  EXPECT_TRUE(all_near(actual.eigenvalues, expected.eigenvalues, by_precision<T>(2e-12, 5e-5)));
  ASSERT_EQ(actual.kernel_sums.size(), expected.kernel_sums.size());
  for (index_t s = 0; s < expected.kernel_sums.size(); ++s) {
    const double sum = expected.kernel_sums[s];
    EXPECT_TRUE(near(actual.kernel_sums[s], sum, by_precision<T>(1e-12, 1e-5) * sum));
    const double trace = expected.traces[s];
    EXPECT_TRUE(near(actual.traces[s], trace, by_precision<T>(1e-12, 1e-5) * trace));
  }
}

template <class T>
CenteredRows<T> sample(index_t n) {
  return centered(clusters<T>(n, 4, 3, 5.0, 1));
}

const std::vector<index_t> group_sizes{1, 2, 3, 61, 255, 256, 257, 300, 1};

TYPED_TEST(SubsetsSpectra, AreTheSameSharedRecomputedAndOneByOne) {
  const auto X = sample<TypeParam>(300);
  const auto groups = random_groups(300, group_sizes);
  for (const OperatorOptions options :
       {OperatorOptions{1.2, 0.5, true}, OperatorOptions{1.2, 0.0, true},
        OperatorOptions{1.2, 1.0, true}, OperatorOptions{1.2, 0.5, false}}) {
    const auto expected = solve_one_by_one(X, groups, options);
    for (const auto kernels :
         {SubsetKernels::shared, SubsetKernels::recomputed, SubsetKernels::automatic}) {
      expect_same(solve(X, groups, kernels, options), expected);
    }
  }
}

// Groups of like sizes are solved side by side; with them some that are much larger or smaller.
TYPED_TEST(SubsetsSpectra, OfManyGroupsAreTheSameSharedRecomputedAndOneByOne) {
  const auto X = sample<TypeParam>(300);
  std::vector<index_t> many{300, 240, 1, 1, 2};
  for (index_t i = 0; i < 75; ++i) many.push_back(20 + (7 * i) % 61);
  const auto groups = random_groups(300, many);
  for (const OperatorOptions options :
       {OperatorOptions{1.2, 0.5, true}, OperatorOptions{1.2, 0.0, true},
        OperatorOptions{1.2, 1.0, true}, OperatorOptions{1.2, 0.3, true},
        OperatorOptions{1.2, 0.5, false}}) {
    const auto expected = solve_one_by_one(X, groups, options);
    for (const auto kernels : {SubsetKernels::shared, SubsetKernels::recomputed}) {
      const auto spectra = solve(X, groups, kernels, options);
      expect_same(spectra, expected);
      for (const int threads : {1, 7}) {
        const auto again = solve(X, groups, kernels, options, threads);
        EXPECT_TRUE(bitwise_equal(again.eigenvalues, spectra.eigenvalues));
        EXPECT_TRUE(bitwise_equal(again.kernel_sums, spectra.kernel_sums));
        EXPECT_TRUE(bitwise_equal(again.traces, spectra.traces));
      }
    }
  }
}

TYPED_TEST(SubsetsSpectra, OfManyGroupsOfFarRowsAreOnes) {
  const auto X = centered(clusters<TypeParam>(64, 2, 64, 1e5, 1));
  const auto groups = random_groups(64, std::vector<index_t>(33, 30));
  const auto spectra = solve(X, groups, SubsetKernels::shared, {1.0, 1.0, true});
  EXPECT_TRUE(
      all_near(spectra.eigenvalues, std::vector<double>(33 * 30, 1.0), 20.0 * epsilon<TypeParam>));
}

TYPED_TEST(SubsetsSpectra, OfAWideCloudAreTheSameSharedAndRecomputed) {
  const auto X = centered(clusters<TypeParam>(120, 3, 2, by_precision<TypeParam>(1e6, 1e3), 1));
  const auto groups = random_groups(120, {40, 41, 1, 40, 41, 30});  // enough for lanes
  const OperatorOptions options{1.0, 0.5, true};
  expect_same(solve(X, groups, SubsetKernels::shared, options),
              solve(X, groups, SubsetKernels::recomputed, options));
}

TYPED_TEST(SubsetsSpectra, AreTheSameWithoutMemoryForASharedKernel) {
  const auto X = sample<TypeParam>(300);
  const auto groups = random_groups(300, std::vector<index_t>(40, 150));
  const OperatorOptions options{1.2, 0.5, true};
  const auto without = solve(X, groups, SubsetKernels::automatic, options, 2, 0.0);
  EXPECT_TRUE(bitwise_equal(without.eigenvalues,
                            solve(X, groups, SubsetKernels::recomputed, options).eigenvalues));
}

// Long rows: read again for each subset, or once for a shared kernel.
TYPED_TEST(SubsetsSpectra, OfLongRowsAreTheSameSharedRecomputedAndOneByOne) {
  using T = TypeParam;
  const auto Z = clusters<T>(300, 101, 3, 20.0, 1);
  auto X = center_rows<T, T>(Z.input(), 2);
  const auto groups = random_groups(300, group_sizes);
  const OperatorOptions options{8.0, 0.5, true};
  const auto expected = solve_one_by_one(X, groups, options);
  X.block_columns = 32;
  for (const auto kernels :
       {SubsetKernels::shared, SubsetKernels::recomputed, SubsetKernels::automatic}) {
    expect_same(solve(X, groups, kernels, options), expected);
  }
}

// An interrupted caller may leave, and take its memory along, whenever a call is detachable.
TEST(SubsetsSpectraOfDoubles, AreNotDetachableWhileTheyReadTheCallersRows) {
  const auto Z = gaussian_rows<double>(400, 101, 1);
  const auto groups = random_groups(400, std::vector<index_t>(20, 200));
  for (const index_t block_columns : {101, 32}) {
    auto X = center_rows<double, double>(Z.input(), 2);
    X.block_columns = block_columns;
    Subsets subsets = as_subsets(groups);
    Control control;
    std::atomic<bool> done{false}, detachable{false};
    std::thread watcher([&] {
      while (!done) {
        if (control.detachable()) detachable = true;
      }
    });
    subset_spectra(X, subsets, {8.0, 0.5, true}, SubsetKernels::recomputed, 0.0, 1, control);
    done = true;
    watcher.join();
    EXPECT_EQ(detachable, X.fit_one_block());  // short rows have been copied
  }
}

TYPED_TEST(SubsetsSpectra, DoNotDependOnTheNumberOfThreads) {
  const auto X = sample<TypeParam>(300);
  const auto groups = random_groups(300, group_sizes);
  const OperatorOptions options{1.2, 0.5, true};
  for (const auto kernels : {SubsetKernels::shared, SubsetKernels::recomputed}) {
    const auto one = solve(X, groups, kernels, options, 1);
    for (const int threads : {2, 5, 50}) {
      const auto many = solve(X, groups, kernels, options, threads);
      EXPECT_TRUE(bitwise_equal(many.eigenvalues, one.eigenvalues));
      EXPECT_TRUE(bitwise_equal(many.kernel_sums, one.kernel_sums));
    }
  }
}

TYPED_TEST(SubsetsSpectra, OfOneRowIsOne) {
  const auto X = sample<TypeParam>(10);
  for (const auto kernels : {SubsetKernels::shared, SubsetKernels::recomputed}) {
    const auto spectra = solve(X, {{7}, {0}}, kernels, {1.2, 0.5, true});
    EXPECT_TRUE(
        all_near(spectra.eigenvalues, std::vector<double>{1.0, 1.0}, 2.0 * epsilon<TypeParam>));
    EXPECT_TRUE(all_near(spectra.kernel_sums, std::vector<double>{1.0, 1.0}, 0.0));
  }
}

TYPED_TEST(SubsetsSpectra, OfDuplicatedRowsIsOneAndZeros) {
  const Matrix<TypeParam> Z(20, 3, TypeParam(4));
  const auto X = center_rows<TypeParam, TypeParam>(Z.input(), 2);
  for (const auto kernels : {SubsetKernels::shared, SubsetKernels::recomputed}) {
    const auto spectra = solve(X, {{3, 1, 2}, {5, 9}}, kernels, {1.2, 0.5, true});
    EXPECT_TRUE(all_near(spectra.eigenvalues, std::vector<double>{1.0, 0.0, 0.0, 1.0, 0.0},
                         20.0 * epsilon<TypeParam>));
  }
}

TYPED_TEST(SubsetsSpectra, SortTheIndicesOfEachGroupAndNothingElse) {
  const auto X = sample<TypeParam>(10);
  Subsets subsets = as_subsets({{7, 2, 5}, {9, 0}});
  Control control;
  subset_spectra(X, subsets, {1.2, 0.5, true}, SubsetKernels::shared, 0.0, 1, control);
  EXPECT_EQ(std::vector<index_t>(subsets.indices.begin(), subsets.indices.end()),
            (std::vector<index_t>{2, 5, 7, 0, 9}));
}

// Above 1500 rows a group is solved by all threads together, by another path; below, one to a
// thread.
TEST(SubsetsSpectraOfDoubles, OfALargeGroupAmongSmallOnesAreRight) {
  const auto X = sample<double>(1600);
  const auto groups = random_groups(1600, {20, 1501, 1});
  for (const OperatorOptions options :
       {OperatorOptions{1.2, 0.5, true}, OperatorOptions{1.2, 0.5, false}}) {
    const auto expected = solve_one_by_one(X, groups, options);
    for (const auto kernels :
         {SubsetKernels::shared, SubsetKernels::recomputed, SubsetKernels::automatic}) {
      expect_same(solve(X, groups, kernels, options), expected);
    }
  }
}
}  // namespace
}  // namespace eigentropy::testing
