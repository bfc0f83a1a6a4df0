#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/buffer.hpp"

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
  platform::release(memory);
}

TEST(Buffer, MoreThanThereIsThrowsBadAlloc) {
  EXPECT_THROW(Buffer<double>(index_t{1} << 55), std::bad_alloc);
}

TEST(Scratch, HasRoomForTheNextProblemOnceThatHasBeenSeen) {
  Scratch scratch;
  const double* places[3];
  for (const double*& place : places) {
    const Scratch::Scope scope(scratch);
    const Buffer<double> first(100), second(3);
    EXPECT_TRUE(is_aligned(second.data(), 64));
    place = first.data();
    if (&place != places) {
      EXPECT_EQ(second.data() - first.data(), 104);
    }
    std::fill(first.begin(), first.end(), 1.0);
    std::fill(second.begin(), second.end(), 2.0);
    EXPECT_EQ(first[99], 1.0);
  }
  EXPECT_EQ(places[2], places[1]);
}

TEST(Scratch, ThatIsTooSmallLeavesTheRestToTheSystem) {
  Scratch scratch;
  {
    const Scratch::Scope scope(scratch);
    const Buffer<float> small(16);
  }
  const Scratch::Scope scope(scratch);
  Buffer<float> small(16), large(1000), moved(2);
  std::fill(large.begin(), large.end(), 3.0F);
  moved = std::move(small);  // each is freed as what it was
  EXPECT_EQ(moved.size(), 16);
  EXPECT_EQ(large[999], 3.0F);
}

TEST(Scratch, ServesOnlyTheThreadOfItsScope) {
  Scratch scratch;
  for (int problem = 0; problem < 2; ++problem) {
    const Scratch::Scope scope(scratch);
    const Buffer<double> mine(50);
    std::thread([] { const Buffer<double> others(50); }).join();
    const Buffer<double> next(1);
    if (problem == 1) {
      EXPECT_EQ(next.data() - mine.data(), 56);
    }
  }
}

}  // namespace
}  // namespace eigentropy
