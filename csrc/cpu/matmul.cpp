#include "core/diffusion.hpp"
#include "cpu/blas.hpp"

namespace eigentropy {

template <class T>
void symmetric_product(SymmetricView<T> A, MatrixView<const T> V, MatrixView<T> out) {
  // Row-major n x m is column-major m x n, so what LAPACK's convention computes is
  // out^T = V^T A, with A on the right.
  blas::symm('R', 'L', blas::to_blas(V.cols), blas::to_blas(A.n), T(1), A.data,
             blas::to_blas(A.stride), V.data, blas::to_blas(V.stride), T(0), out.data,
             blas::to_blas(out.stride));
}

template void symmetric_product(SymmetricView<float>, MatrixView<const float>, MatrixView<float>);
template void symmetric_product(SymmetricView<double>, MatrixView<const double>,
                                MatrixView<double>);

}  // namespace eigentropy
