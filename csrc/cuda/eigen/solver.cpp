#include "cuda/eigen/solver.hpp"

#include <stdexcept>
#include <string>

#include "base/errors.hpp"

namespace eigentropy::cuda {

void check_solver(cusolverStatus_t status, const char* routine, index_t n) {
  if (status == CUSOLVER_STATUS_SUCCESS) return;
  const std::string told = std::string("cuSOLVER's ") + routine + " returned " + name_of(status);
  const bool too_large = status == CUSOLVER_STATUS_NOT_SUPPORTED ||
                         status == CUSOLVER_STATUS_INVALID_VALUE ||
                         status == CUSOLVER_STATUS_ALLOC_FAILED;
  if (!too_large) throw SolverError(told + " for a matrix of order " + std::to_string(n));
  throw SolverError(told + ": a matrix of order n = " + std::to_string(n) +
                    " may be too large for it; method='stochastic' needs no such solver");
}

void check_info(const char* routine, int info) {
  if (info == 0) return;
  if (info < 0) {
    throw std::logic_error(std::string("cuSOLVER's ") + routine + ": argument " +
                           std::to_string(-info) + " is illegal");
  }
  throw SolverError(std::string("cuSOLVER's ") + routine +
                    " did not converge (info = " + std::to_string(info) + ")");
}

}  // namespace eigentropy::cuda
