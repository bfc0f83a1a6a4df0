#define EIGENTROPY_SIMD_NAMESPACE baseline
#define EIGENTROPY_SIMD_NAME "baseline"
#include "cpu/simd/tile_kernels_impl.hpp"
