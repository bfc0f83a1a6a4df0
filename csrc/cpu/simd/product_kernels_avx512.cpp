#define EIGENTROPY_SIMD_NAMESPACE avx512
#define EIGENTROPY_SIMD_NAME "avx512"
#define EIGENTROPY_VECTOR_BYTES 64
#include "cpu/simd/product_kernels_impl.hpp"
