// The part of cuSOLVER that we use, for the emulated device.
#pragma once

#include <cstdint>

#include "cublas_v2.h"

struct cusolverDnContext;
using cusolverDnHandle_t = cusolverDnContext*;
struct cusolverDnParams;
using cusolverDnParams_t = cusolverDnParams*;
enum cusolverStatus_t {
  CUSOLVER_STATUS_SUCCESS = 0,
  CUSOLVER_STATUS_ALLOC_FAILED = 2,
  CUSOLVER_STATUS_INVALID_VALUE = 3,
  CUSOLVER_STATUS_EXECUTION_FAILED = 6,
  CUSOLVER_STATUS_INTERNAL_ERROR = 7,
  CUSOLVER_STATUS_NOT_SUPPORTED = 9
};
enum cusolverEigMode_t { CUSOLVER_EIG_MODE_NOVECTOR = 0, CUSOLVER_EIG_MODE_VECTOR = 1 };

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle);
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle);
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream);
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params);
cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params);

// LAPACK's.
cusolverStatus_t cusolverDnSsytrd_bufferSize(cusolverDnHandle_t, cublasFillMode_t, int n,
                                             const float* A, int lda, const float* d,
                                             const float* e, const float* tau, int* size);
cusolverStatus_t cusolverDnDsytrd_bufferSize(cusolverDnHandle_t, cublasFillMode_t, int n,
                                             const double* A, int lda, const double* d,
                                             const double* e, const double* tau, int* size);
cusolverStatus_t cusolverDnSsytrd(cusolverDnHandle_t, cublasFillMode_t, int n, float* A, int lda,
                                  float* d, float* e, float* tau, float* work, int size, int* info);
cusolverStatus_t cusolverDnDsytrd(cusolverDnHandle_t, cublasFillMode_t, int n, double* A, int lda,
                                  double* d, double* e, double* tau, double* work, int size,
                                  int* info);

cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t, cusolverDnParams_t,
                                             cusolverEigMode_t, cublasFillMode_t, std::int64_t n,
                                             cudaDataType, const void* A, std::int64_t lda,
                                             cudaDataType, const void* W, cudaDataType,
                                             std::size_t* on_device, std::size_t* on_host);
cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t, cusolverDnParams_t, cusolverEigMode_t,
                                  cublasFillMode_t, std::int64_t n, cudaDataType, void* A,
                                  std::int64_t lda, cudaDataType, void* W, cudaDataType,
                                  void* on_device, std::size_t on_device_bytes, void* on_host,
                                  std::size_t on_host_bytes, int* info);
cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t, cusolverDnParams_t,
                                                   cusolverEigMode_t, cublasFillMode_t,
                                                   std::int64_t n, cudaDataType, const void* A,
                                                   std::int64_t lda, cudaDataType, const void* W,
                                                   cudaDataType, std::size_t* on_device,
                                                   std::size_t* on_host, std::int64_t count);
cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t, cusolverDnParams_t, cusolverEigMode_t,
                                        cublasFillMode_t, std::int64_t n, cudaDataType, void* A,
                                        std::int64_t lda, cudaDataType, void* W, cudaDataType,
                                        void* on_device, std::size_t on_device_bytes, void* on_host,
                                        std::size_t on_host_bytes, int* info, std::int64_t count);

namespace eigentropy::cuda::emulated {

// What a test makes the solver do, `times` times: report info, or where info is 0 add `error` to
// an eigenvalue, or to a diagonal entry of sytrd's result, or fail with a status.
struct SolverFault {
  int times = 0;
  int info = 0;
  cusolverStatus_t status = CUSOLVER_STATUS_SUCCESS;
  double error = 0.5;
};
void set_solver_fault(SolverFault fault);

}  // namespace eigentropy::cuda::emulated
