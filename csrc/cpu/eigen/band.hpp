// Symmetric band matrices and their reduction to tridiagonal form.
#pragma once

#include "base/control.hpp"
#include "base/views.hpp"

namespace eigentropy {

// n x n, lower part: entry (i, j), j <= i <= j + width, at data[j * stride + (i - j)]. `data` has
// room for band_size(n, width, stride) elements, stride >= band_stride(width); what holds no entry
// need not be initialised and is workspace.
template <class T>
struct BandView {
  T* data;
  index_t n;
  index_t width;
  index_t stride;

  T* column(index_t j) const { return data + j * stride; }
};

// Whole vectors on every machine, single or double.
constexpr index_t round_band_width(index_t width) { return (width + 15) / 16 * 16; }

// While a bulge is chased the band is twice as wide. One more vector lies between the columns.
constexpr index_t band_stride(index_t width) { return 2 * round_band_width(width) + 17; }

// The last blocks of the chase are filled up with columns of zeros.
constexpr index_t band_size(index_t n, index_t width, index_t stride) {
  return (n + round_band_width(width)) * stride;
}

// d <- the diagonal (n), e <- the off-diagonal (n - 1) of a tridiagonal matrix that has the same
// eigenvalues. The band is destroyed. The same bits for every number of threads.
template <class T>
void tridiagonalize(BandView<T> band, T* d, T* e, int threads, Control& control);

}  // namespace eigentropy
