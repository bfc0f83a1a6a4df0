// How many threads BLAS may use.
#pragma once

namespace eigentropy {

// Tells BLAS how many threads it may use now: when the process begins, since BLAS starts with a
// number of its own, and after set_thread_count.
void apply_blas_threads();

// While a ThreadedBlas lives, BLAS and LAPACK may use all threads; otherwise they run on the thread
// that calls them. It is for the few routines that no parallel loop of ours calls. BLAS's threads
// wait by spinning, and go on spinning for a while after the last call. The setting is process-wide
// because BLAS has no other, so the scopes of all threads are counted together.
class ThreadedBlas {
 public:
  ThreadedBlas();
  ~ThreadedBlas();
  ThreadedBlas(const ThreadedBlas&) = delete;
  ThreadedBlas& operator=(const ThreadedBlas&) = delete;
};

// Keeps BLAS to one thread even while another thread has a ThreadedBlas. It is for loops that are
// parallel themselves and whose results must not depend on what else is running.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;
};

}  // namespace eigentropy
