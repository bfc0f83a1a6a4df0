#include "cpu/kernel/row_strips.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/threads.hpp"

namespace eigentropy {
namespace {

constexpr index_t height = simd::strip_rows;

// How many columns of a strip are read at a time. The cache lines that they are written to stay in
// the cache until the lines are full.
constexpr index_t at_a_time = 128;

// strip[k * height + h] <- x_k, h = 0 .. height - 1 for rows [begin, begin + rows) of X, and zeros
// for the others; norms[h] <- |x|^2.
template <class T>
void load_strip(const CenteredRows<T>& X, index_t begin, index_t rows, T* strip, double* norms) {
  T x[at_a_time];
  std::fill_n(norms, height, 0.0);
  for (index_t k = 0; k < X.d; k += at_a_time) {
    const Columns columns{k, std::min(X.d, k + at_a_time)};
    T* const out = strip + k * height;
    for (index_t h = 0; h < rows; ++h) {
      norms[h] += read_centered_row(X, begin + h, columns, x);
      for (index_t j = 0; j < columns.count(); ++j) out[j * height + h] = x[j];
    }
    for (index_t h = rows; h < height; ++h) {
      for (index_t j = 0; j < columns.count(); ++j) out[j * height + h] = 0;
    }
  }
}

}  // namespace

template <class T>
RowStrips<T>::RowStrips(index_t capacity, index_t d)
    : d_(d), strips_(padded_rows(capacity) * d), norms_(padded_rows(capacity)) {}

template <class T>
void RowStrips<T>::load(const CenteredRows<T>& X, index_t begin, index_t count, int threads,
                        const Control& control) {
  begin_ = begin;
  parallel_for(padded_rows(count) / height, threads, [&](index_t strip, int) {
    control.check();
    const index_t first = strip * height;
    double norms[height];
    load_strip(X, begin + first, std::min(height, count - first), strips_.data() + first * d_,
               norms);
    for (index_t h = 0; h < height; ++h) {
      norms_[first + h] = static_cast<T>(norms[h]);
      if (std::isfinite(norms_[first + h])) continue;
      throw std::invalid_argument("row " + std::to_string(begin + first + h) + " of " +
                                  std::to_string(X.n) + " has entries that are NaN or infinite");
    }
  });
}

template class RowStrips<float>;
template class RowStrips<double>;

}  // namespace eigentropy
