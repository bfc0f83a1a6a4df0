#include "fibers.hpp"

#include <ucontext.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <vector>

namespace eigentropy::cuda::emulated {
namespace {

constexpr int warp_size = 32;
constexpr std::size_t stack_bytes = std::size_t{1} << 17;

enum class State { ready, at_block_barrier, at_warp_barrier, at_condition, failed, ended };

// A place to go on from. The compiler's own setjmp and longjmp save only what they have to, and
// make no system call.
struct Place {
  void* registers[5];
};

// While another fiber runs, all registers change. The compiler must not look into these functions
// and conclude that some do not.
#ifdef __clang__
#define EIGENTROPY_OPAQUE __attribute__((noinline))
#else
#define EIGENTROPY_OPAQUE __attribute__((noipa))
#endif
[[noreturn]] EIGENTROPY_OPAQUE void leave_for(Place& there) {
  __builtin_longjmp(there.registers, 1);
}
// Returns when somebody goes to `here`.
EIGENTROPY_OPAQUE void go(Place& here, Place& there) {
  if (__builtin_setjmp(here.registers) == 0) leave_for(there);
}
EIGENTROPY_OPAQUE void go(Place& here, const ucontext_t& there) {
  if (__builtin_setjmp(here.registers) == 0) setcontext(&there);
}

// Entered once by ucontext, which makes system calls. From then on it runs one thread after the
// other: `where` is where it goes on, at a barrier or to begin the next one.
struct Fiber {
  std::unique_ptr<char[]> stack{new char[stack_bytes]};
  ucontext_t entry;
  Place where;
  State state = State::ended;
  bool entered = false;
  const std::function<bool()>* condition = nullptr;  // of State::at_condition
};

std::atomic<Order> order{Order::ascending};

class Block;
// The block that runs on this thread of the host. A plain pointer is found faster than the object.
EIGENTROPY_PER_THREAD Block* block = nullptr;

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
    block = this;
    ++number_;
    later_.clear();
    failure_ = nullptr;
    while (run_ready()) release();
    if (!later_.empty()) throw std::logic_error("a block ends before what it began");
  }

  void* slots() { return slots_.data() + running_thread / warp_size * warp_size * slot_bytes; }
  std::vector<char>& shared() { return shared_; }

  void wait(State state) {
    Fiber& fiber = *fibers_[running_thread];
    fiber.state = state;
    go(fiber.where, scheduler_);
  }
  void wait_until(const std::function<bool()>& condition) {
    while (!condition()) {
      fibers_[running_thread]->condition = &condition;
      wait(State::at_condition);
    }
  }
  void later(std::function<void()> action) { later_.push_back(std::move(action)); }
  [[noreturn]] void fail(const char* text) {
    failure_ = text;
    for (;;) wait(State::failed);
  }
  int number() const { return number_; }

 private:
  static void start(Fiber& fiber) {
    // A thread of a block that has failed still waits at its barrier: it is left there for good.
    if (fiber.state != State::ended) fiber.entered = false;
    fiber.state = State::ready;
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
    running_thread = i;
    Fiber& fiber = *fibers_[i];
    if (fiber.entered) return go(scheduler_, fiber.where);
    fiber.entered = true;
    getcontext(&fiber.entry);
    fiber.entry.uc_stack.ss_sp = fiber.stack.get();
    fiber.entry.uc_stack.ss_size = stack_bytes;
    fiber.entry.uc_link = nullptr;
    makecontext(&fiber.entry, &Block::enter, 0);
    go(scheduler_, fiber.entry);
  }

  static void enter();

  // Lets those go on whose barrier is complete: warps first.
  void release() {
    bool any = false;
    for (int first = 0; first < threads_; first += warp_size) {
      const int end = std::min(first + warp_size, threads_);
      if (all(first, end, State::at_warp_barrier)) any |= set_ready(first, end);
    }
    if (!any && all(0, threads_, State::at_block_barrier)) any = set_ready(0, threads_);
    for (int i = 0; i < threads_; ++i) {
      Fiber& fiber = *fibers_[i];
      if (fiber.state == State::at_condition && (*fiber.condition)()) any |= set_ready(i, i + 1);
    }
    if (any) return;
    if (failure_ != nullptr) throw std::logic_error(failure_);
    if (!later_.empty()) {
      const auto action = std::move(later_.front());
      later_.pop_front();
      action();
      return;
    }
    throw std::logic_error("threads of a block wait at different barriers");
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
  std::deque<std::function<void()>> later_;
  const char* failure_ = nullptr;
  int threads_ = 0, number_ = 0;
  Place scheduler_;
};

void Block::enter() {
  for (;;) {
    (*block->body_)();
    block->wait(State::ended);
  }
}

// The host may launch from several threads at once.
Block& own_block() {
  thread_local Block own;
  return own;
}

}  // namespace

EIGENTROPY_PER_THREAD int running_thread = 0;

void set_order(Order chosen) { order = chosen; }

void run_block(int threads, const std::function<void()>& body) { own_block().run(threads, body); }
void block_barrier() { block->wait(State::at_block_barrier); }
void warp_barrier() { block->wait(State::at_warp_barrier); }
void wait_until(const std::function<bool()>& condition) { block->wait_until(condition); }
void later(std::function<void()> action) { block->later(std::move(action)); }
void fail(const char* text) { block->fail(text); }
int block_number() { return block->number(); }
void* warp_slots() { return block->slots(); }

void* dynamic_shared() { return block->shared().data(); }
void set_dynamic_shared(std::size_t bytes) { own_block().shared().assign(bytes + 16, '\xFF'); }

}  // namespace eigentropy::cuda::emulated
