#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

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

// Where none are kept, as under AddressSanitizer, these tests have nothing to see.
class KeptMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (!KeptBlocks::keeps) GTEST_SKIP() << "no blocks are kept";
    replace_all(2 * block);
  }
  // Other blocks, of this size, take the places of all that are kept.
  static void replace_all(index_t size) {
    std::vector<Buffer<char>> others;
    for (std::size_t i = 0; i < 2 * KeptBlocks::most; ++i) others.emplace_back(size);
  }
  static void* address(index_t size) { return Buffer<char>(size).data(); }

  static constexpr index_t block = index_t{1} << 21;
};

TEST_F(KeptMemory, ALargeBufferHasTheMemoryOfTheLastOneOfItsSize) {
  void* const first = address(3 * block);
  EXPECT_EQ(address(3 * block), first);
  EXPECT_NE(address(4 * block), first);  // which leaves it where it is
  EXPECT_EQ(address(3 * block - 7), first);
  EXPECT_TRUE(is_aligned(first, std::uintptr_t{1} << 21));
}

TEST_F(KeptMemory, OneBlockIsNeverInTwoBuffers) {
  void* const first = address(3 * block);
  const Buffer<char> one(3 * block), two(3 * block);
  EXPECT_EQ(one.data(), first);
  EXPECT_NE(two.data(), first);
}

TEST_F(KeptMemory, OnlyTheLastBlocksAreKept) {
  address(3 * block);
  replace_all(4 * block);
  EXPECT_EQ(KeptBlocks::take(static_cast<std::size_t>(3 * block)), nullptr);
}

TEST_F(KeptMemory, LargerBlocksAreGivenBack) {
  const auto largest = static_cast<index_t>(KeptBlocks::largest);
  Buffer<char>{largest};
  Buffer<char>{largest + 1};
  void* const kept = KeptBlocks::take(KeptBlocks::largest);
  EXPECT_NE(kept, nullptr);
  EXPECT_EQ(KeptBlocks::take(KeptBlocks::largest + platform::huge_page), nullptr);
  KeptBlocks::give(kept, KeptBlocks::largest);
}

TEST_F(KeptMemory, SeveralThreadsHaveBlocksOfTheirOwn) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (char mark = 1; mark <= 4; ++mark) {
    threads.emplace_back([&wrong, mark] {
      for (int turn = 0; turn < 200; ++turn) {
        const Buffer<char> mine(2 * block);
        std::fill(mine.begin(), mine.begin() + 4096, mark);
        wrong += static_cast<int>(std::count(mine.begin(), mine.begin() + 4096, mark) != 4096);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
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
