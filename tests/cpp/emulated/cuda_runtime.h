// The part of CUDA's runtime that we use, for a device that is emulated on the host: the same names
// as NVIDIA's header of this name. Streams are immediate: a call has ended when it returns.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "fibers.hpp"
#include "warpgroup.hpp"

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
// Several threads of the host may each emulate a block.
#define __shared__ static thread_local
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
#define __grid_constant__

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidDevice = 101,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorSymbolNotFound = 500,
  cudaErrorNotReady = 600,
  cudaErrorIllegalAddress = 700,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorStreamCaptureInvalidated = 901,
  cudaErrorStreamCaptureImplicit = 906
};
enum cudaStreamCaptureStatus {
  cudaStreamCaptureStatusNone = 0,
  cudaStreamCaptureStatusActive = 1,
  cudaStreamCaptureStatusInvalidated = 2
};
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal = 0,
  cudaStreamCaptureModeThreadLocal = 1,
  cudaStreamCaptureModeRelaxed = 2
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault
};
enum cudaDeviceAttr {
  cudaDevAttrMultiProcessorCount = 16,
  cudaDevAttrComputeCapabilityMajor = 75,
  cudaDevAttrComputeCapabilityMinor = 76,
  cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
};
constexpr unsigned cudaEventDefault = 0, cudaEventDisableTiming = 2;
enum cudaGetDriverEntryPointFlags { cudaEnableDefault = 0 };
enum cudaMemPoolAttr { cudaMemPoolAttrReleaseThreshold = 4 };
enum cudaDriverEntryPointQueryResult {
  cudaDriverEntryPointSuccess = 0,
  cudaDriverEntryPointSymbolNotFound = 1,
  cudaDriverEntryPointVersionNotSufficent = 2
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

struct CUstream_st;
using cudaStream_t = CUstream_st*;
struct CUmemPool_st;
using cudaMemPool_t = CUmemPool_st*;
struct CUevent_st;
using cudaEvent_t = CUevent_st*;

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) double2 {
  double x, y;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct cudaDeviceProp {
  char name[256];
  std::size_t totalGlobalMem;
  int major, minor, multiProcessorCount;
  std::size_t sharedMemPerBlockOptin;
};

const char* cudaGetErrorString(cudaError_t status);
const char* cudaGetErrorName(cudaError_t status);
cudaError_t cudaGetLastError();
cudaError_t cudaDriverGetVersion(int* version);
cudaError_t cudaRuntimeGetVersion(int* version);
cudaError_t cudaGetDeviceCount(int* count);
cudaError_t cudaGetDevice(int* device);
cudaError_t cudaSetDevice(int device);
// Those of the driver's functions by which contexts are known, and cuTensorMapEncodeTiled.
cudaError_t cudaGetDriverEntryPointByVersion(const char* symbol, void** function, unsigned version,
                                             unsigned long long flags,
                                             cudaDriverEntryPointQueryResult* result);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device);
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device);
cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value);
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total);
// There is no pool: what is given back is gone.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device);
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value);
cudaError_t cudaMalloc(void** memory, std::size_t bytes);
cudaError_t cudaMallocAsync(void** memory, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaFree(void* memory);
cudaError_t cudaFreeAsync(void* memory, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* memory, int value, std::size_t bytes, cudaStream_t stream);
cudaError_t cudaMemset2DAsync(void* memory, std::size_t pitch, int value, std::size_t width,
                              std::size_t height, cudaStream_t stream);
cudaError_t cudaStreamCreate(cudaStream_t* stream);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status);
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreate(cudaEvent_t* event);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventSynchronize(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop);

