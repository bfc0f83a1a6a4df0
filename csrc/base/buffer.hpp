// Owned, aligned, uninitialised memory.
#pragma once

#include <new>
#include <utility>

#include "base/kept_blocks.hpp"
#include "base/platform.hpp"
#include "base/scratch.hpp"
#include "base/views.hpp"

namespace eigentropy {

// `size` elements of a plain number type, not initialised: an n x n matrix is written once by the
// threads that own its tiles, and zeroing it first would cost another pass over memory. The memory
// comes from the system or, inside a Scratch::Scope, from the scratch.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(index_t size) : size_(size) { allocate(); }
  Buffer(Buffer&& other) noexcept
      : size_(std::exchange(other.size_, 0)),
        data_(std::exchange(other.data_, nullptr)),
        from_scratch_(std::exchange(other.from_scratch_, false)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(data_, other.data_);
    std::swap(from_scratch_, other.from_scratch_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (from_scratch_) return;
    if (is_large()) {
      KeptBlocks::give(data_, bytes());
    } else {
      platform::release(data_);
    }
  }

  T* data() const { return data_; }
  index_t size() const { return size_; }
  T& operator[](index_t i) const { return data_[i]; }
  T* begin() const { return data_; }
  T* end() const { return data_ + size_; }

  // Gives the memory up; the caller gives it to platform::release. Not inside a Scratch::Scope.
  T* release() {
    size_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  void allocate() {
    if (size_ <= 0) return;
    void* memory = Scratch::take(bytes());
    from_scratch_ = memory != nullptr;
    if (!from_scratch_) memory = is_large() ? large_block() : platform::allocate(64, bytes());
    if (memory == nullptr) throw std::bad_alloc();
    data_ = static_cast<T*>(memory);
  }

  void* large_block() const {
    void* memory = KeptBlocks::take(bytes());
    if (memory != nullptr) return memory;
    memory = platform::allocate(platform::huge_page, bytes());
    // A 256 x 256 tile of a large matrix touches 256 small pages, more than the TLB holds. And each
    // small page that is touched for the first time interrupts the thread.
    if (memory != nullptr) platform::prefer_huge_pages(memory, bytes());
    return memory;
  }

  bool is_large() const {
    return static_cast<std::size_t>(size_) * sizeof(T) >= platform::huge_page / 4 * 3;
  }
  std::size_t bytes() const {
    const std::size_t alignment = is_large() ? platform::huge_page : 64;
    return (static_cast<std::size_t>(size_) * sizeof(T) + alignment - 1) / alignment * alignment;
  }

  index_t size_ = 0;
  T* data_ = nullptr;
  bool from_scratch_ = false;
};

}  // namespace eigentropy
