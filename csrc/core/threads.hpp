// Threads: how many, a parallel loop, and how many of them BLAS may use.
#pragma once

#include <functional>

#include "core/views.hpp"

namespace eigentropy {

// EIGENTROPY_NUM_THREADS, else OMP_NUM_THREADS, else the processors this process may run on.
int thread_count();
void set_thread_count(int count);

// Calls task(index, worker) for each index in [0, count), in ascending order of start, on at most
// `threads` threads; worker < threads identifies the thread's workspace. The first exception stops
// the loop and is rethrown here.
//
// The threads are started here and joined here. Nothing outlives the call, so nothing is lost by
// fork(), at the cost of starting them, which is small beside any loop here.
void parallel_for(index_t count, int threads, const std::function<void(index_t, int)>& task);

// While one of these lives, BLAS and LAPACK calls run on the thread that makes them: used around
// loops that are parallel themselves. Process-wide, since BLAS knows no other way; overlapping
// scopes of several threads are counted.
class SingleThreadedBlas {
 public:
  SingleThreadedBlas();
  ~SingleThreadedBlas();
  SingleThreadedBlas(const SingleThreadedBlas&) = delete;
  SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;
};

}  // namespace eigentropy
