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

// What LAPACK's documentation says of info > 0. A reduction (sytrd) has no way to fail.
inline std::string meaning_of_info(const std::string& routine, int info) {
  const std::string value = std::to_string(info);
  if (routine == "sterf") {
    return "did not converge in 30 n iterations: " + value + " off-diagonal entries are not zero";
  }
  if (routine == "syevr" || routine == "syevd")
    return "failed with an internal error (info = " + value + ")";
  return "returned info = " + value + ", which has no meaning for it";
}

// Every LAPACK status goes through here. info < 0 names an illegal argument, which is our bug.
inline void check_info(const std::string& routine, int info) {
  if (info == 0) return;
  if (info < 0) {
    throw std::logic_error("LAPACK's " + routine + ": argument " + std::to_string(-info) +
                           " is illegal");
  }
  throw SolverError("LAPACK's " + routine + " " + meaning_of_info(routine, info));
}

}  // namespace eigentropy
