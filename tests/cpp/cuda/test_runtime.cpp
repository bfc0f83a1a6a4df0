#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

#include "cuda/handles.hpp"
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
__global__ void fill_shared(double* out) {
  shared_memory<double>()[0] = 3.0;
  *out = shared_memory<double>()[0];
}

TEST(Runtime, CudaLearnsOnceHowMuchSharedMemoryAKernelNeeds) {
  const Queue queue(0, nullptr);
  const DeviceBuffer<double> out(queue, 1);
  const int before = emulated::calls_of_function_attributes();
  const auto calls_after = [&](std::size_t bytes) {
    launch(queue, fill_shared, 1, 1, bytes, out.data());
    EXPECT_EQ(to_host(queue, out.data(), 1)[0], 3.0);
    return emulated::calls_of_function_attributes() - before;
  };
  EXPECT_EQ(calls_after(48 << 10), 0);
  EXPECT_EQ(calls_after(60 << 10), 1);
  EXPECT_EQ(calls_after(60 << 10), 1);
  EXPECT_EQ(calls_after(50 << 10), 1);
  EXPECT_EQ(calls_after(70 << 10), 2);
  EXPECT_THROW(calls_after(300 << 10), DeviceError);
}

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

// What a process does that works on the second device alone.
void work_on_the_second_device() {
  DeviceBuffer<double> kept;
  {
    const Queue queue(1, nullptr);
    const std::vector<double> values(1000, 0.5);
    kept = to_device(queue, values.data(), 1000);
    const BlasHandle blas(queue);
  }
  EXPECT_GT(device_memory(1).free, 0);
  EXPECT_THROW(Queue(1, reinterpret_cast<cudaStream_t>(1234)), DeviceError);
  std::thread([&] { kept = DeviceBuffer<double>(); }).join();
}

TEST(CurrentDevice, LeavesNoContextOnADeviceThatNobodyUses) {
  std::thread([] {
    emulated::forget_contexts();
    work_on_the_second_device();
    EXPECT_EQ(emulated::contexts(), std::vector<int>{1});
    // The emulated device would tell.
    check(cudaSetDevice(0), "cudaSetDevice");
    EXPECT_EQ(emulated::contexts(), (std::vector<int>{0, 1}));
  }).join();
}

int current_device() {
  int device = -1;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

TEST(CurrentDevice, IsTheOneThatThereWasBefore) {
  std::thread([] {
    emulated::forget_contexts();
    for (const int before : {1, 0}) {
      check(cudaSetDevice(before), "cudaSetDevice");
      for (const int device : {0, 1}) {
        {
          const Queue queue(device, nullptr);
          EXPECT_EQ(current_device(), device);
          EXPECT_EQ(device_memory(1 - device).total, device_memory(device).total);
          EXPECT_EQ(current_device(), device);
        }
        EXPECT_EQ(current_device(), before);
      }
    }
    // Both have contexts now, and a new thread works on the first of them.
    std::thread([] {
      {
        const Queue queue(1, nullptr);
      }
      EXPECT_EQ(current_device(), 0);
    }).join();
  }).join();
}

TEST(Runtime, AStreamThatWasDestroyedIsNamed) {
  cudaStream_t stream;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  EXPECT_NE(refusal(stream).find("was destroyed"), std::string::npos);
}

TEST(Runtime, EventsForTheOrderOfStreamsHaveNoTimes) {
  const Queue queue(0, nullptr);
  cudaEvent_t const first = make_event(), last = make_event();
  check(cudaEventRecord(first, queue.stream()), "cudaEventRecord");
  check(cudaEventRecord(last, queue.stream()), "cudaEventRecord");
  float milliseconds = 0.0F;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, first, last), cudaErrorInvalidResourceHandle);
  cudaGetLastError();
  cudaEventDestroy(first);
  cudaEventDestroy(last);
}
#endif

TEST(Runtime, ADeviceThatIsNotThereIsAnError) { EXPECT_THROW(Queue(1000, nullptr), DeviceError); }

}  // namespace
}  // namespace eigentropy::cuda
