#include "base/solve_checked.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/operator/diffusion.hpp"

namespace eigentropy::testing {
namespace {

int never() {
  ADD_FAILURE() << "the second solver is called";
  return 0;
}

TEST(SolveChecked, IsTheFirstSolversResultWithoutTheSecond) {
  EXPECT_EQ(solve_checked([] { return 1; }, never), 1);
}

TEST(SolveChecked, IsTheSecondSolversResultIfTheFirstFails) {
  const auto fails = []() -> int { throw SolverError("the first"); };
  EXPECT_EQ(solve_checked(fails, [] { return 2; }), 2);
}

// As diffusion_spectrum does it, with spectra of the 2 x 2 identity.
std::vector<double> checked(std::vector<double> w) {
  check_spectrum(w.data(), 2, {1.0, 0.5, true}, 2.0, 2.0);
  return w;
}

TEST(SolveChecked, ASpectrumThatFailsItsCheckLeadsToTheSecondSolver) {
  const std::vector<double> right{1.0, 1.0};
  for (const std::vector<double>& wrong :
       {std::vector<double>{0.5, 1.0}, {0.0, 2.0}, {1.0, std::nan("")}}) {
    EXPECT_EQ(solve_checked([&] { return checked(wrong); }, [&] { return checked(right); }), right);
    EXPECT_THROW(solve_checked([&] { return checked(wrong); }, [&] { return checked(wrong); }),
                 SolverError);
  }
}

TEST(SolveChecked, BothReasonsAreInTheErrorIfBothFail) {
  try {
    solve_checked([]() -> int { throw SolverError("no convergence"); },
                  []() -> int { throw SolverError("wrong trace"); });
    FAIL() << "no error";
  } catch (const SolverError& error) {
    EXPECT_STREQ(error.what(), "no convergence; another solver failed, too: wrong trace");
  }
}

TEST(SolveCheckedBy, TriesOneDriverAfterTheOther) {
  std::vector<int> tried;
  const auto solve = [&](int driver) {
    tried.push_back(driver);
    if (driver < 3) throw SolverError("reason " + std::to_string(driver));
    return driver;
  };
  EXPECT_EQ(solve_checked_by(std::vector<int>{1, 2, 3, 4}, solve), 3);
  EXPECT_EQ(tried, (std::vector<int>{1, 2, 3}));
  try {
    solve_checked_by(std::vector<int>{0, 1, 2}, solve);
    FAIL() << "no error";
  } catch (const SolverError& error) {
    EXPECT_STREQ(error.what(),
                 "reason 0; another solver failed, too: reason 1; another solver failed, too: "
                 "reason 2");
  }
  const auto stops = [](int) -> int { throw Interrupted(); };
  EXPECT_THROW(solve_checked_by(std::vector<int>{1, 2}, stops), Interrupted);
}

// Another solver would not help.
TEST(SolveChecked, OtherErrorsOfTheFirstSolverPass) {
  EXPECT_THROW(solve_checked([]() -> int { throw Interrupted(); }, never), Interrupted);
  EXPECT_THROW(solve_checked([]() -> int { throw std::bad_alloc(); }, never), std::bad_alloc);
  EXPECT_THROW(solve_checked([]() -> int { throw std::invalid_argument("NaN"); }, never),
               std::invalid_argument);
  EXPECT_THROW(solve_checked([]() -> int { throw std::logic_error("ours"); }, never),
               std::logic_error);
}

}  // namespace
}  // namespace eigentropy::testing
