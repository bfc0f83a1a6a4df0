// Threads: how many there are, and parallel loops.
#pragma once

#include <functional>
#include <memory>

#include "base/views.hpp"

namespace eigentropy {

// EIGENTROPY_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may run on.
int thread_count();
void set_thread_count(int count);

// task(index, worker) of a loop: a reference to the caller's function, where std::function would
// copy it, to the heap if need be.
class Task {
 public:
  template <class Function>
  Task(const Function& function)  // NOLINT: any function is one
      : function_(&function), call_([](const void* f, index_t index, int worker) {
          (*static_cast<const Function*>(f))(index, worker);
        }) {}
  void operator()(index_t index, int worker) const { call_(function_, index, worker); }

 private:
  const void* function_;
  void (*call_)(const void*, index_t, int);
};

// What a compiler calls for `#pragma omp parallel`: function(data) on so many threads, the caller's
// included. All of them are through when it returns.
using OpenMpParallel = void (*)(void (*function)(void*), void* data, unsigned threads,
                                unsigned flags);

// Lends the threads of an OpenMP runtime that the process has already, such as PyTorch's; null
// takes them back. They spin for a while after each of their loops, and threads of our own
// that start meanwhile share the cores with them. A child of fork() has none of them, and borrows
// none.
void lend_threads(OpenMpParallel parallel);
bool threads_are_lent();

// Calls work() on this thread; the loops that it begins here run on threads that are lent, if there
// are any, at most `threads` with this one; of 1, on this thread alone. They come once, and wait
// inside for one loop after the other: to enter and leave OpenMP's own loop each time is to wait
// each time for the last of them, which takes long where something else has its core. OpenMP
// has other threads for each thread that calls it: those that spin are of the one that calls
// PyTorch.
void borrow_threads(int threads, const std::function<void()>& work);

// What the threads of a team have in common.
struct Crew;

// Threads for loops that follow each other closely: starting them takes longer than a short loop.
// Between two loops they wait for a moment without giving up their core, and then sleep.
class ThreadTeam {
 public:
  // Of `threads` threads, the caller's included; fewer if the process may start no more. Inside of
  // borrow_threads those that are there.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  // Calls task(index, worker) for each index in [0, count), in ascending order of start;
  // worker < threads identifies the thread's workspace. The first exception stops the loop and is
  // rethrown here.
  void for_each(index_t count, Task task);

 private:
  int threads_;
  std::unique_ptr<Crew> own_;
  Crew* crew_ = nullptr;  // null if there is no thread but the caller's
};

// One such loop. Threads of our own are started here and joined here: nothing outlives the call, so
// nothing is lost by fork().
void parallel_for(index_t count, int threads, Task task);

}  // namespace eigentropy
