// Lets all tests run with the threads of a block in the order that EIGENTROPY_THREAD_ORDER names,
// in one of which a barrier that a kernel lacks shows, and on a device like one of the compute
// capability that EIGENTROPY_COMPUTE_CAPABILITY names.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {
namespace {

std::string environment(const char* name) {
  const char* const chosen = std::getenv(name);
  return chosen == nullptr ? "" : chosen;
}

class ChosenDevice : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    const bool descending = environment("EIGENTROPY_THREAD_ORDER") == "descending";
    emulated::set_order(descending ? emulated::Order::descending : emulated::Order::ascending);
    const std::string capability = environment("EIGENTROPY_COMPUTE_CAPABILITY");
    if (capability == "7.5") choose(7, 5, 64);
    if (capability == "8.6") choose(8, 6, 99);
  }
  static void choose(int major, int minor, std::size_t kilobytes_shared) {
    emulated::set_compute_capability(major, minor);
    emulated::set_shared_memory(kilobytes_shared << 10);
  }
};

// Before main, which also serves tests without a device. The listener is GoogleTest's from then on.
const bool listens = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new ChosenDevice);
  return true;
}();

}  // namespace
}  // namespace eigentropy::cuda
