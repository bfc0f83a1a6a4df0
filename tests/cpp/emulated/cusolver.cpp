#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/blas.hpp"
#include "cusolverDn.h"

struct cusolverDnContext {};
struct cusolverDnParams {};

namespace {

eigentropy::cuda::emulated::SolverFault fault;

using eigentropy::index_t;
using eigentropy::blas::to_blas;
using eigentropy::blas::work_size;

void syevd(const char* job, const char* uplo, const int* n, float* a, const int* lda, float* w,
           float* work, const int* lwork, int* iwork, const int* liwork, int* info) {
  scipy_ssyevd_(job, uplo, n, a, lda, w, work, lwork, iwork, liwork, info, 1, 1);
}
void syevd(const char* job, const char* uplo, const int* n, double* a, const int* lda, double* w,
           double* work, const int* lwork, int* iwork, const int* liwork, int* info) {
  scipy_dsyevd_(job, uplo, n, a, lda, w, work, lwork, iwork, liwork, info, 1, 1);
}

// Whatever the documentation allows: the solver reads both triangles, and takes their mean. Whether
// numbers came of it.
template <class T>
bool take_both_triangles(T* a, index_t n, index_t lda) {
  bool are_numbers = true;
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j <= i; ++j) {
      T &below = a[j * lda + i], &above = a[i * lda + j];
      below = above = T(0.5) * below + T(0.5) * above;
      are_numbers = are_numbers && !std::isnan(below);
    }
  }
  return are_numbers;
}

// As some version does.
bool reads_unwritten(const void* workspace, std::size_t bytes) {
  const auto* const begin = static_cast<const unsigned char*>(workspace);
  return std::any_of(begin, begin + bytes, [](unsigned char byte) { return byte != 0; });
}

template <class T>
int solve(char job, char uplo, index_t order, void* A, index_t lda_, void* W) {
  const int n = to_blas(order), lda = to_blas(lda_), query = -1;
  T work_needed;
  int integers_needed, info = 0;
  T* const a = static_cast<T*>(A);
  T* const w = static_cast<T*>(W);
  if (!take_both_triangles(a, order, lda_)) {
    std::fill(w, w + n, std::numeric_limits<T>::quiet_NaN());
    return 0;
  }
  syevd(&job, &uplo, &n, a, &lda, w, &work_needed, &query, &integers_needed, &query, &info);
  const int lwork = to_blas(work_size(work_needed)), liwork = integers_needed;
  std::vector<T> work(static_cast<std::size_t>(lwork));
  std::vector<int> iwork(static_cast<std::size_t>(liwork));
  syevd(&job, &uplo, &n, a, &lda, w, work.data(), &lwork, iwork.data(), &liwork, &info);
  return info;
}

// Applies the fault that a test has set, if there is one left.
template <class T>
bool strikes(T* w, int* info) {
  if (fault.times == 0) return false;
  --fault.times;
  *info = fault.info;
  if (fault.info == 0) w[0] += static_cast<T>(fault.error);
  return true;
}

template <class T>
void solve_one(cusolverEigMode_t mode, cublasFillMode_t fill, index_t n, void* A, index_t lda,
               void* W, int* info, bool is_spoilt = false) {
  const char job = mode == CUSOLVER_EIG_MODE_VECTOR ? 'V' : 'N';
  *info = solve<T>(job, fill == CUBLAS_FILL_MODE_LOWER ? 'L' : 'U', n, A, lda, W);
  strikes(static_cast<T*>(W), info);
  if (is_spoilt) *static_cast<T*>(W) = std::numeric_limits<T>::quiet_NaN();
}

cusolverStatus_t failing() {
  if (fault.times > 0 && fault.status != CUSOLVER_STATUS_SUCCESS) {
    --fault.times;
    return fault.status;
  }
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t reduction_size(int n, int* size) {
  *size = 64 * n;
  return CUSOLVER_STATUS_SUCCESS;
}
template <class T>
cusolverStatus_t reduce(cublasFillMode_t fill, int n, T* A, int lda, T* d, T* e, T* tau, T* work,
                        int size, int* info) {
  if (const cusolverStatus_t status = failing(); status != CUSOLVER_STATUS_SUCCESS) return status;
  const char uplo = fill == CUBLAS_FILL_MODE_LOWER ? 'L' : 'U';
  if (!take_both_triangles(A, n, lda)) {
    std::fill(d, d + n, std::numeric_limits<T>::quiet_NaN());
    return CUSOLVER_STATUS_SUCCESS;
  }
  *info = eigentropy::blas::sytrd(uplo, n, A, lda, d, e, tau, work, size);
  strikes(d, info);
  return CUSOLVER_STATUS_SUCCESS;
}

}  // namespace

