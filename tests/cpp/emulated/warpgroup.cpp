#include "warpgroup.hpp"

#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "cuda_runtime.h"

namespace eigentropy::cuda::emulated {
namespace {

std::atomic<Pace> pace{Pace::slow_copies};

constexpr std::uint32_t first_address = 16;

char* memory_at(std::uint32_t address) {
  return static_cast<char*>(dynamic_shared()) + (address - first_address);
}

// What the eight bytes of a barrier hold.
struct Barrier {
  std::int32_t bytes;  // that are expected and have not come
  std::uint16_t missing;
  std::uint16_t phase : 1, arrivals : 15;
};
static_assert(sizeof(Barrier) == 8);

Barrier& barrier_at(std::uint32_t address) {
  if (address % 8 != 0) fail("a barrier is not at a multiple of 8");
  return *reinterpret_cast<Barrier*>(memory_at(address));
}

void end_phase_if_complete(Barrier& barrier) {
  if (barrier.missing != 0 || barrier.bytes != 0) return;
  barrier.phase ^= 1U;
  barrier.missing = barrier.arrivals;
}

void take_arrival(Barrier& barrier) {
  if (barrier.missing == 0) fail("more arrive at a barrier than it has arrivals");
  --barrier.missing;
  end_phase_if_complete(barrier);
}

void complete(std::uint32_t address, unsigned bytes) {
  Barrier& barrier = barrier_at(address);
  barrier.bytes -= static_cast<std::int32_t>(bytes);
  end_phase_if_complete(barrier);
}

void now_or_later(std::function<void()> copy) {
  if (pace == Pace::slow_copies) {
    later(std::move(copy));
  } else {
    copy();
  }
}

// Swizzle of 128 bytes: the 16-byte units of a line of 128 bytes trade places by the line's number.
std::uint32_t swizzled(std::uint32_t address) { return address ^ (address >> 7 & 7U) << 4; }

}  // namespace

void set_pace(Pace chosen) { pace = chosen; }

std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(static_cast<const char*>(pointer) -
                                    static_cast<const char*>(dynamic_shared())) +
         first_address;
}

void init_barrier(std::uint32_t barrier, unsigned arrivals) {
  const auto count = static_cast<std::uint16_t>(arrivals);
  barrier_at(barrier) = {0, count, 0, static_cast<std::uint16_t>(count & 0x7fffU)};
}
void arrive(std::uint32_t barrier) { take_arrival(barrier_at(barrier)); }
void arrive_and_expect(std::uint32_t barrier, unsigned bytes) {
  barrier_at(barrier).bytes += static_cast<std::int32_t>(bytes);
  take_arrival(barrier_at(barrier));
}
void wait_for_phase(std::uint32_t barrier, unsigned parity) {
  wait_until([&] { return barrier_at(barrier).phase != parity; });
}

void named_barrier(int name, int threads, bool waits) {
  struct Named {
    int block, arrived, round;
  };
  static thread_local std::array<Named, 16> barriers;
  Named& own = barriers[name];
  if (own.block != block_number()) own = {block_number(), 0, 0};
  const int round = own.round;
  if (++own.arrived == threads) {
    own.arrived = 0;
    ++own.round;
  }
  if (waits) wait_until([&] { return own.round != round; });
}

void copy_box(std::uint32_t to, const CUtensorMap& map, std::uint32_t barrier, int column,
              int row) {
  if (to % 128 != 0) fail("a box is not at a multiple of 128");
  now_or_later([=, map = map] {
    const cuuint32_t line = map.box_columns * 2;
    for (cuuint32_t i = 0; i < map.box_rows; ++i) {
      for (cuuint32_t j = 0; j < map.box_columns; ++j) {
        const auto x = static_cast<cuuint64_t>(column) + j, y = static_cast<cuuint64_t>(row) + i;
        char* const place = memory_at(swizzled(to + i * line + j * 2));
        if (x < map.columns && y < map.rows) {
          std::memcpy(place, map.data + y * map.row_bytes + x * 2, 2);
        } else {
          std::memset(place, 0, 2);
        }
      }
    }
    complete(barrier, map.box_rows * line);
  });
}

void copy_bytes(std::uint32_t to, const void* from, unsigned bytes, std::uint32_t barrier) {
  if (to % 16 != 0 || bytes % 16 != 0 || reinterpret_cast<std::uintptr_t>(from) % 16 != 0) {
    fail("bytes are copied in units of 16");
  }
  now_or_later([=] {
    std::memcpy(memory_at(to), from, bytes);
    complete(barrier, bytes);
  });
}

