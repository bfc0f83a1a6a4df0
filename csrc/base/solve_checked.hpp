// A solver, and another one for when it fails.
#pragma once

#include <string>

#include "base/errors.hpp"

namespace eigentropy {

constexpr const char* another_failed = "; another solver failed, too: ";

// Returns solve(), or solve_otherwise() if solve() throws SolverError: one driver may fail where
// another does not. If both fail, the SolverError gives both reasons.
template <class Solve, class SolveOtherwise>
auto solve_checked(const Solve& solve, const SolveOtherwise& solve_otherwise) {
  std::string reason;
  try {
    return solve();
  } catch (const SolverError& error) {
    reason = error.what();
  }
  try {
    return solve_otherwise();
  } catch (const SolverError& error) {
    throw SolverError(reason + another_failed + error.what());
  }
}

// The same for a list of drivers, at least one: solve(driver) for each in turn, until one does not
// throw SolverError.
template <class Drivers, class Solve>
auto solve_checked_by(const Drivers& drivers, const Solve& solve) {
  std::string reasons;
  for (const auto& driver : drivers) {
    try {
      return solve(driver);
    } catch (const SolverError& error) {
      if (!reasons.empty()) reasons += another_failed;
      reasons += error.what();
    }
  }
  throw SolverError(reasons);
}

}  // namespace eigentropy
