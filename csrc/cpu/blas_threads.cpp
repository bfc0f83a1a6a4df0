#include "cpu/blas_threads.hpp"

#include <pthread.h>

#include <algorithm>
#include <mutex>

#include "base/threads.hpp"
#include "cpu/blas.hpp"

namespace eigentropy {
namespace {

// Numbers of live scopes. A child of fork() has none of the threads that hold them, so it starts
// again from zero with a fresh lock.
struct BlasScopes {
  std::mutex lock;
  int single = 0, several = 0;

  void apply() const { blas::set_threads(several > 0 && single == 0 ? thread_count() : 1); }

  static BlasScopes& instance() {
    static BlasScopes scopes;
    static const int registered =
        pthread_atfork([] { instance().lock.lock(); }, [] { instance().lock.unlock(); },
                       [] {
                         instance().single = instance().several = 0;
                         instance().lock.unlock();
                       });
    static_cast<void>(registered);
    return scopes;
  }
};

// Counts a scope that begins or ends. A count is 0 already in a child that was forked inside one.
void change(int BlasScopes::* count, int by) {
  BlasScopes& scopes = BlasScopes::instance();
  const std::lock_guard<std::mutex> guard(scopes.lock);
  scopes.*count = std::max(0, scopes.*count + by);
  scopes.apply();
}

}  // namespace

void apply_blas_threads() { change(&BlasScopes::single, 0); }

SingleThreadedBlas::SingleThreadedBlas() { change(&BlasScopes::single, 1); }
SingleThreadedBlas::~SingleThreadedBlas() { change(&BlasScopes::single, -1); }

ThreadedBlas::ThreadedBlas() { change(&BlasScopes::several, 1); }
ThreadedBlas::~ThreadedBlas() { change(&BlasScopes::several, -1); }

}  // namespace eigentropy
