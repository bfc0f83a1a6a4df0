// Whether a sanitizer or an emulator is at work, which makes everything many times slower: sizes
// are smaller then.
#pragma once

namespace eigentropy::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(EIGENTROPY_SMALL_TESTS)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

}  // namespace eigentropy::testing
