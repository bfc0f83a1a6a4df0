#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <utility>

#include "core/buffer.hpp"

namespace eigentropy {
namespace {

bool is_aligned(const void* memory, std::uintptr_t alignment) {
  return reinterpret_cast<std::uintptr_t>(memory) % alignment == 0;
}

TEST(Buffer, SmallOnesStartAtACacheLine) {
  for (const index_t size : {1, 3, 17, 1000}) {
    EXPECT_TRUE(is_aligned(Buffer<float>(size).data(), 64));
  }
}

TEST(Buffer, LargeOnesStartAtAHugePage) {
  EXPECT_TRUE(is_aligned(Buffer<double>(index_t{1} << 20).data(), std::uintptr_t{1} << 21));
}

TEST(Buffer, OfNoElementsHasNoMemory) {
  EXPECT_EQ(Buffer<double>(0).data(), nullptr);
  EXPECT_EQ(Buffer<double>().size(), 0);
}

TEST(Buffer, MovingHandsTheMemoryOn) {
  Buffer<double> source(5);
  double* const memory = source.data();
  Buffer<double> target(std::move(source));
  EXPECT_EQ(target.data(), memory);
  EXPECT_EQ(target.size(), 5);
  Buffer<double> assigned;
  assigned = std::move(target);
  EXPECT_EQ(assigned.data(), memory);
  EXPECT_EQ(assigned.end() - assigned.begin(), 5);
}

TEST(Buffer, ReleasedMemoryBelongsToTheCaller) {
  Buffer<double> buffer(5);
  double* const memory = buffer.release();
  memory[4] = 1.0;
  EXPECT_EQ(buffer.data(), nullptr);
  EXPECT_EQ(buffer.size(), 0);
  std::free(memory);
}

TEST(Buffer, MoreThanThereIsThrowsBadAlloc) {
  EXPECT_THROW(Buffer<double>(index_t{1} << 55), std::bad_alloc);
}

}  // namespace
}  // namespace eigentropy
