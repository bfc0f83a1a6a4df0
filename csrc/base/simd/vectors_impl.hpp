// Vectors and the shape of register blocks; the rules of instruction_set.hpp hold here.
#pragma once

#include "base/views.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// Vectors with no more alignment than their elements have.
template <class T>
struct VectorOf {
  typedef T type
      __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr index_t lanes = EIGENTROPY_VECTOR_BYTES / static_cast<index_t>(sizeof(T));

// Accumulators fill all registers (32 in AVX-512, 16 otherwise) except one row of loaded vectors.
#if EIGENTROPY_VECTOR_BYTES == 64
constexpr int long_side = 8;
#else
constexpr int long_side = 4;
#endif
constexpr int short_side = 3;

// GCC would otherwise load a vector again for each column, and loads would limit the speed. A
// pointer and no template: behind a reference, and behind a deduced type, clang forgets the
// alignment of the vector and takes it for that of a register.
#if defined(__AVX512F__)
#define EIGENTROPY_IN_REGISTER(vector) asm("" : "+v"(vector))
#elif defined(__x86_64__)
#define EIGENTROPY_IN_REGISTER(vector) asm("" : "+x"(vector))
#elif defined(__aarch64__)
#define EIGENTROPY_IN_REGISTER(vector) asm("" : "+w"(vector))
#else
#define EIGENTROPY_IN_REGISTER(vector) static_cast<void>(vector)
#endif
inline __attribute__((always_inline)) void keep_in_register(Vector<float>* vector) {
  EIGENTROPY_IN_REGISTER(*vector);
}
inline __attribute__((always_inline)) void keep_in_register(Vector<double>* vector) {
  EIGENTROPY_IN_REGISTER(*vector);
}
#undef EIGENTROPY_IN_REGISTER

}  // namespace EIGENTROPY_INSTRUCTION_SET
}  // namespace eigentropy::simd
