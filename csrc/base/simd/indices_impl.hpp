// Lists of lanes for __builtin_shufflevector; the rules of instruction_set.hpp hold here, which is
// why this is no std::integer_sequence.
#pragma once

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

template <int... I>
struct Indices {};

template <int n, int... I>
struct MakeIndices : MakeIndices<n - 1, n - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  using type = Indices<I...>;
};

// Indices<0, 1, .. n - 1>
template <int n>
using AllIndices = typename MakeIndices<n>::type;

}  // namespace EIGENTROPY_INSTRUCTION_SET
}  // namespace eigentropy::simd
