#define EIGENTROPY_SIMD_NAMESPACE baseline
#include "cpu/simd/sturm_kernels_impl.hpp"
