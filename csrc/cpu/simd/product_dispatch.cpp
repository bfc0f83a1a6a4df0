#include <cstring>
#include <initializer_list>

#include "cpu/simd/product_kernels.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy::simd {

#define EIGENTROPY_SIMD_TABLES(set)                           \
  namespace set {                                             \
  extern const ProductKernels<float> float_product_kernels;   \
  extern const ProductKernels<double> double_product_kernels; \
  }
EIGENTROPY_SIMD_TABLES(baseline)
#ifdef EIGENTROPY_X86
EIGENTROPY_SIMD_TABLES(avx2)
EIGENTROPY_SIMD_TABLES(avx512)
#endif
#undef EIGENTROPY_SIMD_TABLES

namespace {

template <class T>
const ProductKernels<T>& choose(const ProductKernels<T>& baseline_kernels,
                                const ProductKernels<T>& avx2_kernels,
                                const ProductKernels<T>& avx512_kernels) {
  const char* set = active_instruction_set();
  for (const ProductKernels<T>* kernels : {&avx512_kernels, &avx2_kernels}) {
    if (std::strcmp(kernels->name, set) == 0) return *kernels;
  }
  return baseline_kernels;
}

}  // namespace

#ifndef EIGENTROPY_X86
namespace avx2 = baseline;
namespace avx512 = baseline;
#endif

template <>
const ProductKernels<float>& product_kernels() {
  static const ProductKernels<float>& chosen = choose(
      baseline::float_product_kernels, avx2::float_product_kernels, avx512::float_product_kernels);
  return chosen;
}
template <>
const ProductKernels<double>& product_kernels() {
  static const ProductKernels<double>& chosen =
      choose(baseline::double_product_kernels, avx2::double_product_kernels,
             avx512::double_product_kernels);
  return chosen;
}

}  // namespace eigentropy::simd
