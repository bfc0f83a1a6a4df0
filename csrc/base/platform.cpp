// Linux is tested. The branches for macOS and Windows are experimental: the public workflows
// are to compile and test them, and have not run yet.
#include "base/platform.hpp"

#include <cstdlib>

#if defined(_WIN32)

#include <malloc.h>
#include <process.h>

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

namespace eigentropy::platform {

void* allocate(std::size_t alignment, std::size_t bytes) {
  return _aligned_malloc(bytes, alignment);
}
void release(void* memory) noexcept { _aligned_free(memory); }

void prefer_huge_pages(void*, std::size_t) noexcept {}  // these need a right that users lack

int allowed_processors() {
  DWORD_PTR of_process = 0, of_system = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &of_process, &of_system) == 0) return 0;
  int count = 0;
  for (; of_process != 0; of_process &= of_process - 1) ++count;
  return count;
}

long process() { return _getpid(); }
void at_fork(ForkHandler, ForkHandler, ForkHandler) {}

}  // namespace eigentropy::platform

#else

#include <pthread.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#endif

namespace eigentropy::platform {

void* allocate(std::size_t alignment, std::size_t bytes) {
  return std::aligned_alloc(alignment, bytes);
}
void release(void* memory) noexcept { std::free(memory); }

#if defined(__linux__)
void prefer_huge_pages(void* memory, std::size_t bytes) noexcept {
  madvise(memory, bytes, MADV_HUGEPAGE);
}

int allowed_processors() {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 0;
}
#else  // macOS decides about pages itself, and ties no process to processors
void prefer_huge_pages(void*, std::size_t) noexcept {}
int allowed_processors() { return 0; }
#endif

long process() { return getpid(); }
void at_fork(ForkHandler before, ForkHandler parent, ForkHandler child) {
  pthread_atfork(before, parent, child);
}

}  // namespace eigentropy::platform

#endif
