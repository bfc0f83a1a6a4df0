#include "fibers.hpp"

#include <setjmp.h>
#include <ucontext.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

namespace eigentropy::cuda::emulated {
namespace {

constexpr int warp_size = 32;
constexpr std::size_t stack_bytes = std::size_t{1} << 17;

enum class State { ready, at_block_barrier, at_warp_barrier, ended };

// Entered by ucontext, switched by setjmp and longjmp, which make no system call.
struct Fiber {
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  ucontext_t entry;
  jmp_buf where;
  State state = State::ready;
  bool entered = false;
};

std::atomic<Order> order{Order::ascending};

class Block {
 public:
  void run(int threads, const std::function<void()>& body) {
    body_ = &body;
    threads_ = threads;
    while (fibers_.size() < static_cast<std::size_t>(threads)) {
      fibers_.push_back(std::make_unique<Fiber>());
    }
    slots_.assign(static_cast<std::size_t>(threads + warp_size) * slot_bytes, 0);
    for (int i = 0; i < threads; ++i) start(*fibers_[i]);
    while (run_ready()) release();
  }

  int index() const { return current_; }
  void* slots() { return slots_.data() + current_ / warp_size * warp_size * slot_bytes; }
  std::vector<char>& shared() { return shared_; }

  void wait(State state) {
    Fiber& fiber = *fibers_[current_];
    fiber.state = state;
    if (_setjmp(fiber.where) == 0) _longjmp(scheduler_, 1);
  }

 private:
  static void start(Fiber& fiber) {
    fiber.state = State::ready;
    fiber.entered = false;
  }

  // Returns whether a thread has not ended yet.
  bool run_ready() {
    const bool forward = order == Order::ascending;
    bool alive = false;
    for (int step = 0; step < threads_; ++step) {
      const int i = forward ? step : threads_ - 1 - step;
      if (fibers_[i]->state == State::ready) resume(i);
      alive = alive || fibers_[i]->state != State::ended;
    }
    return alive;
  }

  void resume(int i) {
    current_ = i;
    Fiber& fiber = *fibers_[i];
    if (_setjmp(scheduler_) != 0) return;
    if (fiber.entered) _longjmp(fiber.where, 1);
    fiber.entered = true;
    getcontext(&fiber.entry);
    fiber.entry.uc_stack.ss_sp = fiber.stack.get();
    fiber.entry.uc_stack.ss_size = stack_bytes;
    fiber.entry.uc_link = nullptr;
    makecontext(&fiber.entry, &Block::enter, 0);
    setcontext(&fiber.entry);
  }

  static void enter();

  void end() {
    fibers_[current_]->state = State::ended;
    _longjmp(scheduler_, 1);
  }

  // Lets those go on whose barrier is complete: warps first.
  void release() {
    bool any = false;
    for (int first = 0; first < threads_; first += warp_size) {
      const int end = std::min(first + warp_size, threads_);
      if (all(first, end, State::at_warp_barrier)) any |= set_ready(first, end);
    }
    if (!any && all(0, threads_, State::at_block_barrier)) any = set_ready(0, threads_);
    if (!any) throw std::logic_error("threads of a block wait at different barriers");
  }
  bool all(int begin, int end, State state) const {
    for (int i = begin; i < end; ++i) {
      if (fibers_[i]->state != state && fibers_[i]->state != State::ended) return false;
    }
    return true;
  }
  bool set_ready(int begin, int end) {
    bool any = false;
    for (int i = begin; i < end; ++i) {
      if (fibers_[i]->state == State::ended) continue;
      fibers_[i]->state = State::ready;
      any = true;
    }
    return any;
  }

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<char> slots_, shared_;
  const std::function<void()>* body_ = nullptr;
  int threads_ = 0, current_ = 0;
  jmp_buf scheduler_;
};

// The host may launch from several threads at once.
thread_local Block block;

void Block::enter() {
  (*block.body_)();
  block.end();
}

}  // namespace

void set_order(Order chosen) { order = chosen; }

void run_block(int threads, const std::function<void()>& body) { block.run(threads, body); }
int thread_index() { return block.index(); }
void block_barrier() { block.wait(State::at_block_barrier); }
void warp_barrier() { block.wait(State::at_warp_barrier); }
void* warp_slots() { return block.slots(); }

void* dynamic_shared() { return block.shared().data(); }
void set_dynamic_shared(std::size_t bytes) { block.shared().assign(bytes + 16, '\xFF'); }

}  // namespace eigentropy::cuda::emulated
