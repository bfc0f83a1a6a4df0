#include <cstdint>
#include <cstring>

#include "cuda_runtime.h"

namespace eigentropy::cuda::emulated {
namespace {

struct Slot {
  float a[4], b[2];
};
static_assert(sizeof(Slot) <= slot_bytes);

// What the cores read of a register: they do not look at the last 13 bits.
double tf32(float x) { return static_cast<double>(__uint_as_float(__float_as_uint(x) & ~0x1fffU)); }

double magnitude(double x) { return x < 0 ? -x : x; }

// The sum of finite terms in integers, whose unit is the last of float32's 24 bits of the largest
// term: what is below is cut off, and of the sum what is below its own 24. NVIDIA does not document
// it. That is what measurements find (Fasi, Higham, Mikaitis and Pranesh 2021, "Numerical behavior
// of NVIDIA tensor cores"), without the one to three more bits that some of them keep.
template <int count>
float cut_sum(const double (&terms)[count]) {
  double largest = 0;
  for (const double term : terms) largest = magnitude(term) > largest ? magnitude(term) : largest;
  if (largest == 0) return 0;
  std::uint64_t bits;
  std::memcpy(&bits, &largest, sizeof bits);
  const auto exponent = bits >> 52;
  const std::uint64_t unit_bits = (exponent - 23) << 52, per_unit_bits = (2069 - exponent) << 52;
  double unit, per_unit;  // 2^e and 2^-e
  std::memcpy(&unit, &unit_bits, sizeof unit);
  std::memcpy(&per_unit, &per_unit_bits, sizeof per_unit);
  std::int64_t sum = 0;
  for (const double term : terms) sum += static_cast<std::int64_t>(term * per_unit);
  while (sum >= 1 << 24 || sum <= -(1 << 24)) {
    sum /= 2;
    unit *= 2;
  }
  return static_cast<float>(static_cast<double>(sum) * unit);
}

}  // namespace

void add_tf32_product(const float (&a)[4], const float (&b)[2], float (&d)[4]) {
  auto* const slots = static_cast<char*>(warp_slots());
  const int lane = thread_index() % 32;
  const auto slot = [&](int of) { return reinterpret_cast<Slot*>(slots + of * slot_bytes); };
  std::memcpy(slot(lane)->a, a, sizeof a);
  std::memcpy(slot(lane)->b, b, sizeof b);
  warp_barrier();
  for (int r = 0; r < 4; ++r) {
    const int row = lane / 4 + r / 2 * 8, col = lane % 4 * 2 + r % 2;
    for (int first = 0; first < 8; first += 4) {  // they add four products at a time
      double terms[5] = {static_cast<double>(d[r])};
      for (int k = first; k < first + 4; ++k) {
        const Slot& of_a = *slot(row % 8 * 4 + k % 4);
        const Slot& of_b = *slot(col * 4 + k % 4);
        terms[1 + k % 4] = tf32(of_a.a[k / 4 * 2 + row / 8]) * tf32(of_b.b[k / 4]);
      }
      d[r] = cut_sum(terms);
    }
  }
  warp_barrier();
}

}  // namespace eigentropy::cuda::emulated
