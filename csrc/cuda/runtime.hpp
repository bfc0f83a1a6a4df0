// What every file of the CUDA back end needs: errors, a device with a stream, its memory, launches.
//
// Compiled by nvcc for a GPU, or by a C++ compiler with the headers of tests/cpp/emulated, which
// have the names of CUDA's and run the same kernels on the host.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy::cuda {

// A call of CUDA, cuBLAS or cuSOLVER failed; code is its status.
struct DeviceError : std::runtime_error {
  DeviceError(const std::string& message, int status) : std::runtime_error(message), code(status) {}
  int code;
};

// The device does not have enough memory.
struct OutOfDeviceMemory : std::bad_alloc {
  explicit OutOfDeviceMemory(std::string text) : message(std::move(text)) {}
  const char* what() const noexcept override { return message.c_str(); }
  std::string message;
};

// Throws DeviceError unless status is success; `what` is the name of the call. The error is then
// no longer the last one that CUDA remembers.
void check(cudaError_t status, const char* what);

// Makes a device the current one of this thread, and in the end what was current before. A device
// without a context does not get one that way: to choose GPU 0 again would cost somebody who works
// on cuda:1 alone some hundred MB there, and a place on a GPU that may be another one's.
class CurrentDevice {
 public:
  explicit CurrentDevice(int device) noexcept;
  ~CurrentDevice();
  CurrentDevice(const CurrentDevice&) = delete;
  CurrentDevice& operator=(const CurrentDevice&) = delete;

  // Why the device is not the current one.
  cudaError_t status() const { return status_; }

 private:
  cudaError_t status_;
  int previous_ = 0;
  void* context_ = nullptr;  // the driver's, that was current before
};

// A device and a stream of the caller, on which all work is done in order. While a Queue lives, its
// device is the current device of this thread. The constructor throws DeviceError if an earlier
// call of somebody else has failed, if the stream is invalid, or if a CUDA graph is being captured
// from the stream; the capture goes on.
class Queue {
 public:
  Queue(int device, cudaStream_t stream);
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_; }
  // Waits for all work on the stream so far.
  void synchronize() const;

 private:
  int device_;
  CurrentDevice current_;
  cudaStream_t stream_;
};

// An event for the order of streams, and to wait for: without the times that only a benchmark asks
// for. The caller destroys it.
cudaEvent_t make_event();

// Frees memory on its device, whatever the current device is, in the order of the stream on which
// it was allocated. If the stream has been destroyed, all work that used the memory has ended.
void give_back(void* memory, int device, cudaStream_t stream) noexcept;

// `size` elements in the memory of the queue's device, not initialised. Memory is allocated from a
// pool and freed in the order of the stream, so that neither waits for the device.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  DeviceBuffer(const Queue& queue, index_t size);
  DeviceBuffer(DeviceBuffer&& other) noexcept { swap(other); }
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() {
    if (data_ != nullptr) give_back(data_, device_, stream_);
  }

  T* data() const { return data_; }
  index_t size() const { return size_; }
  // Hands the memory to the caller, who frees it with give_back.
  T* release() {
    size_ = 0;
    return std::exchange(data_, nullptr);
  }

 private:
  void swap(DeviceBuffer& other) {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(device_, other.device_);
    std::swap(stream_, other.stream_);
  }

  T* data_ = nullptr;
  index_t size_ = 0;
  int device_ = 0;
  cudaStream_t stream_ = nullptr;
};

void* allocate(const Queue& queue, std::size_t bytes);

template <class T>
DeviceBuffer<T>::DeviceBuffer(const Queue& queue, index_t size)
    : data_(size > 0 ? static_cast<T*>(allocate(queue, static_cast<std::size_t>(size) * sizeof(T)))
                     : nullptr),
      size_(size),
      device_(queue.device()),
      stream_(queue.stream()) {}

// Copies `size` elements to or from the device. The host's memory must stay valid until the queue
// has been synchronised.
template <class T>
void copy(const Queue& queue, T* to, const T* from, index_t size) {
  check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(size) * sizeof(T), cudaMemcpyDefault,
                        queue.stream()),
        "cudaMemcpyAsync");
}

template <class T>
DeviceBuffer<T> to_device(const Queue& queue, const T* data, index_t size) {
  DeviceBuffer<T> buffer(queue, size);
  copy(queue, buffer.data(), data, size);
  return buffer;
}

// Waits for the data.
template <class T>
Buffer<T> to_host(const Queue& queue, const T* data, index_t size) {
  Buffer<T> buffer(size);
  copy(queue, buffer.data(), data, size);
  queue.synchronize();
  return buffer;
}

// In a build for a GPU, only .cu files launch kernels.
#if defined(__CUDACC__) || defined(EIGENTROPY_CUDA_EMULATED)

// Lets a block of this kernel have `bytes` of shared memory on the queue's device. CUDA is told
// when the number has grown, and not at each launch. Throws DeviceError if the device has less for
// a block.
void allow_shared_memory(const Queue& queue, const void* kernel, std::size_t bytes);

// kernel<<<grid, block, shared, stream>>>(arguments...). A grid without blocks is not launched.
template <class... Parameters, class... Arguments>
void launch(const Queue& queue, void (*kernel)(Parameters...), dim3 grid, dim3 block,
            std::size_t shared, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  // A kernel must ask for more shared memory than this.
  constexpr std::size_t without_asking = 48 << 10;
  if (shared > without_asking) {
    allow_shared_memory(queue, reinterpret_cast<const void*>(kernel), shared);
  }
#ifdef __CUDACC__
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = queue.stream();
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
        "cudaLaunchKernelEx");
#else
  check(cudaStreamQuery(queue.stream()), "cudaLaunchKernelEx");
  emulated::run_grid(grid, block, shared, [&] { kernel(static_cast<Parameters>(arguments)...); });
#endif
}

#ifdef __CUDACC__
// The block's shared memory, whose size is given at the launch.
template <class T>
__device__ T* shared_memory() {
  extern __shared__ __align__(16) unsigned char eigentropy_shared_memory[];
  return reinterpret_cast<T*>(eigentropy_shared_memory);
}
#else
template <class T>
T* shared_memory() {
  return reinterpret_cast<T*>(emulated::dynamic_shared());
}
#endif

#endif

// ceil(size / block), as a number of blocks.
inline unsigned blocks_for(index_t size, index_t block) {
  return static_cast<unsigned>((size + block - 1) / block);
}

// Bytes on a device, free and in total.
struct DeviceMemory {
  std::size_t free, total;
};
DeviceMemory device_memory(int device);

// A named stretch of time in a profile.
class Range {
 public:
  explicit Range(const char* name);
  ~Range();
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

}  // namespace eigentropy::cuda
