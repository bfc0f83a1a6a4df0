// Symmetric band matrices and their reduction to tridiagonal form.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// n x n, lower part: entry (i, j), j <= i <= j + width, at data[j * stride + (i - j)]. `data` has
// room for band_size(n, width, stride) elements, stride >= band_stride(width); elements that hold
// no entry are workspace and need not be initialised.
template <class T>
struct BandView {
  T* data;
  index_t n;
  index_t width;
  index_t stride;

  T* column(index_t j) const { return data + j * stride; }
};

// Rounded up to whole SIMD vectors of every instruction set, in single and double precision.
constexpr index_t round_band_width(index_t width) { return (width + 15) / 16 * 16; }

// The band is twice as wide while a bulge is chased. A gap of one vector lies between columns.
constexpr index_t band_stride(index_t width) { return 2 * round_band_width(width) + 17; }

// Columns of zeros fill up the last blocks of the chase.
constexpr index_t band_size(index_t n, index_t width, index_t stride) {
  return (n + round_band_width(width)) * stride;
}

// d <- the diagonal (n), e <- the off-diagonal (n - 1) of a tridiagonal matrix that has the same
// eigenvalues. The band is destroyed. The result is the same to the bit for every number of
// threads.
template <class T>
void tridiagonalize(BandView<T> band, T* d, T* e, int threads, Control& control);

}  // namespace eigentropy
