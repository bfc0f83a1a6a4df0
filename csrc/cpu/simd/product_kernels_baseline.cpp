#define EIGENTROPY_SIMD_NAMESPACE baseline
#define EIGENTROPY_SIMD_NAME "baseline"
#define EIGENTROPY_VECTOR_BYTES 16
#include "cpu/simd/product_kernels_impl.hpp"
