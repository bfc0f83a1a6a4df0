// Memory for small problems that follow each other, of which only the first asks the system for
// any.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace eigentropy {

// A stretch of memory from which a thread's Buffers are cut, one behind the other, and which is
// free again as a whole when the problem is over. What does not fit comes from the system; the next
// problem finds as much as this one wanted.
class Scratch {
 public:
  // While one lives, the Buffers that this thread makes are cut from the scratch. None of them may
  // outlive it.
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

  // Memory of the thread's scope; null where there is none, or no room. `bytes` is a multiple
  // of 64.
  static void* take(std::size_t bytes) {
    Scratch* const scratch = current();
    return scratch == nullptr ? nullptr : scratch->cut(bytes);
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
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
      memory_.reset();  // before there is more
      memory_.reset(static_cast<unsigned char*>(std::aligned_alloc(64, wanted_)));
      size_ = memory_ == nullptr ? 0 : wanted_;
    }
    wanted_ = 0;
  }

  std::unique_ptr<unsigned char, Free> memory_;
  std::size_t size_ = 0;
  std::size_t wanted_ = 0;  // by the Buffers of this scope so far
};

}  // namespace eigentropy
