// How far rounding may have moved a Shannon entropy.
#pragma once

#include "base/views.hpp"

namespace eigentropy {

// What is known of the rounding in eigenvalues: none is further than delta from the exact one; the
// exact ones add up to the trace, but for 2 delta of it; and whether the largest of them is 1.
struct Rounding {
  double delta, trace;
  bool has_unit;
};

// Bound of the error of each of n eigenvalues of a matrix of this norm, in arithmetic of this eps:
//
//   min(1, max(norm eps (10 + sqrt(n) / 5 + reach), 2 outside))
//
// eps (10 + sqrt(n) / 5) is above the measured errors of kernel and solver. Rounding the
// coordinates changes the kernel by up to eps * reach. `outside`, how far computed eigenvalues lie
// outside of [0, 1], is an error that is seen.
double eigenvalue_error(index_t n, double reach, double outside, double eps, double norm);

struct Range {
  double low, high;
};

// The smallest and the largest S(t) in nats of spectra in [0, 1] within delta of n eigenvalues.
//
// S grows with x_i = lambda_i^t while x_i is below the level X e^-S, X = sum x_i, and falls above
// it. So it is largest where every x_i goes as far towards the level as its interval allows, and
// smallest where every x_i goes away from it. Eigenvalues up to 2 delta cannot be told from 0 one
// by one. Together they are what the trace leaves beside the others: S is largest where they share
// it equally, and smallest without them. At t = 1 the trace narrows the range further.
// docs/explanations/mathematics.md derives it.
template <class T>
Range entropy_range(const T* eigenvalues, index_t n, double t, const Rounding& rounding);

struct EntropyWithError {
  double nats;
  double error;  // the entropy of the exact eigenvalues is no further away
};

// S(t) of n eigenvalues, by shannon_nats, with the bound that entropy_range gives.
template <class T>
EntropyWithError entropy_with_error(const T* eigenvalues, index_t n, double t,
                                    const Rounding& rounding);

}  // namespace eigentropy
