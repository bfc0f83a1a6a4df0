// Lets all tests run with the threads of a block in the order that EIGENTROPY_THREAD_ORDER names:
// a barrier that a kernel lacks shows in one of the two.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {
namespace {

class ThreadOrder : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    const char* const chosen = std::getenv("EIGENTROPY_THREAD_ORDER");
    const bool descending = chosen != nullptr && std::string(chosen) == "descending";
    emulated::set_order(descending ? emulated::Order::descending : emulated::Order::ascending);
  }
};

// Before main: gtest_main's has no place for it. The listener is GoogleTest's from then on.
const bool listens = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new ThreadOrder);
  return true;
}();

}  // namespace
}  // namespace eigentropy::cuda
