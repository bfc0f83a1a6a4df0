// Threads: how many there are, and parallel loops.
#pragma once

#include <functional>
#include <memory>

#include "base/views.hpp"

namespace eigentropy {

// EIGENTROPY_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may run on; no
// more than the limit of the calling thread.
int thread_count();
void set_thread_count(int count);

// The most threads that a computation of the calling thread may take; 0 is no limit. Threads that
// compute at the same time set a limit, so that they share the processors.
int thread_limit();
void limit_threads(int most);

// The body of a loop, task(index, worker). It refers to the caller's function; std::function would
// copy the function, possibly to the heap.
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

// The function that a compiler calls for `#pragma omp parallel`. It runs function(data) on
// `threads` threads, one of which is the caller's, and returns when all of them have finished.
using OpenMpParallel = void (*)(void (*function)(void*), void* data, unsigned threads,
                                unsigned flags);

// Lends the threads of an OpenMP runtime that the process already has, such as PyTorch's; null
// takes them back. OpenMP's threads spin for a while after each of their loops, and threads of our
// own would have to share the cores with the spinning ones. A child of fork() has no such threads
// and borrows none.
void lend_threads(OpenMpParallel parallel);
bool threads_are_lent();

// Calls work() on this thread. The parallel loops inside work() run on the lent threads, at most
// `threads` of them with this one, or on this thread alone where threads is 1 or none are lent. The
// helpers enter one OpenMP region for the whole of work() and wait inside it for the next loop:
// entering and leaving a region for every loop would mean waiting every time for the slowest
// helper, which takes long if another process has its core. OpenMP keeps a separate team for each
// calling thread. The spinning team belongs to the thread that calls PyTorch, so call this function
// on that thread.
void borrow_threads(int threads, const std::function<void()>& work);

// The state that the threads of a team share.
struct Crew;

// Threads for loops that follow each other closely: starting them takes longer than a short loop.
// Between two loops they wait for a moment without giving up their core, and then sleep.
class ThreadTeam {
 public:
  // A team of `threads` threads, the caller's included, or of fewer if the process may start no
  // more. Inside borrow_threads the team is the borrowed one, and beside a CommonTeam it is that.
  explicit ThreadTeam(int threads);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  // Calls task(index, worker) for each index in [0, count), in ascending order of start;
  // worker < threads identifies the thread's workspace. The first exception stops the loop and is
  // rethrown here.
  void for_each(index_t count, Task task);

 private:
  friend class CommonTeam;
  int threads_;
  std::unique_ptr<Crew> own_;
  Crew* crew_ = nullptr;  // null if there is no thread but the caller's
};

// While it lives, the loops of this thread run on one team. A computation of a few milliseconds has
// a dozen loops, and starting threads for each loop would take a part of that time.
class CommonTeam {
 public:
  explicit CommonTeam(int threads);
  ~CommonTeam();
  CommonTeam(const CommonTeam&) = delete;
  CommonTeam& operator=(const CommonTeam&) = delete;

 private:
  ThreadTeam team_;
  Crew* outer_;
};

// A single loop. Without a CommonTeam its threads are started and joined here. No thread outlives
// the computation, so fork() loses none.
void parallel_for(index_t count, int threads, Task task);

}  // namespace eigentropy
