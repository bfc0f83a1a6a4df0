#include "cuda_runtime.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::mutex lock;
struct Allocation {
  void* mapping;
  std::size_t size;
  int device;
};
std::map<void*, Allocation> allocations;  // by address
std::set<cudaStream_t> streams;
std::map<cudaStream_t, cudaStreamCaptureStatus> captures;
std::size_t memory_of_device = std::size_t{8} << 30, taken = 0;
std::size_t shared_of_block = 227 << 10;
int attribute_calls = 0;
int capability_major = 9, capability_minor = 0;
std::atomic<int> pending{cudaSuccess};
std::set<int> primary_contexts;  // the devices that have one
// What cudaSetDevice has chosen, and the device whose context is current: none in a new thread.
thread_local int chosen_device = 0, context_device = -1;
thread_local cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
thread_local cudaError_t last_error = cudaSuccess;

constexpr int device_count = 2;
constexpr int version = 13000;
int driver_version = version;

int current_device() { return context_device >= 0 ? context_device : chosen_device; }

void make_current(int device) {
  const std::lock_guard guard(lock);
  primary_contexts.insert(device);
  context_device = device;
}
// What calls begin with that work on a device.
void need_context() {
  if (context_device < 0) make_current(chosen_device);
}

// The driver's functions. A context is 1 + the number of its device.
int get_context(void** context) {
  *context = reinterpret_cast<void*>(static_cast<std::intptr_t>(1 + context_device));
  return 0;
}
int set_context(void* context) {
  context_device = static_cast<int>(reinterpret_cast<std::intptr_t>(context)) - 1;
  return 0;
}
int state_of_primary(int device, unsigned* flags, int* is_active) {
  const std::lock_guard guard(lock);
  *flags = 0;
  *is_active = static_cast<int>(primary_contexts.count(device));
  return 0;
}
const std::map<std::string, void*> functions_of_driver = {
    {"cuCtxGetCurrent", reinterpret_cast<void*>(&get_context)},
    {"cuCtxSetCurrent", reinterpret_cast<void*>(&set_context)},
    {"cuDevicePrimaryCtxGetState", reinterpret_cast<void*>(&state_of_primary)},
    {"cuTensorMapEncodeTiled", eigentropy::cuda::emulated::encoder_of_tensor_maps()}};

cudaError_t take_pending() { return static_cast<cudaError_t>(pending.exchange(cudaSuccess)); }

// What a call returns is remembered, until somebody asks for it.
cudaError_t told(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

bool is_known(cudaStream_t stream) {
  // 0, and 1 and 2, which stand for the default streams.
  if (reinterpret_cast<std::uintptr_t>(stream) <= 2) return true;
  const std::lock_guard guard(lock);
  return streams.count(stream) != 0;
}

// The default stream waits for all others, so that their captures end with an error, too.
cudaError_t break_captures(cudaStream_t stream) {
  const bool is_default = reinterpret_cast<std::uintptr_t>(stream) <= 2;
  cudaError_t status = cudaSuccess;
  const std::lock_guard guard(lock);
  for (auto& [captured, state] : captures) {
    if (captured != stream && !is_default) continue;
    state = cudaStreamCaptureStatusInvalidated;
    status = is_default ? cudaErrorStreamCaptureImplicit : cudaErrorStreamCaptureUnsupported;
  }
  return status;
}

cudaError_t status_of(cudaStream_t stream) {
  need_context();
  const cudaError_t earlier = take_pending();
  if (earlier != cudaSuccess) return told(earlier);
  const cudaError_t captured = break_captures(stream);
  if (captured != cudaSuccess) return told(captured);
  return told(is_known(stream) ? cudaSuccess : cudaErrorInvalidResourceHandle);
}

struct Event {
  bool has_time;
  Clock::time_point time;
};
Event* event_of(cudaEvent_t event) { return reinterpret_cast<Event*>(event); }

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

namespace eigentropy::cuda::emulated {

EIGENTROPY_PER_THREAD dim3 block_index, block_size, grid_size;
EIGENTROPY_PER_THREAD const dim3* thread_positions;

void fail_once(cudaError_t status) { pending = status; }
void begin_capture(cudaStream_t stream) {
  const std::lock_guard guard(lock);
  captures[stream] = cudaStreamCaptureStatusActive;
}
bool end_capture(cudaStream_t stream) {
  const std::lock_guard guard(lock);
  const bool is_valid = captures.at(stream) == cudaStreamCaptureStatusActive;
  captures.erase(stream);
  return is_valid;
}
void set_memory(std::size_t bytes) { memory_of_device = bytes; }
void set_shared_memory(std::size_t bytes) { shared_of_block = bytes; }
void set_driver_version(int chosen) { driver_version = chosen; }
std::vector<int> contexts() {
  const std::lock_guard guard(lock);
  return {primary_contexts.begin(), primary_contexts.end()};
}
void forget_contexts() {
  const std::lock_guard guard(lock);
  primary_contexts.clear();
  chosen_device = 0;
  context_device = -1;
}
int calls_of_function_attributes() { return attribute_calls; }
void set_compute_capability(int major, int minor) {
  capability_major = major;
  capability_minor = minor;
}

void run_grid(dim3 grid, dim3 block, std::size_t shared, const std::function<void()>& body) {
  grid_size = grid;
  block_size = block;
  std::vector<dim3> positions;
  for (unsigned z = 0; z < block.z; ++z) {
    for (unsigned y = 0; y < block.y; ++y) {
      for (unsigned x = 0; x < block.x; ++x) positions.push_back({x, y, z});
    }
  }
  thread_positions = positions.data();
  const int threads = static_cast<int>(positions.size());
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        block_index = {x, y, z};
        set_dynamic_shared(shared);
        forget_copies();
        run_block(threads, body);
      }
    }
  }
}

}  // namespace eigentropy::cuda::emulated

