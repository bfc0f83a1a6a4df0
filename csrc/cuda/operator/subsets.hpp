// Spectra of many subsets of one set of rows, many at a time.
#pragma once

#include "base/operator.hpp"
#include "base/subsets.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The spectrum of the operator of every subset of the rows, each normalised by itself: as the
// host's subset_spectra. memory_limit is the bytes of device memory that the matrices may take, and
// the shared kernel; 0: no shared kernel unless it is asked for, and what is free.
template <class T>
SubsetSpectra<T> subset_spectra(const Queue& queue, const DeviceRows<T>& X, Subsets& subsets,
                                const OperatorOptions& options, SubsetKernels kernels,
                                double memory_limit, Control& control);

}  // namespace eigentropy::cuda
