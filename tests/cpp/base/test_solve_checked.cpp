#include "base/solve_checked.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <new>
#include <stdexcept>
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
    EXPECT_STREQ(error.what(), "no convergence; a second solver failed, too: wrong trace");
  }
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
