#define EIGENTROPY_SIMD_NAMESPACE avx512
#define EIGENTROPY_SIMD_NAME "avx512"
#include "cpu/simd/band_kernels_impl.hpp"
