#include "base/simd/instruction_set.hpp"

#include <cstdlib>
#include <cstring>

namespace eigentropy::simd {
namespace {

// EIGENTROPY_SIMD is for tests and for measuring.
InstructionSet choose() {
  const char* const wanted = std::getenv("EIGENTROPY_SIMD");
  InstructionSet best = InstructionSet::baseline;
  for (const InstructionSet set : instruction_sets) {
    if (!is_available(set)) continue;
    if (wanted != nullptr && std::strcmp(wanted, name_of(set)) == 0) return set;
    if (set > best) best = set;
  }
  return best;
}

}  // namespace

const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::avx2:
      return "avx2";
    default:
      return "baseline";
  }
}

bool is_available(InstructionSet set) {
#ifdef EIGENTROPY_X86
  if (set == InstructionSet::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }
  if (set == InstructionSet::avx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#endif
  return set == InstructionSet::baseline;
}

InstructionSet active_instruction_set() {
  static const InstructionSet chosen = choose();
  return chosen;
}

}  // namespace eigentropy::simd
