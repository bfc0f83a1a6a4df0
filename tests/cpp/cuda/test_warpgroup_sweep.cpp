// The products of warpgroups against sums in float64 of the same rows.
#include "cuda/kernel/warpgroup_sweep.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "checkers.hpp"
#include "cuda/kernel/gaussian_sweep.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::bitwise_equal;
using testing::gaussian_rows;

// Student's t with three degrees of freedom: a few rows are far from the others.
Matrix<float> t3_rows(index_t n, index_t d, unsigned seed) {
  Matrix<float> Z = gaussian_rows<float>(n, d, seed);
  std::mt19937 random(seed + 1);
  std::chi_squared_distribution<double> chi2(3.0);
  for (index_t i = 0; i < n; ++i) {
    const double factor = std::sqrt(3.0 / chi2(random));
    for (index_t k = 0; k < d; ++k) Z(i, k) = static_cast<float>(factor * Z(i, k));
  }
  return Z;
}

struct Sweep {
  Matrix<float> Z;
  double sigma;
  index_t m;
  Entries entries = Entries::plain;
};

std::vector<double> factors_of(index_t n) {
  std::vector<double> factors(static_cast<std::size_t>(n));
  for (index_t i = 0; i < n; ++i) factors[i] = 1.0 + 0.5 * std::sin(static_cast<double>(i));
  return factors;
}

class WarpgroupSweep : public ::testing::Test {
 protected:
  void SetUp() override {
    const Queue queue(0, nullptr);
    if (!has_warpgroups(queue)) GTEST_SKIP() << "compute capability 9.0 alone has warpgroups";
    sweep_override().path = Path::warpgroups;
    sweep_override().blocks = 1;  // that take all tiles of a row
  }
  void TearDown() override { sweep_override() = {}; }

  static Matrix<float> product(const Sweep& sweep) {
    const Queue queue(0, nullptr);
    const index_t n = sweep.Z.rows(), m = sweep.m;
    const auto X = pack_rows(queue, rows_on_device(queue, sweep.Z), sweep.sigma);
    EXPECT_EQ(X.path, Path::warpgroups);
    const auto V = gaussian_rows<float>(n, m, 9);
    const auto v = to_device(queue, V.data(), n * m);
    const auto factors = to_device(queue, factors_of(n).data(), n);
    const DeviceBuffer<float> out(queue, n * m);
    Control control;
    Stage stage(control, 0.0, 1.0, sweep_launches(queue, X, m));
    gaussian_sweep(queue, X, sweep.entries, factors.data(), v.data(), m, out.data(), stage);
    EXPECT_EQ(control.progress(), 1.0);
    const auto values = to_host(queue, out.data(), n * m);
    Matrix<float> result(n, m);
    std::copy(values.begin(), values.end(), result.data());
    return result;
  }

  // Relative to what the sum would be without cancellation.
  static double largest_error(const Sweep& sweep) {
    const auto actual = product(sweep);
    const index_t n = sweep.Z.rows(), m = sweep.m;
    const auto V = gaussian_rows<float>(n, m, 9);
    const auto factors = factors_of(n);
    const double power = sweep.entries == Entries::squared ? 2.0 : 1.0;
    double largest = 0.0;
    for (index_t i = 0; i < n; ++i) {
      std::vector<double> sums(static_cast<std::size_t>(m), 0.0), sizes(sums);
      for (index_t j = 0; j < n; ++j) {
        double r2 = 0.0;
        for (index_t k = 0; k < sweep.Z.cols(); ++k) {
          const double difference =
              static_cast<double>(sweep.Z(i, k)) - static_cast<double>(sweep.Z(j, k));
          r2 += difference * difference;
        }
        const double g = std::exp(-0.5 * power * r2 / (sweep.sigma * sweep.sigma)) * factors[j];
        for (index_t c = 0; c < m; ++c) {
          sums[c] += g * static_cast<double>(V(j, c));
          sizes[c] += g * std::abs(static_cast<double>(V(j, c)));
        }
      }
      for (index_t c = 0; c < m; ++c) {
        const double error = static_cast<double>(actual(i, c)) / factors[i] - sums[c];
        largest = std::max(largest, std::abs(error) / sizes[c]);
      }
    }
    return largest;
  }
};

double root(index_t d) { return std::sqrt(static_cast<double>(d)); }

TEST_F(WarpgroupSweep, IsTheSumInFloat64ForGaussianRows) {
  for (const index_t d : {16, 17, 128, 784}) {
    SCOPED_TRACE(d);
    EXPECT_LT(largest_error({gaussian_rows<float>(200, d, 1), root(d), 16}), 1e-6);
  }
}

TEST_F(WarpgroupSweep, IsTheSumInFloat64ForRowsOfStudentsT) {
  for (const index_t d : {16, 17, 128, 784}) {
    SCOPED_TRACE(d);
    EXPECT_LT(largest_error({t3_rows(200, d, 1), root(d), 16}), 1e-5);
  }
}

