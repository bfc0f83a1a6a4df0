// Eigenvalues by a reduction in two stages: dense to band on the device, nearly all of it products
// of matrices, and band to tridiagonal and to eigenvalues on the host, by the code of base/eigen.
//   C. Bischof, B. Lang, X. Sun, ACM TOMS 26 (2000) 581, "A framework for symmetric band reduction"
//   A. Haidar, S. Tomov, J. Dongarra, R. Solca, T. Schulthess, IJHPCA 28 (2014) 196, "A novel
//   hybrid CPU-GPU generalized eigensolver ...": the same division of the work.
//
// A reduction in one stage multiplies the trailing matrix with n vectors, and reads it from memory
// for each. Here it is multiplied with n / b blocks of b vectors. What travels to the host is the
// band, n (b + 1) numbers. Chasing it takes 6 n^2 b flops there.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The eigenvalues of `count` matrices of order n (device, one after the other, row-major; only the
// upper triangles are read), ascending for each: count x n. The matrices are destroyed. They are
// reduced together. A matrix that is not finite has eigenvalues of NaN. Waits for the result.
template <class T>
Buffer<T> in_two_stages(const Queue& queue, T* A, index_t n, index_t count, Control& control);

}  // namespace eigentropy::cuda
