#include <vector>

#include "base/views.hpp"
#include "cpu/blas.hpp"
#include "cublas_v2.h"
#include "cuda_fp16.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t mode = CUBLAS_DEFAULT_MATH;
};

const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_INVALID_VALUE";
}
cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->mode = mode;
  return CUBLAS_STATUS_SUCCESS;
}

namespace {
eigentropy::cuda::emulated::ProductFault fault;
}
namespace eigentropy::cuda::emulated {
void set_product_fault(ProductFault chosen) { fault = chosen; }
}  // namespace eigentropy::cuda::emulated

namespace {

template <class T>
cublasStatus_t gemm(cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m, std::int64_t n,
                    std::int64_t k, const T* alpha, const T* a, std::int64_t lda, const T* b,
                    std::int64_t ldb, const T* beta, T* c, std::int64_t ldc) {
  using eigentropy::blas::to_blas;
  if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;
  const auto letter = [](cublasOperation_t op) { return op == CUBLAS_OP_N ? 'N' : 'T'; };
  eigentropy::blas::gemm(letter(op_a), letter(op_b), to_blas(m), to_blas(n), to_blas(k), *alpha, a,
                         to_blas(lda), b, to_blas(ldb), *beta, c, to_blas(ldc));
  if (fault.times > 0) {
    --fault.times;
    c[0] += static_cast<T>(fault.error);
  }
  return CUBLAS_STATUS_SUCCESS;
}

// A copy without room between the columns.
std::vector<float> singles(const void* halves, std::int64_t rows, std::int64_t cols,
                           std::int64_t ld) {
  std::vector<float> copy;
  copy.reserve(static_cast<std::size_t>(rows * cols));
  for (std::int64_t j = 0; j < cols; ++j) {
    for (std::int64_t i = 0; i < rows; ++i) {
      copy.push_back(__half2float(static_cast<const __half*>(halves)[j * ld + i]));
    }
  }
  return copy;
}

}  // namespace

// Without tensor cores halves are multiplied just as well, but slowly: whoever asks for them so on
// a GPU has made a mistake.
cublasStatus_t cublasGemmStridedBatchedEx_64(
    cublasHandle_t handle, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,
    std::int64_t n, std::int64_t k, const void* alpha, const void* a, cudaDataType type_a,
    std::int64_t lda, long long int stride_a, const void* b, cudaDataType type_b, std::int64_t ldb,
    long long int stride_b, const void* beta, void* c, cudaDataType type_c, std::int64_t ldc,
    long long int stride_c, std::int64_t count, cublasComputeType_t compute, cublasGemmAlgo_t) {
  const bool is_ours = type_a == CUDA_R_16F && type_b == CUDA_R_16F && type_c == CUDA_R_32F &&
                       compute == CUBLAS_COMPUTE_32F && op_a == CUBLAS_OP_N &&
                       op_b == CUBLAS_OP_N && handle->mode == CUBLAS_DEFAULT_MATH;
  if (!is_ours) return CUBLAS_STATUS_INVALID_VALUE;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto A = singles(static_cast<const __half*>(a) + i * stride_a, m, k, lda);
    const auto B = singles(static_cast<const __half*>(b) + i * stride_b, k, n, ldb);
    gemm(op_a, op_b, m, n, k, static_cast<const float*>(alpha), A.data(), m, B.data(), k,
         static_cast<const float*>(beta), static_cast<float*>(c) + i * stride_c, ldc);
  }
  return CUBLAS_STATUS_SUCCESS;
}

#define EIGENTROPY_DEFINE_CUBLAS(T, P)                                                             \
  cublasStatus_t cublas##P##gemm_64(                                                               \
      cublasHandle_t, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,              \
      std::int64_t n, std::int64_t k, const T* alpha, const T* a, std::int64_t lda, const T* b,    \
      std::int64_t ldb, const T* beta, T* c, std::int64_t ldc) {                                   \
    return gemm(op_a, op_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);                         \
  }                                                                                                \
  cublasStatus_t cublas##P##gemmStridedBatched_64(                                                 \
      cublasHandle_t, cublasOperation_t op_a, cublasOperation_t op_b, std::int64_t m,              \
      std::int64_t n, std::int64_t k, const T* alpha, const T* a, std::int64_t lda,                \
      long long int stride_a, const T* b, std::int64_t ldb, long long int stride_b, const T* beta, \
      T* c, std::int64_t ldc, long long int stride_c, std::int64_t count) {                        \
    for (std::int64_t i = 0; i < count; ++i) {                                                     \
      gemm(op_a, op_b, m, n, k, alpha, a + i * stride_a, lda, b + i * stride_b, ldb, beta,         \
           c + i * stride_c, ldc);                                                                 \
    }                                                                                              \
    return CUBLAS_STATUS_SUCCESS;                                                                  \
  }
EIGENTROPY_DEFINE_CUBLAS(float, S)
EIGENTROPY_DEFINE_CUBLAS(double, D)
#undef EIGENTROPY_DEFINE_CUBLAS
