// What the core throws, besides std::invalid_argument and std::bad_alloc.
#pragma once

#include <stdexcept>
#include <string>

namespace eigentropy {

// The caller asked to stop (Ctrl-C).
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// An eigenvalue routine reported failure, or its result failed the check against the traces.
struct SolverError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Every LAPACK status goes through here. info < 0 names an illegal argument, which is our bug;
// info > 0 means that the iteration left `info` off-diagonal entries unconverged.
inline void check_info(const char* routine, int info) {
  if (info == 0) return;
  const std::string name(routine);
  if (info < 0) {
    throw std::logic_error(name + ": argument " + std::to_string(-info) + " is illegal");
  }
  throw SolverError(name + " did not converge: " + std::to_string(info) +
                    " off-diagonal entries are not zero");
}

}  // namespace eigentropy
