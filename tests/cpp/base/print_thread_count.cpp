// Prints thread_count() of a fresh process, where it is decided; with "pinned", of a process that
// may run on one processor only.
#include <sched.h>

#include <cstdio>
#include <cstring>

#include "base/threads.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "pinned") == 0) {
    cpu_set_t allowed, first;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
    CPU_ZERO(&first);
    for (int cpu = 0; CPU_COUNT(&first) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &first);
    }
    if (sched_setaffinity(0, sizeof first, &first) != 0) return 1;
  }
  std::printf("%d\n", eigentropy::thread_count());
}
