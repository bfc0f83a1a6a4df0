#define EIGENTROPY_SIMD_NAMESPACE avx2
#define EIGENTROPY_SIMD_NAME "avx2"
#define EIGENTROPY_VECTOR_BYTES 32
#include "cpu/simd/product_kernels_impl.hpp"
