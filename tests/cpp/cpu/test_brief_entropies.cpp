#include "cpu/entropy/brief_entropies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "checkers.hpp"
#include "cpu/entropy/shannon.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/rows/median_distance.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

constexpr int threads = 2;

BriefOptions options_in_float64() {
  BriefOptions options;
  options.share_of_median = 0.35;
  return options;
}

// Of n rows: the rows in order, dealt out to the groups by their shares.
Partitions partitions_of(index_t n, const std::vector<std::vector<index_t>>& orders,
                         const std::vector<index_t>& sizes) {
  const auto count = static_cast<index_t>(orders.size());
  const auto groups = static_cast<index_t>(sizes.size());
  Partitions partitions{{Buffer<index_t>(count * groups + 1), Buffer<index_t>(count * n)},
                        Buffer<double>(groups)};
  index_t at = 0, s = 0;
  for (const auto& order : orders) {
    std::copy(order.begin(), order.end(), partitions.groups.indices.begin() + at);
    for (const index_t size : sizes) {
      partitions.groups.offsets[s++] = at;
      at += size;
    }
  }
  partitions.groups.offsets[s] = at;
  for (index_t y = 0; y < groups; ++y) {
    partitions.shares[y] =
        static_cast<double>(sizes[static_cast<std::size_t>(y)]) / static_cast<double>(n);
  }
  return partitions;
}

Partitions no_partitions() { return {{Buffer<index_t>(), Buffer<index_t>()}, Buffer<double>()}; }

// The entropy of the operator of some rows, step by step.
double nats_of(const Matrix<double>& Z, const OperatorOptions& options, double t) {
  Control control;
  const auto spectrum = diffusion_spectrum<double>(Z.input(), options, threads, control);
  return shannon_nats(spectrum.eigenvalues.data(), spectrum.eigenvalues.size(), t);
}

Matrix<double> chosen(const Matrix<double>& Z, const index_t* rows, index_t count) {
  Matrix<double> picked(count, Z.cols());
  for (index_t i = 0; i < count; ++i) {
    for (index_t j = 0; j < Z.cols(); ++j) picked(i, j) = Z(rows[i], j);
  }
  return picked;
}

TEST(BriefEntropies, AreThoseOfTheRowsAndGivenEachPartition) {
  constexpr index_t n = 60;
  const Matrix<double> Z = clusters<double>(n, 4, 3, 3.0, 7);
  std::vector<index_t> forward(n), backward(n);
  std::iota(forward.begin(), forward.end(), index_t{0});
  std::copy(forward.rbegin(), forward.rend(), backward.begin());
  const std::vector<index_t> sizes{10, 35, 15};
  Partitions partitions = partitions_of(n, {forward, backward}, sizes);
  BriefOptions options = options_in_float64();
  options.t = 2.0;
  options.alpha = 0.7;
  options.unit = std::log(2.0);

  Control control;
  const auto found = brief_entropies(Z.input(), partitions, options, threads, control);
  ASSERT_TRUE(found.has_value());
  const auto X = centered<double>(Z);
  const double sigma = 0.35 * X.scale * median_distance(X, threads, control);
  EXPECT_TRUE(near(found->sigma, sigma, 1e-12));
  const OperatorOptions kernel{found->sigma, options.alpha, true};
  EXPECT_TRUE(near(found->entropy, nats_of(Z, kernel, 2.0) / options.unit, 1e-10));
  ASSERT_EQ(found->given_partition.size(), 2U);
  for (std::size_t b = 0; b < 2; ++b) {
    const index_t* rows = (b == 0 ? forward : backward).data();
    double expected = 0.0;
    for (const index_t size : sizes) {
      const double share = static_cast<double>(size) / static_cast<double>(n);
      expected += share * nats_of(chosen(Z, rows, size), kernel, 2.0) / options.unit;
      rows += size;
    }
    EXPECT_TRUE(near(found->given_partition[b], expected, 1e-10)) << "partition " << b;
  }
  double sum = 0.0, sum_of_last = 0.0;
  const auto entry = [&](index_t i, index_t j) {
    return std::exp(-0.5 * exact_squared_distance(Z, i, j) / (found->sigma * found->sigma));
  };
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < n; ++j) sum += entry(i, j);
  }
  index_t first = 0;
  for (const index_t size : sizes) {
    for (index_t i = first; i < first + size; ++i) {
      for (index_t j = first; j < first + size; ++j) {
        sum_of_last += entry(n - 1 - i, n - 1 - j);
      }
    }
    first += size;
  }
  EXPECT_TRUE(near(found->kernel_sum, sum, 1e-10));
  EXPECT_TRUE(near(found->kernel_sum_of_last, sum_of_last, 1e-10));
}

TEST(BriefEntropies, AreFoundInFloat32OnlyWhereThatIsAskedForAndTheBoundMeetsTheTolerance) {
  const Matrix<float> Z = gaussian_rows<float>(300, 3, 5);
  const auto entropy = [&](double tol, double reach_for_single, bool keeps_distances) {
    BriefOptions options = options_in_float64();
    options.tol = tol;
    options.reach_for_single = reach_for_single;
    options.keeps_distances = keeps_distances;
    Partitions none = no_partitions();
    Control control;
    return brief_entropies(Z.input(), none, options, threads, control)->entropy;
  };
  constexpr double any = std::numeric_limits<double>::infinity();
  for (const bool keeps_distances : {false, true}) {
    const double exact = entropy(0.0, 0.0, keeps_distances);
    const double single = entropy(1e-2, any, keeps_distances);
    EXPECT_NE(single, exact);
    EXPECT_TRUE(near(single, exact, 1e-2 * exact));
    EXPECT_EQ(entropy(1e-12, any, keeps_distances), exact);
    EXPECT_EQ(entropy(1e-2, 1.0, keeps_distances), exact);  // rows are further away than sigma
  }
}

TEST(BriefEntropies, OfEqualRowsAreZero) {
  const Matrix<double> Z(20, 3, 1.5);
  std::vector<index_t> order(20);
  std::iota(order.begin(), order.end(), index_t{0});
  Partitions partitions = partitions_of(20, {order}, {5, 15});
  Control control;
  const auto found = brief_entropies(Z.input(), partitions, options_in_float64(), threads, control);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->sigma, 1.0);
  EXPECT_TRUE(near(found->entropy, 0.0, 1e-12));
  EXPECT_TRUE(near(found->given_partition[0], 0.0, 1e-12));
}

TEST(BriefEntropies, AreNotFoundOfRowsThatAreNotFiniteOrOfAWidthThatIsTooSmall) {
  Matrix<double> Z = gaussian_rows<double>(30, 2, 1);
  Partitions none = no_partitions();
  Control control;
  BriefOptions options = options_in_float64();
  options.narrowest = 1e3;
  EXPECT_FALSE(brief_entropies(Z.input(), none, options, threads, control).has_value());
  options.narrowest = 0.0;
  EXPECT_TRUE(brief_entropies(Z.input(), none, options, threads, control).has_value());
  Z(29, 1) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(brief_entropies(Z.input(), none, options, threads, control).has_value());
}

}  // namespace
}  // namespace eigentropy::testing
