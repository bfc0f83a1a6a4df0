#include "cuda/runtime.hpp"

#include <nvtx3/nvToolsExt.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <set>

namespace eigentropy::cuda {

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears the error, which is ours and reported here
  throw DeviceError(std::string(what) + ": " + cudaGetErrorString(status), status);
}

namespace {

// Whether a graph is being captured from the stream. The default stream also waits for other
// streams: while one of these is captured, this question is an error, and the capture goes on.
bool is_captured(cudaStream_t stream) {
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  const cudaError_t status = cudaStreamIsCapturing(stream, &capture);
  if (status == cudaSuccess) return capture != cudaStreamCaptureStatusNone;
  cudaGetLastError();  // clears the error; the caller's next step reports it
  return status == cudaErrorStreamCaptureImplicit;
}

// Work on a captured stream is recorded and not done, so that there would be no result to wait for.
// cudaStreamQuery would invalidate the capture.
void refuse_capture(cudaStream_t stream) {
  if (!is_captured(stream)) return;
  throw DeviceError(
      "a CUDA graph is being captured from this stream, or from one that waits for it: what "
      "eigentropy computes cannot be captured; call it before or after the capture",
      cudaErrorStreamCaptureUnsupported);
}

// cudaStreamQuery reports without waiting whether earlier work on this stream has failed. CUDA
// remembers its answer as the last error, even if the answer is only that the stream is busy.
void check_earlier(cudaStream_t stream) {
  cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) {
    refuse_capture(stream);
    status = cudaStreamQuery(stream);
    if (status != cudaSuccess) cudaGetLastError();
  }
  if (status == cudaSuccess || status == cudaErrorNotReady) return;
  if (status == cudaErrorInvalidResourceHandle) {
    throw DeviceError("the stream is not a CUDA stream of this device, or was destroyed", status);
  }
  throw DeviceError(std::string("an earlier CUDA call of this process, not one of eigentropy, "
                                "has failed: ") +
                        cudaGetErrorString(status),
                    status);
}

}  // namespace

Queue::Queue(int device, cudaStream_t stream) : device_(device), stream_(stream) {
  check(cudaGetDevice(&previous_), "cudaGetDevice");
  check(cudaSetDevice(device), "cudaSetDevice");
  try {
    check_earlier(stream);
  } catch (...) {
    cudaSetDevice(previous_);
    throw;
  }
}

Queue::~Queue() { cudaSetDevice(previous_); }

void Queue::synchronize() const { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

void require_shared_memory(const Queue& queue, std::size_t bytes) {
  int most = 0;
  check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, queue.device()),
        "cudaDeviceGetAttribute");
  if (bytes <= static_cast<std::size_t>(most)) return;
  throw DeviceError("a block needs " + std::to_string(bytes) +
                        " bytes of shared memory, and device " + std::to_string(queue.device()) +
                        " has " + std::to_string(most) + " for one",
                    cudaErrorInvalidValue);
}

namespace {

// The bytes of freed memory that a pool keeps. Otherwise every synchronisation would return them to
// the system, and an estimate allocates its blocks again between many synchronisations. A guess,
// not measured yet.
constexpr std::uint64_t kept_by_pool = std::uint64_t{1} << 30;

void keep_some_memory(int device) {
  static std::mutex lock;
  static std::set<int> done;
  const std::lock_guard guard(lock);
  if (!done.insert(device).second) return;
  cudaMemPool_t pool;
  check(cudaDeviceGetDefaultMemPool(&pool, device), "cudaDeviceGetDefaultMemPool");
  std::uint64_t threshold = 0;
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold),
        "cudaMemPoolGetAttribute");
  threshold = std::max(threshold, kept_by_pool);
  check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold),
        "cudaMemPoolSetAttribute");
}

}  // namespace

void* allocate(const Queue& queue, std::size_t bytes) {
  keep_some_memory(queue.device());
  void* memory = nullptr;
  const cudaError_t status = cudaMallocAsync(&memory, bytes, queue.stream());
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // clears the error, which is ours and reported here
    const DeviceMemory there = device_memory(queue.device());
    throw OutOfDeviceMemory("device " + std::to_string(queue.device()) + " has no " +
                            std::to_string(bytes) + " bytes left: " + std::to_string(there.free) +
                            " of " + std::to_string(there.total) + " are free");
  }
  check(status, "cudaMallocAsync");
  return memory;
}

void give_back(void* memory, int device, cudaStream_t stream) noexcept {
  int current = device;
  cudaGetDevice(&current);
  if (current != device) cudaSetDevice(device);
  if (is_captured(stream) || cudaFreeAsync(memory, stream) != cudaSuccess) {
    // The memory is not part of the graph. cudaFree is legal during a capture only in this mode.
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    cudaThreadExchangeStreamCaptureMode(&mode);
    cudaFree(memory);
    cudaThreadExchangeStreamCaptureMode(&mode);
    cudaGetLastError();  // clears the error, which nobody else should see
  }
  if (current != device) cudaSetDevice(current);
}

DeviceMemory device_memory(int device) {
  int previous = 0;
  check(cudaGetDevice(&previous), "cudaGetDevice");
  check(cudaSetDevice(device), "cudaSetDevice");
  DeviceMemory memory{};
  const cudaError_t status = cudaMemGetInfo(&memory.free, &memory.total);
  cudaSetDevice(previous);
  check(status, "cudaMemGetInfo");
  return memory;
}

Range::Range(const char* name) { nvtxRangePushA(name); }
Range::~Range() { nvtxRangePop(); }

}  // namespace eigentropy::cuda
