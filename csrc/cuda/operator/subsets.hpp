// Spectra of many subsets of one set of rows, many at a time.
#pragma once

#include "base/operator.hpp"
#include "base/subsets.hpp"
#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The spectrum of the operator of every subset of the rows, each normalised by itself: as the
// host's subset_spectra. memory_limit is the device memory in bytes that the matrices and the
// shared kernel may take. If it is 0, the matrices may take the memory that is free, and there is
// no shared kernel unless `kernels` asks for it.
template <class T>
SubsetSpectra<T> subset_spectra(const Queue& queue, const DeviceRows<T>& X, Subsets& subsets,
                                const OperatorOptions& options, SubsetKernels kernels,
                                double memory_limit, Control& control);

}  // namespace eigentropy::cuda
