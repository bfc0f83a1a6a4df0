// exp for loops that the compiler vectorises; the rules of instruction_set.hpp hold here.
#pragma once

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// exp(x) for x <= 0 by x = k ln 2 + r, |r| <= (ln 2)/2, and the Taylor series of exp(r), whose
// first omitted term is below half an ulp. Adding `rounder` leaves k in the low bits of the sum,
// which saves a conversion that AVX2 does not have. Results below the smallest normal number become
// 0. They cannot matter, because G_ii = 1 bounds every row sum from below.
template <class T>
struct Exponential;

template <>
struct Exponential<double> {
  static inline __attribute__((always_inline)) double evaluate(double x) {
    constexpr double rounder = 0x1.8p52;
    constexpr double log2_e = 0x1.71547652b82fep0;
    constexpr double ln2_high = 0x1.62e42fefa0000p-1;  // 15 trailing zeros: k * ln2_high is exact
    constexpr double ln2_low = 0x1.cf79abc9e3b39803f2f6af40f343267p-40;
    const double shifted = x * log2_e + rounder;
    const double k = shifted - rounder;
    const double r = (x - k * ln2_high) - k * ln2_low;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    unsigned long long bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1023) << 52;
    double power;
    __builtin_memcpy(&power, &bits, sizeof power);
    return x >= -708.0 ? p * power : 0.0;
  }
};

template <>
struct Exponential<float> {
  static inline __attribute__((always_inline)) float evaluate(float x) {
    constexpr float rounder = 0x1.8p23f;
    constexpr float log2_e = 0x1.715476p0f;
    constexpr float ln2_high = 0x1.62e400p-1f;
    constexpr float ln2_low = 0x1.7f7d1cp-20f;
    const float shifted = x * log2_e + rounder;
    const float k = shifted - rounder;
    const float r = (x - k * ln2_high) - k * ln2_low;
    float p = 1.0f / 5040.0f;
    p = p * r + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    unsigned bits;
    __builtin_memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, sizeof power);
    return x >= -87.0f ? p * power : 0.0f;
  }
};

}  // namespace EIGENTROPY_INSTRUCTION_SET
}  // namespace eigentropy::simd