namespace {

constexpr int depth = 16;  // of an instruction
using Numbers = std::array<float, depth>;

// A table, because most machines convert by a function.
float to_float(std::uint16_t bits) {
  static const std::vector<float> values = [] {
    std::vector<float> all;
    for (unsigned of = 0; of < 1U << 16; ++of) {
      const auto word = static_cast<std::uint16_t>(of);
      _Float16 value;
      std::memcpy(&value, &word, sizeof value);
      all.push_back(static_cast<float>(value));
    }
    return all;
  }();
  return values[bits];
}

// Row `row` of an operand whose rows have their numbers side by side.
Numbers row_of_operand(std::uint64_t described, int row) {
  const auto start = static_cast<std::uint32_t>(described & 0x3fffU) << 4;
  const auto eight_rows = static_cast<std::uint32_t>(described >> 32 & 0x3fffU) << 4;
  if (described >> 62 != 1 || (described >> 49 & 7U) != 0) {
    fail("an operand is not described as swizzled by 128 bytes");
  }
  const auto of_row = static_cast<std::uint32_t>(row);
  const std::uint32_t address = start + of_row / 8 * eight_rows + of_row % 8 * 128;
  Numbers numbers;
  for (std::uint32_t half = 0; half < 2; ++half) {
    std::uint16_t bits[8];
    std::memcpy(bits, memory_at(swizzled(address + half * 16)), sizeof bits);
    for (std::uint32_t k = 0; k < 8; ++k) numbers[half * 8 + k] = to_float(bits[k]);
  }
  return numbers;
}

// As ilogb and ldexp, for what is not 0.
int exponent_of(double x) {
  std::uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<int>(bits >> 52 & 0x7ffU) - 1023;
}
double power_of_two(int exponent) {
  const std::uint64_t bits = static_cast<std::uint64_t>(exponent + 1023) << 52;
  double power;
  std::memcpy(&power, &bits, sizeof power);
  return power;
}

// The sum of what there is and 16 products, cut off at the last of float32's 24 bits of the largest
// term, and then of the sum. NVIDIA does not document it; see tensor_core.cpp. Some GPUs keep more.
float cut_sum(float before, const Numbers& a, const Numbers& b) {
  float products[depth], largest = std::abs(before), plain = before;
  for (int k = 0; k < depth; ++k) {
    products[k] = a[k] * b[k];  // exact
    largest = std::max(largest, std::abs(products[k]));
    plain += products[k];
  }
  if (!std::isfinite(plain)) return plain;
  if (largest == 0) return before;
  double unit = power_of_two(exponent_of(largest) - 23);
  const double per_unit = power_of_two(23 - exponent_of(largest));
  auto sum = static_cast<std::int32_t>(before * per_unit);
  for (const float product : products) sum += static_cast<std::int32_t>(product * per_unit);
  for (; sum >= 1 << 24 || sum <= -(1 << 24); unit *= 2) sum /= 2;
  return static_cast<float>(sum * unit);
}

struct Instruction {
  float* d;
  int columns;
  bool accumulate, from_registers;
  std::uint64_t a, b;
  const std::uint32_t* registers;
};

// Registers of a thread that products write.
struct Accumulators {
  float* place;
  std::vector<float> values;
};

struct Thread {
  int block = -1;
  bool may_begin = false;
  std::vector<Accumulators> accumulators;
  std::vector<std::vector<Instruction>> groups{1};  // the last has not been committed
};

Thread& own_thread() {
  static thread_local std::vector<Thread> threads(1024);
  Thread& own = threads[static_cast<std::size_t>(thread_index())];
  if (own.block != block_number()) {
    own = {};
    own.block = block_number();
  }
  return own;
}

std::vector<float>& accumulators_at(Thread& own, float* place, int count) {
  for (Accumulators& some : own.accumulators) {
    if (some.place == place) return some.values;
  }
  own.accumulators.push_back({place, std::vector<float>(place, place + count)});
  std::fill(place, place + count, std::numeric_limits<float>::quiet_NaN());
  return own.accumulators.back().values;
}

// Of a lane, in the rows and columns that PTX gives it: lane / 4 and 8 rows below, and two of eight
// columns. A's registers are laid out likewise.
void run(Thread& own, const Instruction& product) {
  const int lane = thread_index() % 32, warp = thread_index() / 32 % 4, count = product.columns / 2;
  std::array<Numbers, 2> a;
  if (product.from_registers) {
    std::array<std::uint32_t, 4> registers;
    std::memcpy(registers.data(), product.registers, sizeof registers);
    exchange(registers, [&](const auto& of) {
      for (int k = 0; k < depth; ++k) {
        const auto& quarter = of(lane / 4 * 4 + k % 8 / 2);
        for (int row = 0; row < 2; ++row) {
          const std::uint32_t pair = quarter[static_cast<std::size_t>(row + k / 8 * 2)];
          a[row][k] = to_float(static_cast<std::uint16_t>(pair >> k % 2 * 16));
        }
      }
      return 0;
    });
  } else {
    warp_barrier();
    for (int row = 0; row < 2; ++row) {
      a[row] = row_of_operand(product.a, warp * 16 + lane / 4 + row * 8);
    }
  }
  std::vector<float>& d = accumulators_at(own, product.d, count);
  for (int j = 0; j < count / 2; ++j) {
    const int column = j / 2 * 8 + lane % 4 * 2 + j % 2;
    const Numbers b = row_of_operand(product.b, column);
    for (int row = 0; row < 2; ++row) {
      float& sum = d[static_cast<std::size_t>(j / 2 * 4 + row * 2 + j % 2)];
      sum = cut_sum(product.accumulate ? sum : 0.0F, a[row], b);
    }
  }
}

void begin(Instruction product) {
  Thread& own = own_thread();
  if (!own.may_begin) fail("wgmma without a fence after registers may have been written");
  accumulators_at(own, product.d, product.columns / 2);
  if (pace == Pace::slow_copies) {
    run(own, product);
    product.columns = 0;  // done, but not seen yet
  }
  own.groups.back().push_back(product);
}

bool is_pending(const Thread& own, const float* d) {
  for (const auto& group : own.groups) {
    for (const Instruction& product : group) {
      if (product.d == d) return true;
    }
  }
  return false;
}

}  // namespace

