#include <cstdlib>
#include <cstring>

#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy::simd {

#define EIGENTROPY_SIMD_TABLES(set)                \
  namespace set {                                  \
  extern const TileKernels<float> float_kernels;   \
  extern const TileKernels<double> double_kernels; \
  }
EIGENTROPY_SIMD_TABLES(baseline)
#ifdef EIGENTROPY_X86
EIGENTROPY_SIMD_TABLES(avx2)
EIGENTROPY_SIMD_TABLES(avx512)
#endif
#undef EIGENTROPY_SIMD_TABLES

namespace {

struct InstructionSet {
  const char* name;
  bool available;
  const TileKernels<float>* float_kernels;
  const TileKernels<double>* double_kernels;
};

// Best first.
const InstructionSet* instruction_sets(int* count) {
  static const InstructionSet sets[] = {
#ifdef EIGENTROPY_X86
      {"avx512",
       __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl"),
       &avx512::float_kernels, &avx512::double_kernels},
      {"avx2", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
       &avx2::float_kernels, &avx2::double_kernels},
#endif
      {"baseline", true, &baseline::float_kernels, &baseline::double_kernels},
  };
  *count = static_cast<int>(sizeof sets / sizeof sets[0]);
  return sets;
}

const InstructionSet* find(const char* name) {
  int count = 0;
  const InstructionSet* sets = instruction_sets(&count);
  for (int i = 0; i < count; ++i) {
    if (sets[i].available && (name == nullptr || std::strcmp(sets[i].name, name) == 0)) {
      return &sets[i];
    }
  }
  return nullptr;
}

// EIGENTROPY_SIMD is for tests and for measuring; a set that this machine lacks is ignored.
const InstructionSet& active() {
  static const InstructionSet* const chosen = [] {
    const char* wanted = std::getenv("EIGENTROPY_SIMD");
    const InstructionSet* set = wanted != nullptr ? find(wanted) : nullptr;
    return set != nullptr ? set : find(nullptr);
  }();
  return *chosen;
}

const TileKernels<float>* kernels_of(const InstructionSet& set, float) { return set.float_kernels; }
const TileKernels<double>* kernels_of(const InstructionSet& set, double) {
  return set.double_kernels;
}

}  // namespace

const char* active_instruction_set() { return active().name; }

template <class T>
const TileKernels<T>& tile_kernels() {
  return *kernels_of(active(), T());
}
template const TileKernels<float>& tile_kernels<float>();
template const TileKernels<double>& tile_kernels<double>();

template <class T>
const TileKernels<T>* find_tile_kernels(const char* name) {
  const InstructionSet* set = find(name);
  return set != nullptr ? kernels_of(*set, T()) : nullptr;
}
template const TileKernels<float>* find_tile_kernels<float>(const char*);
template const TileKernels<double>* find_tile_kernels<double>(const char*);

}  // namespace eigentropy::simd
