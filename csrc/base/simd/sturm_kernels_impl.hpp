// The leading principal minors of T - x,
//   p_i = (d_i - x) p_{i-1} - e_i^2 p_{i-2},   p_0 = 1, p_{-1} = 0,
// change sign as often as T has eigenvalues below x (Givens, 1954). The quotients q_i = p_i /
// p_{i-1} that LAPACK uses need no scaling, but a division: the minors take a fraction of the time.
// Either way the signs are those of a matrix whose entries differ from T's by a few eps |T|. A
// minor that is zero lies between two of opposite signs, so that its own sign does not matter.
//
// The rules of instruction_set.hpp hold here. Vectors are GCC's: a plain loop over the lanes
// would not keep them in registers.
#include "base/simd/sturm_kernels.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// Each step depends on the step before. To hide that latency, several vectors are in flight: as
// many as have registers for three values each.
constexpr int vectors = EIGENTROPY_VECTOR_BYTES == 64 ? 8 : 4;
typedef double Reals __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES)));
typedef unsigned long long Bits __attribute__((vector_size(EIGENTROPY_VECTOR_BYTES)));
constexpr int width = EIGENTROPY_VECTOR_BYTES / 8;
static_assert(sturm_lanes % (width * vectors) == 0, "whole groups of vectors");

inline Reals magnitude(Reals a) { return a < 0.0 ? -a : a; }

// p, q <- p, q 2^-k with the larger one in [1, 2);  exponent <- exponent + k
inline void rescale(Reals& p, Reals& q, Bits& exponent) {
  constexpr unsigned long long bias = 1023;
  const Reals a = magnitude(p), b = magnitude(q);
  const Bits biased = (Bits)(a > b ? a : b) >> 52;
  const Reals scale = (Reals)((2 * bias - biased) << 52);
  p *= scale;
  q *= scale;
  exponent += biased - bias;
}

// q <- next minor, changes <- changes + 1 where it differs in sign from the last, p
inline void step(const SturmRow& row, const Reals& x, const Reals& p, Reals& q, Bits& changes) {
  q = (row.diagonal - x) * p - row.left2 * q;
  changes += ((Bits)q ^ (Bits)p) >> 63;
}

// `vectors` vectors of shifts, the first of which is lane `first`.
inline void count_group(const SturmMatrix& T, SturmLanes& lanes, int first) {
  Reals x[vectors], p[vectors], q[vectors];
  Bits changes[vectors], exponent[vectors];
  __builtin_memcpy(x, lanes.x + first, sizeof x);
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) {
    p[v] = Reals{} + 1.0;
    q[v] = Reals{};
    changes[v] = exponent[v] = Bits{};
  }
  const SturmRow* row = T.rows;
  for (index_t block = 0; block < T.blocks; ++block) {
    for (const SturmRow* const end = T.rows + T.ends[block]; row < end; row += 2) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) step(row[0], x[v], p[v], q[v], changes[v]);
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) step(row[1], x[v], q[v], p[v], changes[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) rescale(p[v], q[v], exponent[v]);
  }
  __builtin_memcpy(lanes.mantissa + first, p, sizeof p);
  __builtin_memcpy(lanes.exponent + first, exponent, sizeof exponent);
  __builtin_memcpy(lanes.below + first, changes, sizeof changes);
}

void sturm_counts(const SturmMatrix& T, SturmLanes& lanes) {
  for (int first = 0; first < sturm_lanes; first += width * vectors) count_group(T, lanes, first);
}

constexpr SturmKernels table{sturm_counts};

}  // namespace EIGENTROPY_INSTRUCTION_SET

const SturmKernels& SturmKernels::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table;
}

}  // namespace eigentropy::simd
