// Centred rows, packed for the tiles of the Gaussian kernel.
#pragma once

#include <algorithm>
#include <utility>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/simd/gaussian_kernels.hpp"

namespace eigentropy {

// n rounded up to whole strips.
inline index_t padded_rows(index_t n) {
  return (n + simd::strip_rows - 1) / simd::strip_rows * simd::strip_rows;
}

// Packed rows from row `begin` on, wherever they lie: strip after strip, and |x_i|^2.
template <class T>
struct PackedRows {
  const T *strips, *norms;
  index_t d, begin = 0;

  // The strip that begins with row i, and the norms from there on.
  const T* strip(index_t i) const { return strips + (i - begin) * d; }
  const T* norms_from(index_t i) const { return norms + (i - begin); }
  // The largest norm of rows [i, i + count).
  T max_norm(index_t i, index_t count) const {
    return *std::max_element(norms_from(i), norms_from(i) + count);
  }
};

// A stretch of the rows x_i, cut into strips of simd::strip_rows rows, and |x_i|^2. The last strip
// is filled up with zeros.
template <class T>
class RowStrips {
 public:
  // Room for `capacity` rows of d entries.
  RowStrips(index_t capacity, index_t d);

  // Reads rows [begin, begin + count) of X, begin a multiple of a strip. Throws invalid_argument if
  // one has an entry that is NaN or infinite.
  void load(const CenteredRows<T>& X, index_t begin, index_t count, int threads,
            const Control& control);

  PackedRows<T> rows() const { return {strips_.data(), norms_.data(), d_, begin_}; }
  // Gives up the memory of the strips and of the norms.
  Buffer<T> take_strips() { return std::move(strips_); }
  Buffer<T> take_norms() { return std::move(norms_); }

 private:
  index_t d_;
  index_t begin_ = 0;
  Buffer<T> strips_, norms_;
};

}  // namespace eigentropy
