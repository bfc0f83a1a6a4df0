#include "random_values.hpp"

#include <cuda_fp16.h>

#include <cstdint>

namespace eigentropy::cuda::bench {
namespace {

constexpr unsigned block_threads = 256;

// The finisher of splitmix64 on a counter (Steele, Lea, Flood, 2014).
__device__ std::uint64_t bits_of(std::uint64_t counter) {
  std::uint64_t z = counter * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// By Box and Muller, from two numbers of 32 bits in (0, 1).
__device__ float gaussian(std::uint64_t counter) {
  constexpr float step = 1.0f / 4294967296.0f;
  const std::uint64_t bits = bits_of(counter);
  const float u = (static_cast<float>(bits >> 32) + 0.5f) * step;
  const float angle = static_cast<float>(bits & 0xffffffffu) * step * 6.2831853f;
  return sqrtf(-2.0f * logf(u)) * cosf(angle);
}

template <class T>
__device__ void store(T* to, float value) {
  *to = static_cast<T>(value);
}
__device__ void store(__half* to, float value) { *to = __float2half_rn(value); }

template <class T>
__global__ void fill(T* values, index_t size, std::uint64_t seed) {
  const index_t stride = static_cast<index_t>(gridDim.x) * blockDim.x;
  for (index_t i = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < size;
       i += stride) {
    store(values + i, gaussian((seed << 40) + static_cast<std::uint64_t>(i) + 1));
  }
}

}  // namespace

template <class T>
DeviceBuffer<T> gaussian_values(const Queue& queue, index_t size, unsigned seed) {
  DeviceBuffer<T> values(queue, size);
  const unsigned blocks = size < (index_t{1} << 20) ? blocks_for(size, block_threads) : 4096;
  launch(queue, fill<T>, dim3(blocks), dim3(block_threads), 0, values.data(), size,
         static_cast<std::uint64_t>(seed));
  return values;
}
template DeviceBuffer<float> gaussian_values<float>(const Queue&, index_t, unsigned);
template DeviceBuffer<double> gaussian_values<double>(const Queue&, index_t, unsigned);
template DeviceBuffer<__half> gaussian_values<__half>(const Queue&, index_t, unsigned);

}  // namespace eigentropy::cuda::bench