void begin_products() { own_thread().may_begin = true; }
void commit_products() { own_thread().groups.emplace_back(); }

void wait_for_products(int pending) {
  Thread& own = own_thread();
  while (own.groups.size() > static_cast<std::size_t>(pending) + 1) {
    for (const Instruction& product : own.groups.front()) {
      if (product.columns > 0) run(own, product);
    }
    own.groups.erase(own.groups.begin());
  }
  for (std::size_t i = own.accumulators.size(); i-- > 0;) {
    const Accumulators& some = own.accumulators[i];
    if (is_pending(own, some.place)) continue;
    std::copy(some.values.begin(), some.values.end(), some.place);
    own.accumulators.erase(own.accumulators.begin() + static_cast<std::ptrdiff_t>(i));
  }
  own.may_begin = false;  // the registers may be written from here on
  warp_barrier();         // no lane reads the operands any more
}

void add_product(float* d, int columns, std::uint64_t a, std::uint64_t b, bool accumulate) {
  begin({d, columns, accumulate, false, a, b, nullptr});
}
void add_product(float* d, int columns, const std::uint32_t (&a)[4], std::uint64_t b,
                 bool accumulate) {
  begin({d, columns, accumulate, true, 0, b, a});
}

}  // namespace eigentropy::cuda::emulated

namespace {

CUresult encode(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank, void* data,
                const cuuint64_t* sizes, const cuuint64_t* strides, const cuuint32_t* box,
                const cuuint32_t* element_strides, CUtensorMapInterleave, CUtensorMapSwizzle,
                CUtensorMapL2promotion, CUtensorMapFloatOOBfill) {
  const bool is_possible = type == CU_TENSOR_MAP_DATA_TYPE_FLOAT16 && rank == 2 &&
                           reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && sizes[0] > 0 &&
                           sizes[1] > 0 && strides[0] % 16 == 0 && strides[0] >= 2 * sizes[0] &&
                           box[0] * 2 == 128 && box[1] >= 1 && box[1] <= 256 &&
                           element_strides[0] == 1 && element_strides[1] == 1;
  if (!is_possible) return CUDA_ERROR_INVALID_VALUE;
  *map = {static_cast<char*>(data), sizes[0], sizes[1], strides[0], box[0], box[1], {}};
  return CUDA_SUCCESS;
}

}  // namespace

namespace eigentropy::cuda::emulated {

void* encoder_of_tensor_maps() { return reinterpret_cast<void*>(&encode); }

}  // namespace eigentropy::cuda::emulated
