#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {
namespace {

TEST(Runtime, MemoryGoesThereAndBack) {
  const Queue queue(0, nullptr);
  std::vector<double> values(1000);
  std::iota(values.begin(), values.end(), 0.5);
  const auto there = to_device(queue, values.data(), 1000);
  const Buffer<double> back = to_host(queue, there.data(), 1000);
  EXPECT_TRUE(std::equal(values.begin(), values.end(), back.begin()));
}

TEST(Runtime, MemoryThatIsNotThereIsNamed) {
  const Queue queue(0, nullptr);
  const auto bytes = static_cast<index_t>(device_memory(0).total) * 2;
  try {
    const DeviceBuffer<char> buffer(queue, bytes);
    FAIL() << "no error";
  } catch (const OutOfDeviceMemory& error) {
    EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos);
  }
  const DeviceBuffer<char> small(queue, 100);  // the device goes on
  EXPECT_NE(small.data(), nullptr);
}

TEST(Runtime, ADeviceThatIsNotThereIsAnError) { EXPECT_THROW(Queue(1000, nullptr), DeviceError); }

}  // namespace
}  // namespace eigentropy::cuda
