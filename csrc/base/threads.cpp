#include "base/threads.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/platform.hpp"

namespace eigentropy {
namespace {

int threads_of_environment() {
  for (const char* name : {"EIGENTROPY_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(name);
    const int count = text != nullptr ? std::atoi(text) : 0;
    if (count > 0) return count;
  }
  if (const int allowed = platform::allowed_processors()) return allowed;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::atomic<int>& configured_threads() {
  static std::atomic<int> count{threads_of_environment()};
  return count;
}

thread_local int most_threads = 0;

}  // namespace

int thread_count() {
  const int configured = configured_threads().load();
  return most_threads > 0 ? std::min(most_threads, configured) : configured;
}

void set_thread_count(int count) { configured_threads().store(std::max(1, count)); }

int thread_limit() { return most_threads; }

void limit_threads(int most) { most_threads = std::max(0, most); }

namespace {

// One loop: indices handed out in order, and the first failure.
class Loop {
 public:
  void restart(index_t count, const Task* task) {
    count_ = count;
    task_ = task;
    next_.store(0, std::memory_order_relaxed);
    stop_.store(false, std::memory_order_relaxed);
    failure_ = nullptr;
  }

  void work(int worker) {
    while (!stop_.load(std::memory_order_relaxed)) {
      const index_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count_) return;
      try {
        (*task_)(index, worker);
      } catch (...) {
        const std::lock_guard<std::mutex> guard(lock_);
        if (!failure_) failure_ = std::current_exception();
        stop_.store(true, std::memory_order_relaxed);
      }
    }
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  index_t count_ = 0;
  const Task* task_ = nullptr;
  std::atomic<index_t> next_{0};
  std::atomic<bool> stop_{false};
  std::mutex lock_;
  std::exception_ptr failure_;
};

// A number that threads wait for.
class Counter {
 public:
  int value() const { return value_.load(std::memory_order_acquire); }
  void set(int value) { value_.store(value, std::memory_order_release); }

  int add(int change) {
    const int now = value_.fetch_add(change, std::memory_order_acq_rel) + change;
    {
      const std::lock_guard<std::mutex> nobody_is_about_to_sleep(lock_);
    }
    changed_.notify_all();
    return now;
  }

  // Returns once the value is no longer `old`.
  void wait_while(int old) {
    constexpr int patience =
        1000;  // some microseconds, which is shorter than sleeping and being woken
    for (int turn = 0; turn < patience; ++turn) {
      if (value() != old) return;
#ifdef EIGENTROPY_X86
      __builtin_ia32_pause();
#endif
    }
    std::unique_lock<std::mutex> guard(lock_);
    changed_.wait(guard, [&] { return value() != old; });
  }

 private:
  std::atomic<int> value_{0};
  std::mutex lock_;
  std::condition_variable changed_;
};

}  // namespace

struct Crew {
  // A helper runs this until the crew is dismissed.
  void serve(int worker) {
    for (int seen = 0;;) {
      loops.wait_while(seen);
      // Before `ending` is read: a crew that is dismissed in between would be waited for forever.
      seen = loops.value();
      if (ending.load(std::memory_order_relaxed)) return;
      inside.add(1);
      if (open.load() && worker < workers.load()) loop.work(worker);
      inside.add(-1);
    }
  }

  void run(index_t count, const Task& task, int threads) {
    running = true;
    loop.restart(count, &task);
    workers.store(threads);
    open.store(true);
    loops.add(1);
    loop.work(0);
    // Do not wait for a helper that has not come yet, as other processes may have its core.
    open.store(false);
    for (int left; (left = inside.value()) != 0;) inside.wait_while(left);
    running = false;
    loop.rethrow();
  }

  void dismiss() {
    ending.store(true, std::memory_order_relaxed);
    loops.add(1);
  }

  Loop loop;
  Counter loops;                  // how many loops were begun
  std::atomic<bool> open{false};  // whether a helper may still join the last loop
  std::atomic<int> workers{0};    // how many threads the last loop has room for
  Counter inside;                 // how many helpers may be in the loop
  std::atomic<bool> ending{false};
  bool running = false;  // only the thread that begins the loops reads this
  std::vector<std::thread> helpers;
};

namespace {

std::atomic<OpenMpParallel> lent{nullptr};
thread_local Crew* common = nullptr;  // runs the loops of this thread

struct Borrowing {
  static void take_part(void* data) {
    auto& mine = *static_cast<Borrowing*>(data);
    if (std::this_thread::get_id() != mine.caller) {
      mine.crew.serve(1 + mine.helpers.fetch_add(1, std::memory_order_relaxed));
      return;
    }
    common = &mine.crew;
    try {
      mine.work();
    } catch (...) {  // an exception must not pass through OpenMP
      mine.failure = std::current_exception();
    }
    common = nullptr;
    mine.crew.dismiss();
  }

  const std::function<void()>& work;
  std::thread::id caller = std::this_thread::get_id();
  Crew crew{};
  std::atomic<int> helpers{0};
  std::exception_ptr failure{};
};

void run_alone(void (*function)(void*), void* data, unsigned, unsigned) { function(data); }

}  // namespace

void lend_threads(OpenMpParallel parallel) {
  static const bool registered = [] {
    platform::at_fork(nullptr, nullptr, [] {
      lent.store(nullptr);
      // The crew's helpers are gone, and one of them may have held a lock of the crew.
      common = nullptr;
    });
    return true;
  }();
  static_cast<void>(registered);
  lent.store(parallel);
}

bool threads_are_lent() { return lent.load() != nullptr; }

void borrow_threads(int threads, const std::function<void()>& work) {
  OpenMpParallel parallel = lent.load();
  if (common != nullptr) return work();
  if (threads <= 1 || parallel == nullptr) parallel = run_alone;
  Borrowing borrowing{work};
  parallel(&Borrowing::take_part, &borrowing, static_cast<unsigned>(threads), 0);
  if (borrowing.failure) std::rethrow_exception(borrowing.failure);
}

ThreadTeam::ThreadTeam(int threads) : threads_(threads) {
  if (threads <= 1) return;
  crew_ = common;
  if (crew_ != nullptr) return;
  own_ = std::make_unique<Crew>();
  own_->helpers.reserve(static_cast<std::size_t>(threads - 1));
  for (int worker = 1; worker < threads; ++worker) {
    try {
      own_->helpers.emplace_back([crew = own_.get(), worker] { crew->serve(worker); });
    } catch (const std::system_error&) {
      break;  // the process may start no more threads: the ones there are do the work
    }
  }
  if (!own_->helpers.empty()) crew_ = own_.get();
}

ThreadTeam::~ThreadTeam() {
  if (own_ == nullptr) return;
  own_->dismiss();
  for (std::thread& helper : own_->helpers) helper.join();
}

CommonTeam::CommonTeam(int threads) : team_(threads), outer_(common) {
  if (team_.crew_ != nullptr) common = team_.crew_;
}

CommonTeam::~CommonTeam() { common = outer_; }

void ThreadTeam::for_each(index_t count, Task task) {
  // A loop inside another loop of the same crew runs alone: the other threads are busy.
  if (crew_ == nullptr || count <= 1 || crew_->running) {
    for (index_t index = 0; index < count; ++index) task(index, 0);
  } else {
    crew_->run(count, task, threads_);
  }
}

void parallel_for(index_t count, int threads, Task task) {
  ThreadTeam(static_cast<int>(std::min<index_t>(threads, count))).for_each(count, task);
}

}  // namespace eigentropy
