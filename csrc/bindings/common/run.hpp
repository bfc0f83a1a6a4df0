// Runs a computation so that Ctrl-C works and progress is reported while it lasts.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/control.hpp"
#include "base/threads.hpp"

namespace eigentropy::bindings {

namespace py = pybind11;

// Counts computations that Ctrl-C has left running in a routine that cannot be stopped.
void add_abandoned(int change);
// Returns when no such computation is left, or throws KeyboardInterrupt.
void wait_for_abandoned();

// How often signals are looked at; also how often the progress callback is called.
constexpr std::chrono::milliseconds poll_interval{50};

template <class Result>
class Job {
 public:
  template <class Compute>
  void run(Compute& compute) {
    std::optional<Result> result;
    std::exception_ptr error;
    try {
      result.emplace(compute(control));
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard<std::mutex> guard(lock_);
    result_ = std::move(result);
    error_ = error;
    finished_ = true;
    if (abandoned_) add_abandoned(-1);
    changed_.notify_all();
  }

  bool wait(std::chrono::milliseconds timeout) {
    std::unique_lock<std::mutex> guard(lock_);
    return changed_.wait_for(guard, timeout, [&] { return finished_; });
  }

  // Waits after a request to stop. Returns false if the computation is in a routine that cannot be
  // stopped; it then goes on alone.
  bool wait_until_stopped() {
    std::unique_lock<std::mutex> guard(lock_);
    while (!changed_.wait_for(guard, std::chrono::milliseconds(20), [&] { return finished_; })) {
      if (!control.detachable()) continue;
      abandoned_ = true;
      add_abandoned(+1);
      return false;
    }
    return true;
  }

  Result take() {
    if (error_) std::rethrow_exception(error_);
    return std::move(*result_);
  }

  Control control;

 private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::optional<Result> result_;
  std::exception_ptr error_;
  bool finished_ = false;
  bool abandoned_ = false;
};

// A computation of at most this many operations, such as 2000 eigenvalues, is too short for anybody
// to want to stop it.
constexpr double brief = 2e10;

// A computation of fewer operations is over before a second thread has started.
constexpr double tiny = 1e6;

// As many more are worth one thread more.
constexpr double worth_a_thread = 1e7;

// Operations for the spectrum of n rows of d columns, or for all entries of a function of it.
inline double spectrum_flops(index_t n, index_t d = 0) {
  const auto rows = static_cast<double>(n);
  return 2.0 * rows * rows * (rows + static_cast<double>(d));
}

// Computes on the caller's thread and, unless that is tiny, on others. Those that are lent keep no
// limit of several threads: a team of our own does.
template <class Compute>
auto run_here(Compute& compute, double flops) {
  const py::gil_scoped_release release;
  Control control;
  std::optional<decltype(compute(control))> result;
  const auto work = [&] { result.emplace(compute(control)); };
  const int most = 1 + static_cast<int>(flops / worth_a_thread);
  const int threads = flops < tiny ? 1 : std::min(thread_count(), std::max(most, 2));
  if (threads > 1 && (thread_limit() != 0 || !threads_are_lent())) {
    const CommonTeam team(threads);
    work();
  } else {
    borrow_threads(threads, work);
  }
  return std::move(*result);
}

// Runs compute(Control&) -> Result without the GIL. A brief computation runs on the caller's
// thread: where other processes are busy, a new thread would have to wait for its start. Any other
// runs on a thread of its own, while the caller's looks for interrupts. compute may read the
// caller's arrays only outside Control::Detachable scopes. Call this with the GIL held.
template <class Compute>
auto run_interruptible(Compute compute, const py::object& progress,
                       double flops = std::numeric_limits<double>::infinity()) {
  using Result = decltype(compute(std::declval<Control&>()));
  if (flops <= brief) {
    Result result = run_here(compute, flops);
    if (!progress.is_none()) progress(1.0);
    return result;
  }
  auto job = std::make_shared<Job<Result>>();
  std::thread worker([job, most = thread_limit(), compute = std::move(compute)]() mutable {
    limit_threads(most);
    job->run(compute);
  });

  const auto finished = [&] {
    const py::gil_scoped_release release;
    return job->wait(poll_interval);
  };
  try {
    double reported = -1.0;
    while (!finished()) {
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      const double done = job->control.progress();
      if (!progress.is_none() && done > reported) {
        progress(done);
        reported = done;
      }
    }
  } catch (...) {  // KeyboardInterrupt, or an exception of the callback
    job->control.cancel();
    bool stopped;
    {
      const py::gil_scoped_release release;
      stopped = job->wait_until_stopped();
      if (stopped) worker.join();
    }
    if (!stopped) worker.detach();
    throw;
  }
  {
    const py::gil_scoped_release release;
    worker.join();
  }
  Result result = job->take();
  if (!progress.is_none()) progress(1.0);
  return result;
}

}  // namespace eigentropy::bindings
