#include "core/threads.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "cpu/blas.hpp"

namespace eigentropy {
namespace {

int threads_of_environment() {
  for (const char* name : {"EIGENTROPY_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    const int count = text != nullptr ? std::atoi(text) : 0;
    if (count > 0) return count;
  }
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::atomic<int>& configured_threads() {
  static std::atomic<int> count{threads_of_environment()};
  return count;
}

// Number of live SingleThreadedBlas scopes. A child of fork() has none of the threads that hold
// them, so it starts again from zero with a fresh lock.
struct BlasScopes {
  std::mutex lock;
  int live = 0;

  static BlasScopes& instance() {
    static BlasScopes scopes;
    static const int registered =
        pthread_atfork([] { instance().lock.lock(); }, [] { instance().lock.unlock(); },
                       [] {
                         instance().live = 0;
                         instance().lock.unlock();
                       });
    static_cast<void>(registered);
    return scopes;
  }
};

}  // namespace

int thread_count() { return configured_threads().load(); }

void set_thread_count(int count) {
  configured_threads().store(std::max(1, count));
  BlasScopes& scopes = BlasScopes::instance();
  const std::lock_guard<std::mutex> guard(scopes.lock);
  if (scopes.live == 0) blas::set_threads(thread_count());
}

SingleThreadedBlas::SingleThreadedBlas() {
  BlasScopes& scopes = BlasScopes::instance();
  const std::lock_guard<std::mutex> guard(scopes.lock);
  if (scopes.live++ == 0) blas::set_threads(1);
}

SingleThreadedBlas::~SingleThreadedBlas() {
  BlasScopes& scopes = BlasScopes::instance();
  const std::lock_guard<std::mutex> guard(scopes.lock);
  // live is 0 in a child that was forked inside this scope.
  if (scopes.live == 0 || --scopes.live == 0) blas::set_threads(thread_count());
}

void parallel_for(index_t count, int threads, const std::function<void(index_t, int)>& task) {
  std::atomic<index_t> next{0};
  std::atomic<bool> stop{false};
  std::exception_ptr failure;
  std::mutex failure_lock;

  const auto work = [&](int worker) {
    while (!stop.load(std::memory_order_relaxed)) {
      const index_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      try {
        task(index, worker);
      } catch (...) {
        const std::lock_guard<std::mutex> guard(failure_lock);
        if (!failure) failure = std::current_exception();
        stop.store(true, std::memory_order_relaxed);
      }
    }
  };

  std::vector<std::thread> helpers;
  const int wanted = static_cast<int>(std::min<index_t>(threads, count));
  for (int worker = 1; worker < wanted; ++worker) {
    try {
      helpers.emplace_back(work, worker);
    } catch (const std::system_error&) {
      break;  // the process may start no more threads: the ones there are do the work
    }
  }
  work(0);
  for (std::thread& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace eigentropy