const char* cudaGetErrorString(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInsufficientDriver:
      return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorSymbolNotFound:
      return "named symbol not found";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureImplicit:
      return "operation would make the legacy stream depend on a capturing blocking stream";
    default:
      return "invalid argument";
  }
}
const char* cudaGetErrorName(cudaError_t status) { return cudaGetErrorString(status); }

cudaError_t cudaGetLastError() {
  const cudaError_t earlier = take_pending(), last = std::exchange(last_error, cudaSuccess);
  return earlier != cudaSuccess ? earlier : last;
}

cudaError_t cudaDriverGetVersion(int* out) {
  *out = driver_version;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* out) {
  *out = version;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int* count) {
  if (driver_version < version) return told(cudaErrorInsufficientDriver);
  *count = device_count;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = current_device();
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= device_count) return told(cudaErrorInvalidDevice);
  chosen_device = device;
  make_current(device);
  return cudaSuccess;
}
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned,
                                             unsigned long long,
                                             cudaDriverEntryPointQueryResult* result) {
  const auto found = functions_of_driver.find(symbol);
  const bool is_there = found != functions_of_driver.end();
  *function = is_there ? found->second : nullptr;
  if (result != nullptr) {
    *result = is_there ? cudaDriverEntryPointSuccess : cudaDriverEntryPointSymbolNotFound;
  }
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= device_count) return told(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "emulated on the host");
  properties->totalGlobalMem = memory_of_device;
  properties->major = capability_major;
  properties->minor = capability_minor;
  properties->multiProcessorCount = 4;
  properties->sharedMemPerBlockOptin = shared_of_block;
  return cudaSuccess;
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) {
  ++attribute_calls;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties;
  const cudaError_t status = cudaGetDeviceProperties(&properties, device);
  if (status != cudaSuccess) return status;
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = properties.multiProcessorCount;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = properties.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = properties.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(properties.sharedMemPerBlockOptin);
      break;
  }
  return status;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  *pool = nullptr;
  return cudaSuccess;
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  need_context();
  const std::lock_guard guard(lock);
  *total = memory_of_device;
  *free = memory_of_device - std::min(taken, memory_of_device);
  return cudaSuccess;
}

