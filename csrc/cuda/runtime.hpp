// What every file of the CUDA back end needs: errors, a device with a stream, its memory, launches.
//
// Compiled by nvcc for a GPU, or by a C++ compiler against emulated/, whose headers have the names
// of CUDA's and run the same kernels on the host.
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

// There is not so much memory on the device.
struct OutOfDeviceMemory : std::bad_alloc {
  explicit OutOfDeviceMemory(std::string text) : message(std::move(text)) {}
  const char* what() const noexcept override { return message.c_str(); }
  std::string message;
};

// Throws DeviceError unless status is success; `what` is the name of the call. The error is then
// no longer the last one that CUDA remembers.
void check(cudaError_t status, const char* what);

// A device and a stream of the caller, on which everything is done in order. While it lives its
// device is the current one of this thread. Making one throws DeviceError if an earlier call, which
// was not ours, has failed, if a CUDA graph is being captured from the stream, which goes on, or if
// the stream is not one.
class Queue {
 public:
  Queue(int device, cudaStream_t stream);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  int device() const { return device_; }
  cudaStream_t stream() const { return stream_; }
  // Waits for all that was asked for so far.
  void synchronize() const;

 private:
  int device_, previous_ = 0;
  cudaStream_t stream_;
};

// Gives memory back on its device, whichever is the current one, in the order of the stream that it
// was made on. If that is gone, so is all that used the memory.
void give_back(void* memory, int device, cudaStream_t stream) noexcept;

// `size` elements in the memory of the queue's device, not initialised. They are taken from and
// given back to a pool in the order of the stream, so that neither waits.
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
  // Gives the memory up, for the caller to give back.
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

// Copies `size` elements to or from the device. The host's memory must stay until the queue has
// been synchronised.
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

// C++ files of a build for a GPU launch nothing.
#if defined(__CUDACC__) || defined(EIGENTROPY_CUDA_EMULATED)

// Throws DeviceError where a block of the queue's device cannot have so many bytes of shared
// memory.
void require_shared_memory(const Queue& queue, std::size_t bytes);

// kernel<<<grid, block, shared, stream>>>(arguments...). A grid without blocks is not launched.
template <class... Parameters, class... Arguments>
void launch(const Queue& queue, void (*kernel)(Parameters...), dim3 grid, dim3 block,
            std::size_t shared, Arguments&&... arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return;
  // Above, a kernel has to ask for it.
  constexpr std::size_t without_asking = 48 << 10;
  if (shared > without_asking) require_shared_memory(queue, shared);
#ifdef __CUDACC__
  if (shared > without_asking) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)),
          "cudaFuncSetAttribute");
  }
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
// The memory that a block shares, whose size the launch gives.
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

// Bytes that are free, and that there are, on a device.
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
