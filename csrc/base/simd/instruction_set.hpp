// The instruction sets that every family of kernels is compiled for, and the choice between them
// when the library is first used, so that one binary serves every x86-64 machine.
//
// The rules of a family's <family>_impl.hpp: it is compiled once for each
// EIGENTROPY_INSTRUCTION_SET, with that set's flags, in a namespace of that name. Nothing from the
// standard library may be used in it: an inline function compiled with AVX-512 could be the copy
// that the linker keeps for everyone.
#pragma once

namespace eigentropy::simd {

enum class InstructionSet { baseline, avx2, avx512 };
constexpr InstructionSet instruction_sets[] = {InstructionSet::avx512, InstructionSet::avx2,
                                               InstructionSet::baseline};  // best first

const char* name_of(InstructionSet set);

// Whether this build has the set and this machine can run it. The baseline is always available.
bool is_available(InstructionSet set);

// The best one, unless the environment's EIGENTROPY_SIMD names another that is available.
InstructionSet active_instruction_set();

// A family's table for an instruction set that is available. A family is a struct of functions
// with static members `baseline`, `avx2` and `avx512` that return its tables.
template <class Kernels>
const Kernels& kernels_of([[maybe_unused]] InstructionSet set) {
#ifdef EIGENTROPY_X86
  if (set == InstructionSet::avx512) return Kernels::avx512();
  if (set == InstructionSet::avx2) return Kernels::avx2();
#endif
  return Kernels::baseline();
}

template <class Kernels>
const Kernels& active_kernels() {
  return kernels_of<Kernels>(active_instruction_set());
}

}  // namespace eigentropy::simd
