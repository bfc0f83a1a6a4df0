#include "cuda/handles.hpp"

#include <mutex>
#include <vector>

namespace eigentropy::cuda {
namespace {

void make(cublasHandle_t* handle) {
  check(cublasCreate(handle), "cublasCreate");
  const cublasStatus_t status = cublasSetMathMode(*handle, CUBLAS_PEDANTIC_MATH);
  if (status == CUBLAS_STATUS_SUCCESS) return;
  cublasDestroy(*handle);
  check(status, "cublasSetMathMode");
}
void make(cusolverDnHandle_t* handle) { check(cusolverDnCreate(handle), "cusolverDnCreate"); }

void discard(cublasHandle_t handle) { cublasDestroy(handle); }
void discard(cusolverDnHandle_t handle) { cusolverDnDestroy(handle); }

void set_stream(cublasHandle_t handle, cudaStream_t stream) {
  check(cublasSetStream(handle, stream), "cublasSetStream");
}
void set_stream(cusolverDnHandle_t handle, cudaStream_t stream) {
  check(cusolverDnSetStream(handle, stream), "cusolverDnSetStream");
}

template <class Handle>
struct Idle {
  int device;
  Handle handle;
  cudaEvent_t last_use;
};

// Never destroyed: at the end of the process CUDA may be unloaded before its handles.
template <class Handle>
struct Pool {
  std::mutex lock;
  std::vector<Idle<Handle>> idle;

  static Pool& instance() {
    static Pool* const pool = new Pool;
    return *pool;
  }

  // Handle and event are null if none is idle on this device.
  Idle<Handle> take(int device) {
    const std::lock_guard guard(lock);
    for (std::size_t i = idle.size(); i-- > 0;) {
      if (idle[i].device != device) continue;
      const Idle<Handle> found = idle[i];
      idle.erase(idle.begin() + static_cast<std::ptrdiff_t>(i));
      return found;
    }
    return {device, nullptr, nullptr};
  }
  void give_back(const Idle<Handle>& one) {
    const std::lock_guard guard(lock);
    idle.push_back(one);
  }
};

}  // namespace

void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw DeviceError(std::string(what) + ": " + cublasGetStatusString(status), status);
}

const char* name_of(cusolverStatus_t status) {
  switch (status) {
    case CUSOLVER_STATUS_SUCCESS:
      return "CUSOLVER_STATUS_SUCCESS";
    case CUSOLVER_STATUS_ALLOC_FAILED:
      return "CUSOLVER_STATUS_ALLOC_FAILED";
    case CUSOLVER_STATUS_INVALID_VALUE:
      return "CUSOLVER_STATUS_INVALID_VALUE";
    case CUSOLVER_STATUS_EXECUTION_FAILED:
      return "CUSOLVER_STATUS_EXECUTION_FAILED";
    case CUSOLVER_STATUS_INTERNAL_ERROR:
      return "CUSOLVER_STATUS_INTERNAL_ERROR";
    case CUSOLVER_STATUS_NOT_SUPPORTED:
      return "CUSOLVER_STATUS_NOT_SUPPORTED";
    default:
      return "a status without a name here";
  }
}

void check(cusolverStatus_t status, const char* what) {
  if (status == CUSOLVER_STATUS_SUCCESS) return;
  throw DeviceError(
      std::string(what) + ": " + name_of(status) + " (" + std::to_string(status) + ")", status);
}

template <class Handle>
Lease<Handle>::Lease(const Queue& queue) : device_(queue.device()), stream_(queue.stream()) {
  const Idle<Handle> found = Pool<Handle>::instance().take(device_);
  handle_ = found.handle;
  last_use_ = found.last_use;
  try {
    if (last_use_ == nullptr) {
      last_use_ = make_event();
      make(&handle_);
    } else {
      check(cudaStreamWaitEvent(stream_, last_use_, 0), "cudaStreamWaitEvent");
    }
    set_stream(handle_, stream_);
  } catch (...) {
    if (handle_ != nullptr) discard(handle_);
    if (last_use_ != nullptr) cudaEventDestroy(last_use_);
    throw;
  }
}

// A handle whose stream has failed may be in any state and is not lent again.
template <class Handle>
Lease<Handle>::~Lease() {
  if (cudaEventRecord(last_use_, stream_) == cudaSuccess) {
    Pool<Handle>::instance().give_back({device_, handle_, last_use_});
    return;
  }
  cudaGetLastError();  // clears the error; the caller's next call reports it
  discard(handle_);
  cudaEventDestroy(last_use_);
}

template class Lease<cublasHandle_t>;
template class Lease<cusolverDnHandle_t>;

}  // namespace eigentropy::cuda
