#include <cstring>

#include "cpu/simd/sturm_kernels.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy::simd {

namespace baseline {
extern const SturmKernel sturm_kernel;
}
#ifdef EIGENTROPY_X86
namespace avx2 {
extern const SturmKernel sturm_kernel;
}
namespace avx512 {
extern const SturmKernel sturm_kernel;
}
#endif

SturmKernel sturm_kernel() {
#ifdef EIGENTROPY_X86
  const char* const set = active_instruction_set();
  if (std::strcmp(set, "avx512") == 0) return avx512::sturm_kernel;
  if (std::strcmp(set, "avx2") == 0) return avx2::sturm_kernel;
#endif
  return baseline::sturm_kernel;
}

}  // namespace eigentropy::simd
