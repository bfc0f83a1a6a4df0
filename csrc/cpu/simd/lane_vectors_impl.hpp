// Vectors of lanes; the rules of instruction_set.hpp hold here.
#pragma once

#include "base/simd/indices_impl.hpp"
#include "base/views.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// Vectors that are aligned, and the masks that comparing them gives.
template <class T>
struct LanesOf;
template <>
struct LanesOf<double> {
  typedef double type __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES), may_alias));
  typedef long long integers __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES)));
};
template <>
struct LanesOf<float> {
  typedef float type __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES), may_alias));
  typedef int integers __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES)));
};
template <class T>
using Lanes = typename LanesOf<T>::type;
template <class T>
using LaneIntegers = typename LanesOf<T>::integers;
template <class T>
constexpr index_t lane_count = EIGENTROPY_VECTOR_BYTES / static_cast<index_t>(sizeof(T));

template <class T>
constexpr T lane_epsilon = sizeof(T) == sizeof(double) ? T(0x1p-52) : T(0x1p-23);

template <class V>
static inline V magnitude(const V& a) {
  return a < 0 ? -a : a;
}

// The loop becomes one instruction.
template <class T>
static inline Lanes<T> square_root(const Lanes<T>& a) {
  T values[lane_count<T>];
  __builtin_memcpy(values, &a, sizeof a);
#pragma omp simd
  for (index_t k = 0; k < lane_count<T>; ++k) {
    values[k] = sizeof(T) == sizeof(float)
                    ? static_cast<T>(__builtin_sqrtf(static_cast<float>(values[k])))
                    : static_cast<T>(__builtin_sqrt(static_cast<double>(values[k])));
  }
  Lanes<T> root;
  __builtin_memcpy(&root, values, sizeof root);
  return root;
}

// Where column 0 of row i of a packed matrix would be.
inline index_t row_offset(index_t n, index_t i) { return i * n - i * (i + 1) / 2; }

// Of a pair of vectors, entries whose place has the bit `step` in `a`, and those without it in `b`,
// change places.
template <int step, class V, int... I>
inline void exchange(V& a, V& b, Indices<I...>) {
  constexpr int width = static_cast<int>(sizeof...(I));
  const V low = __builtin_shufflevector(a, b, (I & step ? width + I - step : I)...);
  b = __builtin_shufflevector(a, b, (I & step ? width + I : I + step)...);
  a = low;
}

// Transposes a square of vectors: one bit of the places after the other.
template <class T, int step = 1>
inline void transpose(Lanes<T>* x) {
  constexpr int width = static_cast<int>(lane_count<T>);
  if constexpr (step < width) {
#pragma GCC unroll 16
    for (int r = 0; r < width; ++r) {
      if ((r & step) == 0) exchange<step>(x[r], x[r + step], AllIndices<width>{});
    }
    transpose<T, 2 * step>(x);
  }
}

}  // namespace EIGENTROPY_INSTRUCTION_SET
}  // namespace eigentropy::simd
