#include "cpu/blas_threads.hpp"

#include <algorithm>
#include <mutex>

#include "base/platform.hpp"
#include "base/threads.hpp"
#include "cpu/blas.hpp"

namespace eigentropy {
namespace {

// How many scopes are alive. A child of fork() has none of the threads that hold scopes, so it
// starts from zero with an unlocked lock.
struct BlasScopes {
  std::mutex lock;
  int single = 0, several = 0;

  void apply() const { blas::set_threads(several > 0 && single == 0 ? thread_count() : 1); }

  static BlasScopes& instance() {
    static BlasScopes scopes;
    static const bool registered = [] {
      platform::at_fork([] { instance().lock.lock(); }, [] { instance().lock.unlock(); },
                        [] {
                          instance().single = instance().several = 0;
                          instance().lock.unlock();
                        });
      return true;
    }();
    static_cast<void>(registered);
    return scopes;
  }
};

// Counts a scope that begins or ends. In a child that was forked inside a scope the count is 0 when
// that scope ends.
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
