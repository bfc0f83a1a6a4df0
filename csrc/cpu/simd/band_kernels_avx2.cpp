#define EIGENTROPY_SIMD_NAMESPACE avx2
#define EIGENTROPY_SIMD_NAME "avx2"
#include "cpu/simd/band_kernels_impl.hpp"
