#include "cuda/runtime.hpp"

#include <nvtx3/nvToolsExt.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "cuda/tuning.hpp"

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

// What only the driver can say and do. The functions come through the runtime: a plug-in that is
// linked with the driver's library could not be imported where there is none.
struct Driver {
  int (*get_context)(void** context) = nullptr;
  int (*set_context)(void* context) = nullptr;
  int (*state_of_primary)(int device, unsigned* flags, int* is_active) = nullptr;
  cudaError_t status = cudaSuccess;

  Driver() {
    find("cuCtxGetCurrent", &get_context);
    find("cuCtxSetCurrent", &set_context);
    find("cuDevicePrimaryCtxGetState", &state_of_primary);
  }
  static const Driver& instance() {
    static const Driver driver;
    return driver;
  }

 private:
  template <class Function>
  void find(const char* name, Function** function) {
    if (status != cudaSuccess) return;
    constexpr unsigned version = 7000;  // CUDA 7 has all of them
    void* found = nullptr;
    status = cudaGetDriverEntryPointByVersion(name, &found, version, cudaEnableDefault, nullptr);
    if (status == cudaSuccess && found == nullptr) status = cudaErrorSymbolNotFound;
    *function = reinterpret_cast<Function*>(found);
  }
};

}  // namespace

CurrentDevice::CurrentDevice(int device) noexcept : status_(Driver::instance().status) {
  if (status_ == cudaSuccess) status_ = cudaGetDevice(&previous_);
  if (status_ != cudaSuccess) return;
  // An error means that the driver is not in use yet.
  if (Driver::instance().get_context(&context_) != 0) context_ = nullptr;
  status_ = cudaSetDevice(device);
}

// cudaSetDevice makes the primary context of a device current, as cuCtxSetCurrent does, and since
// CUDA 12 creates it. What the runtime takes for the device of a thread without a context is known
// to the runtime alone, so that cudaSetDevice chooses it again where that creates nothing.
CurrentDevice::~CurrentDevice() {
  if (status_ != cudaSuccess) return;
  const Driver& driver = Driver::instance();
  unsigned flags = 0;
  int is_active = 0;
  if (context_ == nullptr && driver.state_of_primary(previous_, &flags, &is_active) == 0 &&
      is_active != 0) {
    cudaSetDevice(previous_);
  } else {
    driver.set_context(context_);
  }
}

Queue::Queue(int device, cudaStream_t stream) : device_(device), current_(device), stream_(stream) {
  check(current_.status(), "cudaSetDevice");
  check_earlier(stream);
}

void Queue::synchronize() const { check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

cudaEvent_t make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  return event;
}

namespace {

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

}  // namespace

void allow_shared_memory(const Queue& queue, const void* kernel, std::size_t bytes) {
  require_shared_memory(queue, bytes);
  static std::mutex lock;
  static std::map<std::pair<const void*, int>, std::size_t> allowed;
  const std::lock_guard guard(lock);
  std::size_t& most = allowed[{kernel, queue.device()}];
  if (bytes <= most) return;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(bytes)),
        "cudaFuncSetAttribute");
  most = bytes;
}

namespace {

// The bytes of freed memory that a pool keeps. Otherwise every synchronisation would return them to
// the system, and an estimate allocates its blocks again between many synchronisations.
constexpr auto kept_by_pool = static_cast<std::uint64_t>(tuned("kept_by_pool"));

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
  const CurrentDevice current(device);
  if (is_captured(stream) || cudaFreeAsync(memory, stream) != cudaSuccess) {
    // The memory is not part of the graph. cudaFree is legal during a capture only in this mode.
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    cudaThreadExchangeStreamCaptureMode(&mode);
    cudaFree(memory);
    cudaThreadExchangeStreamCaptureMode(&mode);
    cudaGetLastError();  // clears the error, which nobody else should see
  }
}

DeviceMemory device_memory(int device) {
  const CurrentDevice current(device);
  check(current.status(), "cudaSetDevice");
  DeviceMemory memory{};
  check(cudaMemGetInfo(&memory.free, &memory.total), "cudaMemGetInfo");
  return memory;
}

Range::Range(const char* name) { nvtxRangePushA(name); }
Range::~Range() { nvtxRangePop(); }

}  // namespace eigentropy::cuda