TEST_F(WarpgroupSweep, TakesEveryNumberOfVectors) {
  for (const index_t m : {1, 16, 32, 48, 64, 80, 81}) {
    SCOPED_TRACE(m);
    EXPECT_LT(largest_error({gaussian_rows<float>(130, 5, 2), 2.0, m}), 1e-6);
  }
}

TEST_F(WarpgroupSweep, TakesEveryNumberOfRows) {
  for (const index_t n : {1, 63, 64, 65, 128, 129}) {
    SCOPED_TRACE(n);
    EXPECT_LT(largest_error({gaussian_rows<float>(n, 6, 3), 2.0, 16}), 1e-6);
  }
}

// Rows stay in shared memory up to 256 entries; sums of the cores end after 128.
TEST_F(WarpgroupSweep, TakesRowsOfEveryLength) {
  for (const index_t d : {1, 65, 129, 256, 385}) {
    SCOPED_TRACE(d);
    EXPECT_LT(largest_error({gaussian_rows<float>(130, d, 4), root(d), 80}), 1e-6);
  }
}

TEST_F(WarpgroupSweep, SquaresEntries) {
  EXPECT_LT(largest_error({gaussian_rows<float>(200, 20, 5), 4.0, 16, Entries::squared}), 2e-6);
}

TEST_F(WarpgroupSweep, LeavesTilesWithLargeNormsToDifferences) {
  Matrix<float> Z = gaussian_rows<float>(400, 3, 6);
  for (index_t i = 130; i < 140; ++i) Z(i, 0) += i % 2 == 0 ? 1000.0F : -1000.0F;
  EXPECT_LT(largest_error({Z, 1.0, 16}), 2e-5);
}

// More tiles than are summed in float32.
TEST_F(WarpgroupSweep, MovesSumsToFloat64) {
  EXPECT_LT(largest_error({gaussian_rows<float>(17 * 128 + 1, 2, 7), 1.0, 1}), 1e-6);
}

TEST_F(WarpgroupSweep, IsTheSameHoweverManyRowsALaunchHas) {
  const Sweep sweep{gaussian_rows<float>(300, 20, 8), 4.0, 16};
  const auto expected = product(sweep);
  sweep_override().flops_of_launch = 1.0;  // one row of tiles
  EXPECT_TRUE(bitwise_equal(product(sweep), expected));
}

TEST_F(WarpgroupSweep, AddsThePartsOfARowOfTiles) {
  sweep_override().blocks = 100;
  EXPECT_LT(largest_error({gaussian_rows<float>(400, 20, 8), 4.0, 16}), 1e-6);
}

TEST_F(WarpgroupSweep, IsTheSameWithAndWithoutTurns) {
  for (const index_t d : {20, 150, 600}) {
    const Sweep sweep{gaussian_rows<float>(300, d, 8), root(d), 16};
    sweep_override().turns = true;
    const auto expected = product(sweep);
    sweep_override().turns = false;
    EXPECT_TRUE(bitwise_equal(product(sweep), expected));
  }
}

#ifdef EIGENTROPY_CUDA_EMULATED
// A wait that the kernel lacks shows in one of them.
TEST_F(WarpgroupSweep, IsTheSameForEveryPaceAndOrderOfThreads) {
  for (const index_t d : {100, 260}) {
    const Sweep sweep{gaussian_rows<float>(300, d, 8), root(d), 16};
    const auto expected = product(sweep);
    emulated::set_pace(emulated::Pace::slow_products);
    EXPECT_TRUE(bitwise_equal(product(sweep), expected));
    emulated::set_order(emulated::Order::descending);
    EXPECT_TRUE(bitwise_equal(product(sweep), expected));
    emulated::set_pace(emulated::Pace::slow_copies);
    EXPECT_TRUE(bitwise_equal(product(sweep), expected));
    emulated::set_order(emulated::Order::ascending);
  }
}

TEST(WarpgroupPath, IsRefusedWhereTheDeviceHasNone) {
  const Queue queue(0, nullptr);
  const auto X = rows_on_device(queue, gaussian_rows<float>(10, 2, 1));
  sweep_override().path = Path::warpgroups;
  for (const auto& [major, minor] : {std::pair{8, 0}, {8, 6}, {10, 0}, {12, 0}}) {
    emulated::set_compute_capability(major, minor);
    EXPECT_FALSE(has_warpgroups(queue));
    EXPECT_THROW(pack_rows(queue, X, 1.0), DeviceError);
  }
  emulated::set_compute_capability(9, 0);
  EXPECT_TRUE(has_warpgroups(queue));
  sweep_override() = {};
  EXPECT_NE(pack_rows(queue, X, 1.0).path, Path::warpgroups);  // until a GPU has run them
}
#endif

}  // namespace
}  // namespace eigentropy::cuda