// The end of the memory is the end of a page, and what follows cannot be touched: an access beyond
// ends the program, as does one after the memory was given back. Every byte is 0xFF, a NaN.
cudaError_t cudaMalloc(void** memory, std::size_t bytes) {
  need_context();
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t used = rounded_up(std::max<std::size_t>(bytes, 1), 16);
  const std::size_t size = rounded_up(used, page);
  const std::lock_guard guard(lock);
  if (taken + size > memory_of_device) return told(cudaErrorMemoryAllocation);
  void* mapping = mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return told(cudaErrorMemoryAllocation);
  char* const begin = static_cast<char*>(mapping);
  mprotect(begin + size, page, PROT_NONE);
  std::memset(begin, 0xFF, size);
  *memory = begin + size - used;
  allocations[*memory] = {mapping, size + page, current_device()};
  taken += size;
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream) {
  const cudaError_t status = status_of(stream);
  return status == cudaSuccess ? cudaMalloc(memory, bytes) : status;
}
cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  need_context();
  const std::lock_guard guard(lock);
  if (capture_mode != cudaStreamCaptureModeRelaxed) {
    for (auto& [captured, state] : captures) state = cudaStreamCaptureStatusInvalidated;
  }
  const auto found = allocations.find(memory);
  if (found == allocations.end()) return told(cudaErrorInvalidValue);
  const auto [mapping, size, device] = found->second;
  munmap(mapping, size);
  taken -= size - static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  allocations.erase(found);
  return cudaSuccess;
}
// Stricter than CUDA, where the order of another device's stream would be the wrong one.
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream) {
  if (!is_known(stream)) return told(cudaErrorInvalidResourceHandle);
  const cudaError_t captured = break_captures(stream);
  if (captured != cudaSuccess) return told(captured);
  {
    const std::lock_guard guard(lock);
    const auto found = allocations.find(memory);
    if (found != allocations.end() && found->second.device != current_device()) {
      return told(cudaErrorInvalidValue);
    }
  }
  return cudaFree(memory);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  const cudaError_t status = status_of(stream);
  if (status == cudaSuccess && bytes > 0) std::memcpy(to, from, bytes);
  return status;
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind, cudaStream_t stream) {
  const cudaError_t status = status_of(stream);
  for (std::size_t i = 0; status == cudaSuccess && i < height; ++i) {
    std::memcpy(static_cast<char*>(to) + i * to_pitch,
                static_cast<const char*>(from) + i * from_pitch, width);
  }
  return status;
}
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream) {
  const cudaError_t status = status_of(stream);
  if (status == cudaSuccess) std::memset(memory, value, bytes);
  return status;
}
cudaError_t cudaMemset2DAsync(void* memory, std::size_t pitch, int value, std::size_t width,
                              std::size_t height, cudaStream_t stream) {
  const cudaError_t status = status_of(stream);
  for (std::size_t i = 0; status == cudaSuccess && i < height; ++i) {
    std::memset(static_cast<char*>(memory) + i * pitch, value, width);
  }
  return status;
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  need_context();
  const std::lock_guard guard(lock);
  *stream = reinterpret_cast<cudaStream_t>(new char[16]);
  streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const std::lock_guard guard(lock);
  if (streams.erase(stream) == 0) return told(cudaErrorInvalidResourceHandle);
  delete[] reinterpret_cast<char*>(stream);
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return status_of(stream); }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return status_of(stream); }
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  if (!is_known(stream)) return told(cudaErrorInvalidResourceHandle);
  const std::lock_guard guard(lock);
  const auto found = captures.find(stream);
  *status = found == captures.end() ? cudaStreamCaptureStatusNone : found->second;
  const bool is_default = reinterpret_cast<std::uintptr_t>(stream) <= 2;
  return is_default && !captures.empty() ? told(cudaErrorStreamCaptureImplicit) : cudaSuccess;
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  std::swap(*mode, capture_mode);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t, unsigned) {
  return status_of(stream);
}

cudaError_t cudaEventCreate(cudaEvent_t* event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  need_context();
  *event = reinterpret_cast<cudaEvent_t>(new Event{(flags & cudaEventDisableTiming) == 0, {}});
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event_of(event);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event_of(event)->time = Clock::now();
  return status_of(stream);
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return told(take_pending()); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  const Event *const first = event_of(start), *const last = event_of(stop);
  if (!first->has_time || !last->has_time) return told(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(last->time - first->time).count();
  return cudaSuccess;
}
