// Shannon entropies of spectra.
#pragma once

#include "base/views.hpp"

namespace eigentropy {

// S(t) in nats of n numbers w, of which one at least is not 0:
//   S = log T - M / T,  T = sum x^t,  M = sum x^t log x^t,  x = |w| / max |w|
// Those up to 10 eps of the largest are the solver's noise, and count as 0.
template <class T>
double shannon_nats(const T* w, index_t n, double t);

}  // namespace eigentropy
