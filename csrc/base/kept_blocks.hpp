// Large blocks of memory that a computation has given back, for the next computation.
#pragma once

#include <cstddef>

// GCC and Clang tell in different ways that AddressSanitizer is there.
#if defined(__SANITIZE_ADDRESS__)
#define EIGENTROPY_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EIGENTROPY_ADDRESS_SANITIZER 1
#endif
#endif

namespace eigentropy {

// A measurement that is repeated takes blocks of the same sizes every time. When the system hands
// out a block, it clears the pages. When it takes a block back, every processor drops the addresses
// that it has cached. So the last few blocks are kept, 32 MiB at most.
class KeptBlocks {
 public:
  static constexpr std::size_t most = 4, largest = std::size_t{1} << 23;
  // AddressSanitizer is to see when a block is used that was given back.
#ifdef EIGENTROPY_ADDRESS_SANITIZER
  static constexpr bool keeps = false;
#else
  static constexpr bool keeps = true;
#endif

  // A block of exactly so many bytes, or null.
  static void* take(std::size_t bytes) noexcept;
  // Keeps a block of platform::allocate, or gives it back to the system.
  static void give(void* memory, std::size_t bytes) noexcept;
};

}  // namespace eigentropy
