// A solver, and another one for when it fails.
#pragma once

#include <string>

#include "base/errors.hpp"

namespace eigentropy {

// What solve() returns, or, if it throws SolverError, what solve_otherwise() returns: one driver
// may fail where another does not. A SolverError of both gives the reasons of both.
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
