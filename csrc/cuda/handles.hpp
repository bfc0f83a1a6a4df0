// Handles of cuBLAS and cuSOLVER. Creating one takes long, so a handle is lent to one caller at a
// time and then kept for the next until the process ends.
#pragma once

#include <cublas_v2.h>
#include <cusolverDn.h>

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// Throw DeviceError unless status is success; `what` is the name of the routine.
void check(cublasStatus_t status, const char* what);
void check(cusolverStatus_t status, const char* what);

// "CUSOLVER_STATUS_...", for messages: cuSOLVER has no function for it.
const char* name_of(cusolverStatus_t status);

// A handle of the queue's device, on the queue's stream. If the last user of the handle left work
// on another stream, this stream waits for it, because both use the handle's workspace.
template <class Handle>
class Lease {
 public:
  explicit Lease(const Queue& queue);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  operator Handle() const { return handle_; }

 private:
  int device_;
  cudaStream_t stream_;
  cudaEvent_t last_use_ = nullptr;
  Handle handle_ = nullptr;
};

// Handles for products in full precision: never TF32, whatever the environment allows.
using BlasHandle = Lease<cublasHandle_t>;
using SolverHandle = Lease<cusolverDnHandle_t>;

}  // namespace eigentropy::cuda
