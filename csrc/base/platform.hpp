// What the systems do in different ways. No other file of csrc/ calls one of them directly:
// scripts/check_includes.sh names the file that does.
#pragma once

#include <cstddef>

namespace eigentropy::platform {

// Memory that starts at a multiple of `alignment`, a power of two; null if there is none. `bytes`
// is a multiple of it. `release` gives it back.
void* allocate(std::size_t alignment, std::size_t bytes);
void release(void* memory) noexcept;

// Asks for large pages under memory that starts at a multiple of huge_page; a wish.
constexpr std::size_t huge_page = std::size_t{1} << 21;
void prefer_huge_pages(void* memory, std::size_t bytes) noexcept;

// How many processors this process may run on, 0 if the system does not tell.
int allowed_processors();

// Differs in a child of fork(), which has none of its parent's threads.
long process();

// From now on fork() calls these before it, and after it in the parent and in the child; null for
// nothing. Where there is no fork() nothing is called.
using ForkHandler = void (*)();
void at_fork(ForkHandler before, ForkHandler parent, ForkHandler child);

}  // namespace eigentropy::platform
