// Memory for small problems that follow each other. Only the first problem asks the system for
// memory.
#pragma once

#include <cstddef>
#include <memory>

#include "base/platform.hpp"

namespace eigentropy {

// A stretch of memory from which a thread's Buffers are cut one after the other. All of it is free
// again when the problem is over. A Buffer that does not fit comes from the system, and the scratch
// then grows so that the next problem of this size fits.
class Scratch {
 public:
  // While a scope lives, the Buffers that this thread makes are cut from the scratch. No such
  // Buffer may outlive the scope.
  class Scope {
   public:
    explicit Scope(Scratch& scratch) : scratch_(scratch), outer_(current()) {
      current() = &scratch;
    }
    ~Scope() {
      current() = outer_;
      scratch_.reset();
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Scratch& scratch_;
    Scratch* outer_;
  };

  // Memory of the thread's scope, or null if there is no scope or no room. `bytes` is a multiple of
  // 64.
  static void* take(std::size_t bytes) {
    Scratch* const scratch = current();
    return scratch == nullptr ? nullptr : scratch->cut(bytes);
  }

 private:
  struct Free {
    void operator()(void* memory) const { platform::release(memory); }
  };

  static Scratch*& current() {
    thread_local Scratch* scratch = nullptr;
    return scratch;
  }

  void* cut(std::size_t bytes) {
    const std::size_t start = wanted_;
    wanted_ += bytes;
    return wanted_ <= size_ ? memory_.get() + start : nullptr;
  }

  void reset() {
    if (wanted_ > size_) {
      memory_.reset();  // first, so that both are never there at once
      memory_.reset(static_cast<unsigned char*>(platform::allocate(64, wanted_)));
      size_ = memory_ == nullptr ? 0 : wanted_;
    }
    wanted_ = 0;
  }

  std::unique_ptr<unsigned char, Free> memory_;
  std::size_t size_ = 0;
  std::size_t wanted_ = 0;  // by the Buffers of this scope so far
};

}  // namespace eigentropy
