#define EIGENTROPY_SIMD_NAMESPACE avx512
#include "cpu/simd/sturm_kernels_impl.hpp"
