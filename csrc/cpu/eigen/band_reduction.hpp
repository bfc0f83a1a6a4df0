// Dense to band: the first stage of the two-stage reduction of a symmetric matrix.
#pragma once

#include <memory>

#include "base/control.hpp"
#include "base/views.hpp"
#include "cpu/eigen/band.hpp"

namespace eigentropy {

// Reduces matrices of order max_n or less, one after the other, without allocating again.
// `width`, a multiple of 16 and at most 96, is the bandwidth of what comes out.
template <class T>
class BandReducer {
 public:
  BandReducer(index_t max_n, index_t width, int threads);
  ~BandReducer();

  // band <- a matrix of bandwidth band.width = width with the eigenvalues of A. A, of which the
  // upper triangle (row-major) is read, is destroyed. (4/3) n^3 flops, nearly all in matrix
  // products; memory 6 n width; the result does not depend on the number of threads. `from` .. `to`
  // is its stretch of the progress.
  void reduce(SymmetricView<T> A, BandView<T> band, Control& control, double from, double to);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace eigentropy
