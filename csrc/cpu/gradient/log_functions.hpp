// Rational functions near the logarithm, of which each batch takes the one that reaches far enough.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "base/errors.hpp"
#include "cpu/gradient/resolvents.hpp"

namespace eigentropy {

// A function near log x on [1/kappa, 1], and with it near log x on [upper/kappa, upper].
struct LogFunction {
  double kappa, constant, linear;
  std::vector<double> shifts, weights;  // the last shift is the one closest to 0

  index_t poles() const { return static_cast<index_t>(shifts.size()); }

  LogFunction up_to(double upper) const {
    LogFunction moved{kappa, constant + std::log(upper), linear / upper, shifts, weights};
    for (double& shift : moved.shifts) shift *= upper;
    for (double& weight : moved.weights) weight *= upper;
    return moved;
  }
  RationalFunction rational() const {
    return {constant, linear, shifts.data(), weights.data(), poles()};
  }
};

// In the order of their kappa, which rises, and of their poles, which do not fall.
class LogFunctions {
 public:
  void add(LogFunction function) {
    if (function.shifts.size() != function.weights.size() || function.shifts.empty()) {
      throw std::invalid_argument("there must be as many weights as shifts");
    }
    functions_.push_back(std::move(function));
  }

  // The first one that reaches from upper down to lower; null if none does.
  const LogFunction* reaching(double lower, double upper) const {
    for (const LogFunction& function : functions_) {
      if (lower * function.kappa >= upper) return &function;
    }
    return nullptr;
  }

  // The function that reaches farthest with at most `poles` poles; null if there is none.
  const LogFunction* widest(index_t poles) const {
    const LogFunction* found = nullptr;
    for (const LogFunction& function : functions_) {
      if (function.poles() <= poles) found = &function;
    }
    return found;
  }

 private:
  std::vector<LogFunction> functions_;
};

}  // namespace eigentropy
