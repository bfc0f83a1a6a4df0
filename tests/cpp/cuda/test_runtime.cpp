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

#ifdef EIGENTROPY_CUDA_EMULATED
// What Queue's error says; empty where there is none.
std::string refusal(cudaStream_t stream) {
  try {
    const Queue queue(0, stream);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

TEST(Runtime, AStreamThatIsCapturedIsRefusedAndItsCaptureGoesOn) {
  cudaStream_t captured, other;
  check(cudaStreamCreate(&captured), "cudaStreamCreate");
  check(cudaStreamCreate(&other), "cudaStreamCreate");
  emulated::begin_capture(captured);
  for (cudaStream_t stream : {captured, cudaStream_t{nullptr}}) {
    EXPECT_NE(refusal(stream).find("graph is being captured"), std::string::npos);
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  }
  EXPECT_EQ(refusal(other), "");
  EXPECT_TRUE(emulated::end_capture(captured));
  EXPECT_EQ(refusal(captured), "");

  // Else the capture above could not have been broken.
  emulated::begin_capture(captured);
  EXPECT_EQ(cudaStreamQuery(captured), cudaErrorStreamCaptureUnsupported);
  EXPECT_FALSE(emulated::end_capture(captured));
  cudaGetLastError();
  check(cudaStreamDestroy(captured), "cudaStreamDestroy");
  check(cudaStreamDestroy(other), "cudaStreamDestroy");
}

TEST(Runtime, MemoryMayGoBackWhileItsStreamIsCaptured) {
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  const std::size_t before = device_memory(0).free;
  DeviceBuffer<double> buffer(Queue(0, stream), 1000), other(Queue(0, nullptr), 1000);
  emulated::begin_capture(stream);
  buffer = DeviceBuffer<double>();
  other = DeviceBuffer<double>();
  EXPECT_TRUE(emulated::end_capture(stream));
  EXPECT_EQ(device_memory(0).free, before);
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
}

TEST(Runtime, AStreamThatWasDestroyedIsNamed) {
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  EXPECT_NE(refusal(stream).find("was destroyed"), std::string::npos);
}
#endif

TEST(Runtime, ADeviceThatIsNotThereIsAnError) { EXPECT_THROW(Queue(1000, nullptr), DeviceError); }

}  // namespace
}  // namespace eigentropy::cuda
