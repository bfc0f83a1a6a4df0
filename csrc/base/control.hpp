// Cancellation and progress of a long call.
#pragma once

#include <atomic>

#include "base/errors.hpp"
#include "base/views.hpp"

namespace eigentropy {

// Shared between the thread that waits (and may ask to stop) and the threads that compute.
class Control {
 public:
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  void check() const {
    if (cancelled_.load(std::memory_order_relaxed)) throw Interrupted();
  }

  double progress() const { return progress_.load(std::memory_order_relaxed); }
  void set_progress(double fraction) { progress_.store(fraction, std::memory_order_relaxed); }

  // True while the computation is inside a routine that cannot be stopped but touches no memory
  // of the caller, so that the caller may stop waiting for it.
  bool detachable() const { return detachable_.load(); }

  // A LAPACK call runs for seconds and has no way to be told to stop. Within this scope the
  // computation promises to touch only memory that it owns.
  class Detachable {
   public:
    explicit Detachable(Control& control) : control_(control) {
      control_.check();
      control_.detachable_.store(true);
    }
    ~Detachable() { control_.detachable_.store(false); }
    Detachable(const Detachable&) = delete;
    Detachable& operator=(const Detachable&) = delete;

   private:
    Control& control_;
  };

 private:
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> detachable_{false};
  std::atomic<double> progress_{0.0};
};

// One stretch [from, to] of the progress bar, divided into equal tasks that any thread finishes.
class Stage {
 public:
  Stage(Control& control, double from, double to, index_t tasks)
      : control_(control), from_(from), step_((to - from) / static_cast<double>(tasks)) {
    control_.check();
  }
  // A stage that is too short to be seen in the bar. It only looks for the request to stop.
  explicit Stage(Control& control) : control_(control), silent_(true) { control_.check(); }

  void finish_task() {
    const index_t done = done_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (!silent_) control_.set_progress(from_ + step_ * static_cast<double>(done));
    control_.check();
  }
  const Control& control() const { return control_; }

 private:
  Control& control_;
  bool silent_ = false;
  double from_ = 0.0;
  double step_ = 0.0;
  std::atomic<index_t> done_{0};
};

}  // namespace eigentropy