namespace eigentropy::cuda::emulated {

// What the driver has for cuTensorMapEncodeTiled.
void* encoder_of_tensor_maps();

// What a test makes the next call of the runtime return, once: an error of an earlier kernel.
void fail_once(cudaError_t status);
// Begins a capture of a stream, as cudaStreamBeginCapture does, of which nothing is recorded: what
// is asked of the stream, or of the default one, that cannot be captured fails and invalidates it.
void begin_capture(cudaStream_t stream);
// Ends it; whether it was still valid.
bool end_capture(cudaStream_t stream);
// How much memory the device has; what is taken counts.
void set_memory(std::size_t bytes);
// How much of it a block can have to share.
void set_shared_memory(std::size_t bytes);
int calls_of_function_attributes();  // since the process began
void set_compute_capability(int major, int minor);
// The version of CUDA that the driver is for, as 13000. An older one than the runtime's fails.
void set_driver_version(int version);
// The devices that have a context, which whatever needs one creates.
std::vector<int> contexts();
// No device has a context, and this thread has not chosen one, as in a new process.
void forget_contexts();

extern EIGENTROPY_PER_THREAD dim3 block_index, block_size, grid_size;

// The three-dimensional indices of the threads of a block.
extern EIGENTROPY_PER_THREAD const dim3* thread_positions;
inline const dim3& thread_position() { return thread_positions[thread_index()]; }

void run_grid(dim3 grid, dim3 block, std::size_t shared, const std::function<void()>& body);

// Values take turns: a lane that writes the next one but one has been at the barrier of the next
// one, so that all lanes have read the present one.
struct Slot {
  std::int64_t turn;
  char values[2][slot_bytes / 2 - sizeof(std::int64_t)];
};
static_assert(sizeof(Slot) <= slot_bytes);

// Hands the value to the caller's warp, of which all lanes take part: read(of) is called with a
// function of(lane), which returns the value of that lane.
template <class T, class Read>
auto exchange(const T& value, const Read& read) {
  static_assert(sizeof(T) <= sizeof(Slot::values[0]) && alignof(T) <= alignof(Slot));
  char* slots = static_cast<char*>(warp_slots());
  const auto slot = [&](int of) { return reinterpret_cast<Slot*>(slots + of * slot_bytes); };
  Slot* const own = slot(thread_index() % 32);
  const auto turn = own->turn++ % 2;
  std::memcpy(own->values[turn], &value, sizeof(T));
  warp_barrier();
  return read(
      [&](int lane) -> const T& { return *reinterpret_cast<const T*>(slot(lane)->values[turn]); });
}
template <class T>
T exchanged(const T& value, int lane) {
  return exchange(value, [&](const auto& of) -> T { return of(lane); });
}

// PTX's mma.m16n8k16 and mma.m16n8k8 of halves with sums in float32, and ldmatrix with .x4, also
// with .trans, of the caller's warp: tensor_core.hpp.
void add_product_of_halves(const unsigned (&a)[4], const unsigned (&b)[2], float (&d)[4]);
void add_product_of_halves(const unsigned (&a)[2], const unsigned (&b)[1], float (&d)[4]);
void load_matrices(const void* row, bool transposed, unsigned (&r)[4]);

// PTX's cp.async of 16 bytes, its commit_group and its wait_group.
void start_copy(void* to, const void* from);
void end_group_of_copies();
void wait_for_copies(int pending);
// Those of an earlier block.
void forget_copies();

}  // namespace eigentropy::cuda::emulated

#define threadIdx (::eigentropy::cuda::emulated::thread_position())
#define blockIdx (::eigentropy::cuda::emulated::block_index)
#define blockDim (::eigentropy::cuda::emulated::block_size)
#define gridDim (::eigentropy::cuda::emulated::grid_size)

inline void __syncthreads() { eigentropy::cuda::emulated::block_barrier(); }
inline void __syncwarp(unsigned = 0xffffffffU) { eigentropy::cuda::emulated::warp_barrier(); }
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  namespace emulated = eigentropy::cuda::emulated;
  return emulated::exchanged(value, (emulated::thread_index() % 32) ^ mask);
}
template <class T>
T __shfl_down_sync(unsigned, T value, unsigned distance) {
  namespace emulated = eigentropy::cuda::emulated;
  const int lane = emulated::thread_index() % 32, from = lane + static_cast<int>(distance);
  return emulated::exchanged(value, from < 32 ? from : lane);
}
template <class T>
T __shfl_sync(unsigned, T value, int lane) {
  return eigentropy::cuda::emulated::exchanged(value, lane);
}
template <class T>
T __ldg(const T* address) {
  return *address;
}
inline float __expf(float x) { return std::exp(x); }
inline float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
inline float __int_as_float(int bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
using std::isfinite;
using std::max;
using std::min;
