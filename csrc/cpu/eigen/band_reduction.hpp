// Dense to band: the first stage of the two-stage reduction of a symmetric matrix.
#pragma once

#include <memory>

#include "base/control.hpp"
#include "base/eigen/band.hpp"
#include "base/views.hpp"

namespace eigentropy {

// Reduces matrices of order max_n or less, one after the other, without allocating again. `width`,
// a multiple of 16 and at most 96, is the bandwidth of the result.
template <class T>
class BandReducer {
 public:
  BandReducer(index_t max_n, index_t width, int threads);
  ~BandReducer();

  // band <- a matrix of bandwidth band.width = width with the eigenvalues of A. Only the upper
  // triangle (row-major) of A is read; A is destroyed. (4/3) n^3 flops, nearly all in matrix
  // products; memory 7 n width; the result does not depend on the number of threads. `from` .. `to`
  // is the stretch of the progress bar that the call fills.
  void reduce(SymmetricView<T> A, BandView<T> band, Control& control, double from, double to);

 private:
  struct Work;
  std::unique_ptr<Work> work_;
};

}  // namespace eigentropy
