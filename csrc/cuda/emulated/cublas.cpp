#include "core/views.hpp"
#include "cpu/blas.hpp"
#include "cublas_v2.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
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
cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }

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
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

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
