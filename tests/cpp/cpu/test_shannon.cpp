#include "cpu/entropy/shannon.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class ShannonEntropy : public ::testing::Test {};
TYPED_TEST_SUITE(ShannonEntropy, Precisions, PrecisionName);

template <class T>
double nats(const std::vector<T>& w, double t) {
  return shannon_nats(w.data(), static_cast<index_t>(w.size()), t);
}

TYPED_TEST(ShannonEntropy, IsTheLogarithmOfHowManyEqualOnesThereAre) {
  for (const int n : {1, 2, 127, 128, 1000}) {
    const std::vector<TypeParam> w(static_cast<std::size_t>(n), TypeParam(-0.3));
    for (const double t : {0.01, 1.0, 5.0, 1e6}) {
      EXPECT_TRUE(near(nats(w, t), std::log(n), 1e-12)) << n << " at t = " << t;
    }
  }
}

// w_k = r^k, k >= 0:  p_k = (1 - q) q^k,  q = r^t,  S = -log(1 - q) - q log q / (1 - q)
TYPED_TEST(ShannonEntropy, OfAGeometricSequenceIsThatOfItsDistribution) {
  constexpr double r = 0.5;
  std::vector<TypeParam> w;
  for (int k = 0; k < 100; ++k) w.push_back(static_cast<TypeParam>(std::pow(r, k)));
  for (const double t : {1.0, 2.0, 7.0}) {
    const double q = std::pow(r, t);
    const double expected = -std::log(1.0 - q) - q * std::log(q) / (1.0 - q);
    EXPECT_TRUE(near(nats(w, t), expected, by_precision<TypeParam>(1e-12, 2e-5))) << t;
  }
}

TYPED_TEST(ShannonEntropy, OfWhatIsNoNumberIsNone) {
  const auto nan = std::numeric_limits<TypeParam>::quiet_NaN();
  for (const std::vector<TypeParam>& w : {std::vector<TypeParam>{nan, 1, 1}, {1, nan}, {nan}}) {
    EXPECT_TRUE(std::isnan(nats(w, 1.0)));
    EXPECT_TRUE(std::isnan(nats(w, 2.0)));
  }
}

TYPED_TEST(ShannonEntropy, LeavesOutNoiseWhateverTheUnit) {
  constexpr auto eps = epsilon<TypeParam>;
  for (const double unit : {1e-30, 1.0, 1e30}) {
    const auto scaled = [&](double x) { return static_cast<TypeParam>(unit * x); };
    const std::vector<TypeParam> noisy{scaled(1.0), scaled(1.0), scaled(9.0 * eps), TypeParam(0)};
    EXPECT_TRUE(near(nats(noisy, 0.01), std::log(2.0), 1e-9));
    const std::vector<TypeParam> above{scaled(1.0), scaled(1.0), scaled(12.0 * eps)};
    EXPECT_GT(nats(above, 0.01), std::log(2.5));
  }
}

TEST(EigenvaluesInTheirRange, AreBroughtToItsEndsAndTheFarthestIsTold) {
  std::vector<double> w{1.5, 0.5, -0.25};
  EXPECT_EQ(clip_to_unit(w.data(), 3), 0.5);
  EXPECT_EQ(w, (std::vector<double>{1.0, 0.5, 0.0}));
  w = {1.0, 0.5, -0.25};
  EXPECT_EQ(clip_to_unit(w.data(), 3), 0.25);
  EXPECT_EQ(clip_to_unit(w.data(), 3), 0.0);
}

}  // namespace
}  // namespace eigentropy::testing
