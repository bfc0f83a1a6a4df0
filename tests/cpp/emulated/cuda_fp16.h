// The part of CUDA's half precision that we use, for the emulated device.
#pragma once

// Conversions of the compiler round to nearest, as those of CUDA with this name.
struct __half {
  _Float16 value;
};
inline __half __float2half_rn(float x) { return {static_cast<_Float16>(x)}; }
inline float __half2float(__half x) { return static_cast<float>(x.value); }
