// The part of cuBLAS that we use, for the emulated device. Matrices are column-major.
#pragma once

#include <cstdint>

#include "cuda_runtime.h"

struct cublasContext;
using cublasHandle_t = cublasContext*;
enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3,
  CUBLAS_STATUS_INVALID_VALUE = 7
};
enum cublasOperation_t { CUBLAS_OP_N = 0, CUBLAS_OP_T = 1 };
enum cublasFillMode_t { CUBLAS_FILL_MODE_LOWER = 0, CUBLAS_FILL_MODE_UPPER = 1 };
enum cudaDataType { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_R_16F = 2 };
enum cublasComputeType_t { CUBLAS_COMPUTE_32F = 68 };
enum cublasGemmAlgo_t { CUBLAS_GEMM_DEFAULT = -1 };
enum cublasMath_t { CUBLAS_DEFAULT_MATH = 0, CUBLAS_PEDANTIC_MATH = 2 };

const char* cublasGetStatusString(cublasStatus_t status);
cublasStatus_t cublasCreate(cublasHandle_t* handle);
cublasStatus_t cublasDestroy(cublasHandle_t handle);
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);

#define EIGENTROPY_DECLARE_CUBLAS(T, P)                                                            \
  cublasStatus_t cublas##P##gemm_64(cublasHandle_t, cublasOperation_t, cublasOperation_t,          \
                                    std::int64_t m, std::int64_t n, std::int64_t k, const T*,      \
                                    const T* a, std::int64_t lda, const T* b, std::int64_t ldb,    \
                                    const T* beta, T* c, std::int64_t ldc);                        \
  cublasStatus_t cublas##P##gemmStridedBatched_64(                                                 \
      cublasHandle_t, cublasOperation_t, cublasOperation_t, std::int64_t m, std::int64_t n,        \
      std::int64_t k, const T* alpha, const T* a, std::int64_t lda, long long int stride_a,        \
      const T* b, std::int64_t ldb, long long int stride_b, const T* beta, T* c, std::int64_t ldc, \
      long long int stride_c, std::int64_t count);
// Of halves, to single precision.
cublasStatus_t cublasGemmStridedBatchedEx_64(
    cublasHandle_t, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
    std::int64_t k, const void* alpha, const void* a, cudaDataType type_a, std::int64_t lda,
    long long int stride_a, const void* b, cudaDataType type_b, std::int64_t ldb,
    long long int stride_b, const void* beta, void* c, cudaDataType type_c, std::int64_t ldc,
    long long int stride_c, std::int64_t count, cublasComputeType_t compute, cublasGemmAlgo_t);

EIGENTROPY_DECLARE_CUBLAS(float, S)
EIGENTROPY_DECLARE_CUBLAS(double, D)
#undef EIGENTROPY_DECLARE_CUBLAS

namespace eigentropy::cuda::emulated {

// What a test makes the next `times` products do: add `error` to an entry of the result.
struct ProductFault {
  int times = 0;
  double error = 0.5;
};
void set_product_fault(ProductFault fault);

}  // namespace eigentropy::cuda::emulated
