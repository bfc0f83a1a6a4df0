// Where a matrix lies, as the copy engine of compute capability 9.0 wants to be told.
#pragma once

#include <cuda.h>
#include <cuda_fp16.h>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// A matrix (rows x columns, row-major, in device memory) of which boxes of box_rows x 64 are copied
// into shared memory, swizzled by 128 bytes. `columns` is a multiple of 8. Throws DeviceError if
// the driver knows no such maps or refuses this one.
CUtensorMap tensor_map(const __half* data, index_t rows, index_t columns, int box_rows);

}  // namespace eigentropy::cuda
