#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "cuda_runtime.h"

namespace eigentropy::cuda::emulated {
namespace {

// The sum of finite terms in integers, whose unit is the last of float32's 24 bits of the largest
// term: what is below is cut off, and of the sum what is below its own 24. NVIDIA does not document
// it. That is what measurements find (Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical behavior
// of NVIDIA tensor cores"), without the one to three more bits that some of them keep.
float cut_sum(float before, const double (&products)[8]) {
  double largest = std::abs(static_cast<double>(before));
  for (const double term : products) largest = std::max(largest, std::abs(term));
  if (largest == 0) return before;
  std::uint64_t bits;
  std::memcpy(&bits, &largest, sizeof bits);
  const auto exponent = bits >> 52;
  const std::uint64_t unit_bits = (exponent - 23) << 52, per_unit_bits = (2069 - exponent) << 52;
  double unit, per_unit;  // 2^e and 2^-e
  std::memcpy(&unit, &unit_bits, sizeof unit);
  std::memcpy(&per_unit, &per_unit_bits, sizeof per_unit);
  // A term is less than 2^24, so that nine of them fit.
  auto sum = static_cast<std::int32_t>(static_cast<double>(before) * per_unit);
  for (const double term : products) sum += static_cast<std::int32_t>(term * per_unit);
  while (sum >= 1 << 24 || sum <= -(1 << 24)) {
    sum /= 2;
    unit *= 2;
  }
  return static_cast<float>(static_cast<double>(sum) * unit);
}

// The operands of a lane, as numbers, two of each register, for eighths of the depth.
template <int eights>
struct HalfOperands {
  float a[2 * eights][2], b[eights][2];
};

const std::vector<float>& halves() {
  static const std::vector<float> all = [] {
    std::vector<float> values;
    for (unsigned bits = 0; bits < 1U << 16; ++bits) {
      const auto word = static_cast<std::uint16_t>(bits);
      _Float16 half;
      std::memcpy(&half, &word, sizeof half);
      values.push_back(static_cast<float>(half));
    }
    return values;
  }();
  return all;
}

template <std::size_t registers>
void take_apart(const unsigned (&from)[registers], float (&to)[registers][2]) {
  const float* const values = halves().data();
  for (std::size_t r = 0; r < registers; ++r) {
    to[r][0] = values[from[r] & 0xffffU];
    to[r][1] = values[from[r] >> 16];
  }
}

// Eight products at a time, as the cores of compute capability 8.0 do; later ones add more at once
// and cut less often.
template <int eights>
void add_halves(const unsigned (&a)[2 * eights], const unsigned (&b)[eights], float (&d)[4]) {
  HalfOperands<eights> own;
  take_apart(a, own.a);
  take_apart(b, own.b);
  const int lane = thread_index() % 32;
  exchange(own, [&](const auto& of) {
    for (int r = 0; r < 4; ++r) {
      const int row = lane / 4 + r / 2 * 8, col = lane % 4 * 2 + r % 2;
      for (int eight = 0; eight < eights; ++eight) {
        double products[8];
        for (int k = 0; k < 8; ++k) {
          const float from_a = of(row % 8 * 4 + k / 2).a[eight * 2 + row / 8][k % 2];
          const float from_b = of(col * 4 + k / 2).b[eight][k % 2];
          products[k] = static_cast<double>(from_a) * static_cast<double>(from_b);
        }
        d[r] = cut_sum(d[r], products);
      }
    }
  });
}

}  // namespace

void add_product_of_halves(const unsigned (&a)[4], const unsigned (&b)[2], float (&d)[4]) {
  add_halves<2>(a, b, d);
}
void add_product_of_halves(const unsigned (&a)[2], const unsigned (&b)[1], float (&d)[4]) {
  add_halves<1>(a, b, d);
}

void load_matrices(const void* row, bool transposed, unsigned (&r)[4]) {
  const int lane = thread_index() % 32;
  exchange(row, [&](const auto& of) {
    for (int q = 0; q < 4; ++q) {
      for (int k = 0; k < 2; ++k) {
        const int line = transposed ? lane % 4 * 2 + k : lane / 4;
        const int element = transposed ? lane / 4 : lane % 4 * 2 + k;
        std::uint16_t half;
        std::memcpy(&half, static_cast<const char*>(of(q * 8 + line)) + 2 * element, sizeof half);
        r[q] = k == 0 ? half : r[q] | static_cast<unsigned>(half) << 16;
      }
    }
  });
}

}  // namespace eigentropy::cuda::emulated
