#define EIGENTROPY_SIMD_NAMESPACE baseline
#define EIGENTROPY_SIMD_NAME "baseline"
#include "cpu/simd/band_kernels_impl.hpp"
