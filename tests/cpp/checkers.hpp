// How results are compared. Every checker rejects NaN: it asks `error <= tolerance` and takes
// anything but "true" for a failure. test_checkers.cpp tests that they do reject.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/views.hpp"

namespace eigentropy::testing {

template <class T>
constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

// double for double, single for float: a bound that depends on the precision.
template <class T>
constexpr double by_precision(double for_double, double for_float) {
  return sizeof(T) == sizeof(double) ? for_double : for_float;
}

// |actual - expected| <= tolerance
inline ::testing::AssertionResult near(double actual, double expected, double tolerance) {
  const double error = std::abs(actual - expected);
  if (error <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << actual << " is not " << expected << ": off by " << error << ", allowed " << tolerance;
}

// |actual_i - expected_i| <= tolerance for all i, and there is at least one.
template <class Actual, class Expected>
::testing::AssertionResult all_near(const Actual& actual, const Expected& expected,
                                    double tolerance) {
  const auto size = static_cast<std::size_t>(actual.end() - actual.begin());
  const auto wanted = static_cast<std::size_t>(expected.end() - expected.begin());
  if (size != wanted || size == 0) {
    return ::testing::AssertionFailure() << size << " values, expected " << wanted << " (not 0)";
  }
  for (std::size_t i = 0; i < size; ++i) {
    const auto result = near(static_cast<double>(actual.begin()[i]),
                             static_cast<double>(expected.begin()[i]), tolerance);
    if (!result) return ::testing::AssertionFailure() << "at " << i << ": " << result.message();
  }
  return ::testing::AssertionSuccess();
}

// The same bytes, so that 0 is not -0, and NaN is refused.
template <class Actual, class Expected>
::testing::AssertionResult bitwise_equal(const Actual& actual, const Expected& expected) {
  const auto size = static_cast<std::size_t>(actual.end() - actual.begin());
  const auto wanted = static_cast<std::size_t>(expected.end() - expected.begin());
  if (size != wanted || size == 0) {
    return ::testing::AssertionFailure() << size << " values, expected " << wanted << " (not 0)";
  }
  for (std::size_t i = 0; i < size; ++i) {
    const auto& a = actual.begin()[i];
    const auto& b = expected.begin()[i];
    static_assert(sizeof a == sizeof b, "compare values of one type");
    if (std::memcmp(&a, &b, sizeof a) != 0 || a != b) {
      return ::testing::AssertionFailure() << "at " << i << ": " << a << " is not " << b;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace eigentropy::testing
