#include "bindings/common/run.hpp"

#include "base/platform.hpp"

namespace eigentropy::bindings {
namespace {

// A child of fork() has none of its parent's threads.
struct Abandoned {
  std::mutex lock;
  std::condition_variable changed;
  int count = 0;
  long process = platform::process();
};

Abandoned& abandoned() {
  // Never destroyed: a thread may still report while the process exits.
  static Abandoned* const instance = new Abandoned;
  return *instance;
}

bool none_abandoned() {
  Abandoned& state = abandoned();
  if (state.process != platform::process()) return true;
  std::unique_lock<std::mutex> guard(state.lock);
  return state.changed.wait_for(guard, poll_interval, [&] { return state.count == 0; });
}

}  // namespace

void add_abandoned(int change) {
  Abandoned& state = abandoned();
  const std::lock_guard<std::mutex> guard(state.lock);
  if (state.process != platform::process()) {
    state.process = platform::process();
    state.count = 0;
  }
  state.count += change;
  state.changed.notify_all();
}

void wait_for_abandoned() {
  const auto none = [] {
    const py::gil_scoped_release release;
    return none_abandoned();
  };
  while (!none()) {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

}  // namespace eigentropy::bindings
