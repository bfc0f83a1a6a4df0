#include <cstring>
#include <deque>
#include <vector>

#include "cuda_runtime.h"

namespace eigentropy::cuda::emulated {
namespace {

struct Copy {
  void* to;
  const void* from;
};
constexpr std::size_t bytes = 16;

// What a thread of the block has under way: the group that it is still collecting, and those that
// it has ended, the oldest first.
struct Copies {
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> ended;
};

std::vector<Copies>& copies_of_block() {
  thread_local std::vector<Copies> copies;
  return copies;
}

Copies& own_copies() {
  auto& copies = copies_of_block();
  const auto thread = static_cast<std::size_t>(thread_index());
  if (copies.size() <= thread) copies.resize(thread + 1);
  return copies[thread];
}

}  // namespace

void forget_copies() { copies_of_block().clear(); }

// As late as CUDA allows: the data arrive when the thread has waited for them. Until then there are
// NaNs, and what was there before is gone.
void start_copy(void* to, const void* from) {
  std::memset(to, 0xFF, bytes);
  own_copies().open.push_back({to, from});
}
void end_group_of_copies() {
  Copies& copies = own_copies();
  copies.ended.push_back(std::move(copies.open));
  copies.open.clear();
}
void wait_for_copies(int pending) {
  auto& ended = own_copies().ended;
  while (ended.size() > static_cast<std::size_t>(pending)) {
    for (const Copy& copy : ended.front()) std::memcpy(copy.to, copy.from, bytes);
    ended.pop_front();
  }
}

}  // namespace eigentropy::cuda::emulated
