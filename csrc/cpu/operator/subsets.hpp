// Spectra of many subsets of one set of rows: the work of a mutual information.
#pragma once

#include "base/control.hpp"
#include "base/operator.hpp"
#include "base/subsets.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

// The spectrum of the operator of every subset of the rows, each normalised by itself. Small
// subsets are solved side by side in SIMD lanes, or one to a thread, and large ones one after the
// other by all threads.
template <class T>
SubsetSpectra<T> subset_spectra(const CenteredRows<T>& X, Subsets& subsets,
                                const OperatorOptions& options, SubsetKernels kernels,
                                double memory_limit, int threads, Control& control);

}  // namespace eigentropy
