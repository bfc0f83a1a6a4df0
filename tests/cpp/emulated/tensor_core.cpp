#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "cuda_runtime.h"

namespace eigentropy::cuda::emulated {
namespace {

// The operands of a lane.
struct Operands {
  double a[4], b[2];
};

// What the cores read of a register: they do not look at the last 13 bits.
double tf32(float x) { return static_cast<double>(__uint_as_float(__float_as_uint(x) & ~0x1fffU)); }

// The sum of finite terms in integers, whose unit is the last of float32's 24 bits of the largest
// term: what is below is cut off, and of the sum what is below its own 24. NVIDIA does not document
// it. That is what measurements find (Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical behavior
// of NVIDIA tensor cores"), without the one to three more bits that some of them keep.
float cut_sum(float before, const double (&products)[4]) {
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
  // A term is less than 2^24, so that five of them fit.
  auto sum = static_cast<std::int32_t>(static_cast<double>(before) * per_unit);
  for (const double term : products) sum += static_cast<std::int32_t>(term * per_unit);
  while (sum >= 1 << 24 || sum <= -(1 << 24)) {
    sum /= 2;
    unit *= 2;
  }
  return static_cast<float>(static_cast<double>(sum) * unit);
}

}  // namespace

void add_tf32_product(const float (&a)[4], const float (&b)[2], float (&d)[4]) {
  Operands own;
  std::transform(std::begin(a), std::end(a), own.a, tf32);
  std::transform(std::begin(b), std::end(b), own.b, tf32);
  const int lane = thread_index() % 32;
  exchange(own, [&](const auto& of) {
    for (int r = 0; r < 4; ++r) {
      const int row = lane / 4 + r / 2 * 8, col = lane % 4 * 2 + r % 2;
      for (int half = 0; half < 2; ++half) {  // the cores add four products at a time
        double products[4];
        for (int k = 0; k < 4; ++k) {
          products[k] = of(row % 8 * 4 + k).a[half * 2 + row / 8] * of(col * 4 + k).b[half];
        }
        d[r] = cut_sum(d[r], products);
      }
    }
  });
}

}  // namespace eigentropy::cuda::emulated
