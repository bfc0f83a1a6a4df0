#include "base/kept_blocks.hpp"

#include <mutex>
#include <utility>

#include "base/platform.hpp"

namespace eigentropy {
namespace {

struct Block {
  void* memory;
  std::size_t bytes;
};

std::mutex lock;
Block kept[KeptBlocks::most] = {};
std::size_t oldest = 0;  // which one makes room

}  // namespace

// Neither function waits for the lock. If another thread holds the lock during fork(), the lock
// stays locked in the child, which then keeps no blocks.
void* KeptBlocks::take(std::size_t bytes) noexcept {
  const std::unique_lock<std::mutex> mine(lock, std::try_to_lock);
  if (!mine) return nullptr;
  for (Block& block : kept) {
    if (block.memory != nullptr && block.bytes == bytes) {
      return std::exchange(block.memory, nullptr);
    }
  }
  return nullptr;
}

void KeptBlocks::give(void* memory, std::size_t bytes) noexcept {
  Block out{memory, bytes};
  if (keeps && memory != nullptr && bytes <= largest) {
    const std::unique_lock<std::mutex> mine(lock, std::try_to_lock);
    if (mine) {
      for (Block& block : kept) {
        if (out.memory != nullptr && block.memory == nullptr) std::swap(block, out);
      }
      if (out.memory != nullptr) {
        std::swap(kept[oldest], out);
        oldest = (oldest + 1) % most;
      }
    }
  }
  platform::release(out.memory);
}

}  // namespace eigentropy
