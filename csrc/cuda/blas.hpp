// Products of cuBLAS, in single and double precision. Its matrices are column-major: a row-major
// matrix is seen as its transpose.
#pragma once

#include <cuda_fp16.h>

#include "cuda/handles.hpp"

namespace eigentropy::cuda::blas {

template <class T>
struct Factor {
  const T* data;  // of the first matrix
  index_t ld;     // leading dimension
  index_t step;   // elements from one matrix to the next
  cublasOperation_t op;
};
template <class T>
struct Result {
  T* data;
  index_t ld, step;
};

// C_b <- alpha op(A_b) op(B_b) + beta C_b for b < count, with op(A_b) m x k and op(B_b) k x n.
inline void gemm(const BlasHandle& handle, index_t m, index_t n, index_t k, float alpha,
                 const Factor<float>& A, const Factor<float>& B, float beta, const Result<float>& C,
                 index_t count = 1) {
  if (m == 0 || n == 0 || count == 0) return;
  check(cublasSgemmStridedBatched_64(handle, A.op, B.op, m, n, k, &alpha, A.data, A.ld, A.step,
                                     B.data, B.ld, B.step, &beta, C.data, C.ld, C.step, count),
        "cublasSgemmStridedBatched");
}
inline void gemm(const BlasHandle& handle, index_t m, index_t n, index_t k, double alpha,
                 const Factor<double>& A, const Factor<double>& B, double beta,
                 const Result<double>& C, index_t count = 1) {
  if (m == 0 || n == 0 || count == 0) return;
  check(cublasDgemmStridedBatched_64(handle, A.op, B.op, m, n, k, &alpha, A.data, A.ld, A.step,
                                     B.data, B.ld, B.step, &beta, C.data, C.ld, C.step, count),
        "cublasDgemmStridedBatched");
}

// The same for matrices in half precision. Tensor cores multiply them exactly and add in single
// precision; the handle's own mode does not use tensor cores, so it is changed for this call.
inline void gemm(const BlasHandle& handle, index_t m, index_t n, index_t k, float alpha,
                 const Factor<__half>& A, const Factor<__half>& B, float beta,
                 const Result<float>& C, index_t count = 1) {
  if (m == 0 || n == 0 || count == 0) return;
  check(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
  const cublasStatus_t status = cublasGemmStridedBatchedEx_64(
      handle, A.op, B.op, m, n, k, &alpha, A.data, CUDA_R_16F, A.ld, A.step, B.data, CUDA_R_16F,
      B.ld, B.step, &beta, C.data, CUDA_R_32F, C.ld, C.step, count, CUBLAS_COMPUTE_32F,
      CUBLAS_GEMM_DEFAULT);
  check(cublasSetMathMode(handle, CUBLAS_PEDANTIC_MATH), "cublasSetMathMode");
  check(status, "cublasGemmStridedBatchedEx");
}

}  // namespace eigentropy::cuda::blas
