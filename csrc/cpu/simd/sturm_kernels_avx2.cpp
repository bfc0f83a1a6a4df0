#define EIGENTROPY_SIMD_NAMESPACE avx2
#include "cpu/simd/sturm_kernels_impl.hpp"
