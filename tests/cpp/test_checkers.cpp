#include "checkers.hpp"

#include <vector>

namespace eigentropy::testing {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();
using Values = std::vector<double>;

TEST(Checkers, NearAcceptsWhatIsWithinTheTolerance) {
  EXPECT_TRUE(near(1.0, 1.0, 0.0));
  EXPECT_TRUE(near(1.0, 1.25, 0.25));
}

TEST(Checkers, NearRejectsWhatIsOutsideTheTolerance) {
  EXPECT_FALSE(near(1.0, 1.26, 0.25));
  EXPECT_FALSE(near(-1.0, 1.0, 0.25));
}

TEST(Checkers, NearRejectsNaNOnEitherSideAndAsTolerance) {
  EXPECT_FALSE(near(nan, 1.0, 1.0));
  EXPECT_FALSE(near(1.0, nan, 1.0));
  EXPECT_FALSE(near(nan, nan, infinity));
  EXPECT_FALSE(near(1.0, 1.0, nan));
}

TEST(Checkers, NearRejectsInfinity) {
  EXPECT_FALSE(near(infinity, 1.0, 1e300));
  EXPECT_FALSE(near(infinity, infinity, 1.0));
}

TEST(Checkers, AllNearRejectsOneWrongOrNaNValueWhereverItIs) {
  const Values right{1.0, 2.0, 3.0};
  EXPECT_TRUE(all_near(right, right, 0.0));
  for (std::size_t i = 0; i < right.size(); ++i) {
    for (const double wrong : {right[i] + 1.0, nan}) {
      Values changed = right;
      changed[i] = wrong;
      EXPECT_FALSE(all_near(changed, right, 0.5));
      EXPECT_FALSE(all_near(right, changed, 0.5));
    }
  }
}

TEST(Checkers, SequencesOfAnotherLengthAndEmptyOnesAreRejected) {
  EXPECT_FALSE(all_near(Values{1.0}, Values{1.0, 1.0}, 1.0));
  EXPECT_FALSE(all_near(Values{}, Values{}, 1.0));
  EXPECT_FALSE(bitwise_equal(Values{1.0}, Values{1.0, 1.0}));
  EXPECT_FALSE(bitwise_equal(Values{}, Values{}));
}

TEST(Checkers, BitwiseEqualRejectsTheNextNumberTheOtherZeroAndNaN) {
  EXPECT_TRUE(bitwise_equal(Values{1.0, 0.0}, Values{1.0, 0.0}));
  EXPECT_FALSE(bitwise_equal(Values{1.0}, Values{std::nextafter(1.0, 2.0)}));
  EXPECT_FALSE(bitwise_equal(Values{0.0}, Values{-0.0}));
  EXPECT_FALSE(bitwise_equal(Values{nan}, Values{nan}));
}

}  // namespace
}  // namespace eigentropy::testing
