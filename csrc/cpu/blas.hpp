// The BLAS and LAPACK routines that the core calls, one overload for each precision.
//
// They come from the scipy-openblas32 wheel, which prefixes every symbol with scipy_ so that it
// can live in one process with other BLAS libraries. Matrices are column-major, sizes 32 bits.
#pragma once

#include <cmath>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/views.hpp"

extern "C" {
void scipy_openblas_set_num_threads(int);
char* scipy_openblas_get_config(void);
char* scipy_openblas_get_corename(void);

// The trailing size_t are the lengths of the character arguments, as Fortran passes them.
#define EIGENTROPY_DECLARE_BLAS(T, p)                                                              \
  void scipy_##p##gemm_(const char*, const char*, const int*, const int*, const int*, const T*,    \
                        const T*, const int*, const T*, const int*, const T*, T*, const int*,      \
                        std::size_t, std::size_t);                                                 \
  void scipy_##p##trsm_(const char*, const char*, const char*, const char*, const int*,            \
                        const int*, const T*, const T*, const int*, T*, const int*, std::size_t,   \
                        std::size_t, std::size_t, std::size_t);                                    \
  void scipy_##p##sytrd_(const char*, const int*, T*, const int*, T*, T*, T*, T*, const int*,      \
                         int*, std::size_t);                                                       \
  void scipy_##p##sterf_(const int*, T*, T*, int*);                                                \
  void scipy_##p##potrf_(const char*, const int*, T*, const int*, int*, std::size_t);              \
  void scipy_##p##syevd_(const char*, const char*, const int*, T*, const int*, T*, T*, const int*, \
                         int*, const int*, int*, std::size_t, std::size_t);                        \
  void scipy_##p##syevr_(const char*, const char*, const char*, const int*, T*, const int*,        \
                         const T*, const T*, const int*, const int*, const T*, int*, T*, T*,       \
                         const int*, int*, T*, const int*, int*, const int*, int*, std::size_t,    \
                         std::size_t, std::size_t);
EIGENTROPY_DECLARE_BLAS(float, s)
EIGENTROPY_DECLARE_BLAS(double, d)
#undef EIGENTROPY_DECLARE_BLAS
}

namespace eigentropy::blas {

// OpenBLAS is built with 32-bit sizes; offsets inside it are 64-bit, so n * n may pass 2^31 but
// n and a leading dimension may not.
inline int to_blas(index_t value) {
  if (value > std::numeric_limits<int>::max()) {
    throw std::invalid_argument("a dimension of " + std::to_string(value) +
                                " is beyond BLAS's limit of 2147483647");
  }
  return static_cast<int>(value);
}

// LAPACK reports the size of a workspace in the matrix's own type. Above 2^24, float32 does not
// hold every integer, and the reported size may have been rounded down.
template <class T>
index_t work_size(T reported) {
  constexpr T all_integers_below = static_cast<T>(index_t{1} << std::numeric_limits<T>::digits);
  if (reported < all_integers_below) return static_cast<index_t>(reported);
  return static_cast<index_t>(std::nextafter(reported, std::numeric_limits<T>::infinity()));
}

inline void set_threads(int count) { scipy_openblas_set_num_threads(count); }
inline std::string configuration() { return scipy_openblas_get_config(); }
inline std::string core_name() { return scipy_openblas_get_corename(); }

#define EIGENTROPY_WRAP_BLAS(T, p)                                                                 \
  inline void gemm(char ta, char tb, int m, int n, int k, T alpha, const T* a, int lda,            \
                   const T* b, int ldb, T beta, T* c, int ldc) {                                   \
    scipy_##p##gemm_(&ta, &tb, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc, 1, 1);        \
  }                                                                                                \
  inline void trsm(char side, char uplo, char trans, char diag, int m, int n, T alpha, const T* a, \
                   int lda, T* b, int ldb) {                                                       \
    scipy_##p##trsm_(&side, &uplo, &trans, &diag, &m, &n, &alpha, a, &lda, b, &ldb, 1, 1, 1, 1);   \
  }                                                                                                \
  inline int sytrd(char uplo, int n, T* a, int lda, T* d, T* e, T* tau, T* work, int lwork) {      \
    int info = 0;                                                                                  \
    scipy_##p##sytrd_(&uplo, &n, a, &lda, d, e, tau, work, &lwork, &info, 1);                      \
    return info;                                                                                   \
  }                                                                                                \
  inline int sterf(int n, T* d, T* e) {                                                            \
    int info = 0;                                                                                  \
    scipy_##p##sterf_(&n, d, e, &info);                                                            \
    return info;                                                                                   \
  }                                                                                                \
  inline int potrf(char uplo, int n, T* a, int lda) {                                              \
    int info = 0;                                                                                  \
    scipy_##p##potrf_(&uplo, &n, a, &lda, &info, 1);                                               \
    return info;                                                                                   \
  }                                                                                                \
  inline int syevd(int n, T* a, int lda, T* w, T* work, int lwork, int* iwork, int liwork) {       \
    int info = 0;                                                                                  \
    const char vectors = 'V', uplo = 'L';                                                          \
    scipy_##p##syevd_(&vectors, &uplo, &n, a, &lda, w, work, &lwork, iwork, &liwork, &info, 1, 1); \
    return info;                                                                                   \
  }                                                                                                \
  inline int syevr_top(int n, T* a, int lda, int first, int last, int* found, T* w, T* z, int ldz, \
                       int* isuppz, T* work, int lwork, int* iwork, int liwork) {                  \
    int info = 0;                                                                                  \
    const char vectors = 'V', by_index = 'I', uplo = 'L';                                          \
    const T unused = 0, default_tolerance = 0;                                                     \
    scipy_##p##syevr_(&vectors, &by_index, &uplo, &n, a, &lda, &unused, &unused, &first, &last,    \
                      &default_tolerance, found, w, z, &ldz, isuppz, work, &lwork, iwork, &liwork, \
                      &info, 1, 1, 1);                                                             \
    return info;                                                                                   \
  }
EIGENTROPY_WRAP_BLAS(float, s)
EIGENTROPY_WRAP_BLAS(double, d)
#undef EIGENTROPY_WRAP_BLAS

}  // namespace eigentropy::blas