namespace eigentropy::cuda::emulated {
void set_solver_fault(SolverFault chosen) { fault = chosen; }
}  // namespace eigentropy::cuda::emulated

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  *handle = new cusolverDnContext;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
  delete handle;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t, cudaStream_t) {
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* params) {
  *params = new cusolverDnParams;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t params) {
  delete params;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSsytrd_bufferSize(cusolverDnHandle_t, cublasFillMode_t, int n,
                                             const float*, int, const float*, const float*,
                                             const float*, int* size) {
  return reduction_size(n, size);
}
cusolverStatus_t cusolverDnDsytrd_bufferSize(cusolverDnHandle_t, cublasFillMode_t, int n,
                                             const double*, int, const double*, const double*,
                                             const double*, int* size) {
  return reduction_size(n, size);
}
cusolverStatus_t cusolverDnSsytrd(cusolverDnHandle_t, cublasFillMode_t fill, int n, float* A,
                                  int lda, float* d, float* e, float* tau, float* work, int size,
                                  int* info) {
  return reduce(fill, n, A, lda, d, e, tau, work, size, info);
}
cusolverStatus_t cusolverDnDsytrd(cusolverDnHandle_t, cublasFillMode_t fill, int n, double* A,
                                  int lda, double* d, double* e, double* tau, double* work,
                                  int size, int* info) {
  return reduce(fill, n, A, lda, d, e, tau, work, size, info);
}
cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t, cusolverDnParams_t,
                                             cusolverEigMode_t, cublasFillMode_t, std::int64_t n,
                                             cudaDataType, const void*, std::int64_t, cudaDataType,
                                             const void*, cudaDataType, std::size_t* on_device,
                                             std::size_t* on_host) {
  *on_device = static_cast<std::size_t>(n) * 64;
  *on_host = static_cast<std::size_t>(n) * 8;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t, cusolverDnParams_t, cusolverEigMode_t mode,
                                  cublasFillMode_t fill, std::int64_t n, cudaDataType type, void* A,
                                  std::int64_t lda, cudaDataType, void* W, cudaDataType, void*,
                                  std::size_t, void*, std::size_t, int* info) {
  if (const cusolverStatus_t status = failing(); status != CUSOLVER_STATUS_SUCCESS) return status;
  if (type == CUDA_R_64F) {
    solve_one<double>(mode, fill, n, A, lda, W, info);
  } else {
    solve_one<float>(mode, fill, n, A, lda, W, info);
  }
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXsyevBatched_bufferSize(cusolverDnHandle_t, cusolverDnParams_t,
                                                   cusolverEigMode_t, cublasFillMode_t,
                                                   std::int64_t n, cudaDataType, const void*,
                                                   std::int64_t, cudaDataType, const void*,
                                                   cudaDataType, std::size_t* on_device,
                                                   std::size_t* on_host, std::int64_t count) {
  *on_device = static_cast<std::size_t>(n * count) * 64;
  *on_host = 0;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXsyevBatched(cusolverDnHandle_t, cusolverDnParams_t,
                                        cusolverEigMode_t mode, cublasFillMode_t fill,
                                        std::int64_t n, cudaDataType type, void* A,
                                        std::int64_t lda, cudaDataType, void* W, cudaDataType,
                                        void* on_device, std::size_t on_device_bytes, void*,
                                        std::size_t, int* info, std::int64_t count) {
  if (const cusolverStatus_t status = failing(); status != CUSOLVER_STATUS_SUCCESS) return status;
  const bool is_spoilt = reads_unwritten(on_device, on_device_bytes);
  for (std::int64_t i = 0; i < count; ++i) {
    if (type == CUDA_R_64F) {
      solve_one<double>(mode, fill, n, static_cast<double*>(A) + i * lda * n, lda,
                        static_cast<double*>(W) + i * n, info + i, is_spoilt);
    } else {
      solve_one<float>(mode, fill, n, static_cast<float*>(A) + i * lda * n, lda,
                       static_cast<float*>(W) + i * n, info + i, is_spoilt);
    }
  }
  return CUSOLVER_STATUS_SUCCESS;
}
