// How many threads BLAS may use.
#pragma once

namespace eigentropy {

// Tells BLAS how many threads it may use now: when the process begins, since BLAS starts with a
// number of its own, and after set_thread_count.
void apply_blas_threads();

// BLAS and LAPACK run on the thread that calls them, but while one of these lives: around the few
// routines that have no loop of ours above them. Its threads wait by spinning, also for a while
// after the last call. Process-wide, since BLAS knows no other way; scopes of several threads are
// counted.
class ThreadedBlas {
 public:
  ThreadedBlas();
  ~ThreadedBlas();
  ThreadedBlas(const ThreadedBlas&) = delete;
  ThreadedBlas& operator=(const ThreadedBlas&) = delete;
};

// Keeps BLAS to one thread although another thread has a ThreadedBlas: around loops that are
// parallel themselves, and whose results must not depend on what else is running.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;
};

}  // namespace eigentropy
