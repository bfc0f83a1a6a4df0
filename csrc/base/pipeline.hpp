// A pipeline: threads work on successive columns, each column some steps behind the one before.
#pragma once

#include <atomic>
#include <limits>
#include <new>
#include <thread>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/errors.hpp"

namespace eigentropy {

// Records how far each column has come. A column waits only for work that was begun before it, so
// the first of the unfinished work never waits: there is no deadlock.
class Pipeline {
 public:
  explicit Pipeline(index_t columns) : done_(columns) {
    for (Counter& counter : done_) new (&counter) Counter();
  }

  // Before the threads start.
  void restart(index_t columns) {
    for (index_t i = 0; i < columns; ++i) done_[i].steps.store(0, std::memory_order_relaxed);
    stopped_.store(false, std::memory_order_relaxed);
  }

  // The first `steps` steps of the column are done.
  void advance(index_t column, index_t steps) {
    done_[column].steps.store(steps, std::memory_order_release);
  }
  void finish(index_t column) { advance(column, std::numeric_limits<index_t>::max()); }

  bool finished(index_t column) const {
    return done_[column].steps.load(std::memory_order_acquire) ==
           std::numeric_limits<index_t>::max();
  }

  // Returns the steps of the column that are done, at least `wanted`.
  index_t wait(index_t column, index_t wanted, const Control& control) const {
    constexpr int patience = 200;  // a short while, then others may have the core
    for (int turn = 0;; ++turn) {
      const index_t steps = done_[column].steps.load(std::memory_order_acquire);
      if (steps >= wanted) return steps;
      if (stopped_.load(std::memory_order_relaxed)) throw Interrupted();
      if (turn < patience) {
        pause();
      } else {
        control.check();
        std::this_thread::yield();
      }
    }
  }

  // Stops every thread that waits for the caller.
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

 private:
  struct alignas(64) Counter {
    std::atomic<index_t> steps{0};
  };

  static void pause() {
#ifdef EIGENTROPY_X86
    __builtin_ia32_pause();
#endif
  }

  Buffer<Counter> done_;
  std::atomic<bool> stopped_{false};
};

}  // namespace eigentropy
