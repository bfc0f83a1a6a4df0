#include "cpu/row_strips.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "core/threads.hpp"

namespace eigentropy {
namespace {

constexpr index_t height = simd::strip_rows;

// strip[k * height + h] <- rows[h * d + k]; some entries at a time, so that what is written stays
// in the cache until its lines are full.
template <class T>
void transpose(const T* rows, index_t d, T* strip) {
  constexpr index_t at_a_time = 64;
  for (index_t begin = 0; begin < d; begin += at_a_time) {
    const index_t end = std::min(d, begin + at_a_time);
    for (index_t h = 0; h < height; ++h) {
      for (index_t k = begin; k < end; ++k) strip[k * height + h] = rows[h * d + k];
    }
  }
}

template <class T>
T require_finite(double norm, index_t row, index_t n) {
  const T rounded = static_cast<T>(norm);
  if (std::isfinite(rounded)) return rounded;
  throw std::invalid_argument("row " + std::to_string(row) + " of " + std::to_string(n) +
                              " has entries that are NaN or infinite");
}

}  // namespace

template <class T>
RowStrips<T>::RowStrips(index_t capacity, index_t d)
    : d_(d), strips_(padded_rows(capacity) * d), norms_(padded_rows(capacity)) {}

template <class T>
void RowStrips<T>::load(const CenteredRows<T>& X, index_t begin, index_t count, int threads,
                        const Control& control) {
  begin_ = begin;
  const Buffer<T> rows(threads * height * d_);
  parallel_for(padded_rows(count) / height, threads, [&](index_t strip, int worker) {
    control.check();
    T* const of_worker = rows.data() + worker * height * d_;
    for (index_t h = 0; h < height; ++h) {
      const index_t local = strip * height + h;
      T* const x = of_worker + h * d_;
      if (local < count) {
        const double norm = read_centered_row(X, begin + local, x);
        norms_[local] = require_finite<T>(norm, begin + local, X.n);
      } else {
        std::fill_n(x, d_, T(0));
        norms_[local] = 0;
      }
    }
    transpose(of_worker, d_, strips_.data() + strip * height * d_);
  });
}

template <class T>
T RowStrips<T>::max_norm(index_t i, index_t count) const {
  return *std::max_element(norms(i), norms(i) + count);
}

template class RowStrips<float>;
template class RowStrips<double>;

}  // namespace eigentropy
