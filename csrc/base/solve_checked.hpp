// A solver, and another one for when it fails.
#pragma once

#include <string>

#include "base/errors.hpp"

namespace eigentropy {

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
    throw SolverError(reason + "; a second solver failed, too: " + error.what());
  }
}

}  // namespace eigentropy
