// The passes themselves, written as plain loops that GCC and Clang vectorise; the rules of
// instruction_set.hpp hold here.
#include "cpu/simd/tile_kernels.hpp"

#include "cpu/simd/exponential_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

template <class T>
void squared_distances(T* tile, index_t rows, index_t cols, index_t stride, const T* row_norms,
                       const T* col_norms) {
  for (index_t i = 0; i < rows; ++i) {
    T* __restrict row = tile + i * stride;
    const T norm = row_norms[i];
#pragma omp simd
    for (index_t j = 0; j < cols; ++j) {
      const T r2 = (norm + col_norms[j]) + row[j];
      row[j] = r2 > 0 ? r2 : T(0);
    }
  }
}

template <class T>
void gaussian(T* tile, index_t rows, index_t cols, index_t stride, T scale, T* row_sums,
              T* col_sums) {
  if (col_sums != nullptr) {
    for (index_t j = 0; j < cols; ++j) col_sums[j] = 0;
  }
  for (index_t i = 0; i < rows; ++i) {
    T* __restrict row = tile + i * stride;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index_t j = 0; j < cols; ++j) {
      const T g = Exponential<T>::evaluate(scale * row[j]);
      row[j] = g;
      sum += g;
    }
    row_sums[i] = sum;
    if (col_sums != nullptr) {
      T* __restrict sums = col_sums;
#pragma omp simd
      for (index_t j = 0; j < cols; ++j) sums[j] += row[j];
    }
  }
}

template <class T>
void weighted_sums(const T* tile, index_t rows, index_t cols, index_t stride, const T* row_weights,
                   const T* col_weights, T* row_sums, T* col_sums) {
  if (col_sums != nullptr) {
    for (index_t j = 0; j < cols; ++j) col_sums[j] = 0;
  }
  for (index_t i = 0; i < rows; ++i) {
    const T* __restrict row = tile + i * stride;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index_t j = 0; j < cols; ++j) sum += row[j] * col_weights[j];
    row_sums[i] = sum;
    if (col_sums != nullptr) {
      T* __restrict sums = col_sums;
      const T weight = row_weights[i];
#pragma omp simd
      for (index_t j = 0; j < cols; ++j) sums[j] += weight * row[j];
    }
  }
}

template <class T>
double conjugate(T* tile, index_t rows, index_t cols, index_t stride, const T* row_scale,
                 const T* col_scale) {
  double squares = 0.0;
  for (index_t i = 0; i < rows; ++i) {
    T* __restrict row = tile + i * stride;
    const T scale = row_scale[i];
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index_t j = 0; j < cols; ++j) {
      const T a = row[j] * (scale * col_scale[j]);
      row[j] = a;
      sum += a * a;
    }
    squares += sum;
  }
  return squares;
}

template <class T>
index_t mark_between(const T* row, index_t count, T low, T high, unsigned char* inside) {
  unsigned char* __restrict marks = inside;
  int below = 0;
#pragma omp simd reduction(+ : below)
  for (index_t j = 0; j < count; ++j) {
    const int is_below = row[j] < low ? 1 : 0;
    const int is_above = row[j] > high ? 1 : 0;
    below += is_below;
    marks[j] = static_cast<unsigned char>(1 - (is_below | is_above));
  }
  return below;
}

template <class T>
double squared_distance(const T* x, const T* y, index_t d) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (index_t k = 0; k < d; ++k) {
    const double difference = static_cast<double>(x[k]) - static_cast<double>(y[k]);
    sum += difference * difference;
  }
  return sum;
}

template <class T>
static constexpr TileKernels<T> table{squared_distances<T>, gaussian<T>,     weighted_sums<T>,
                                      conjugate<T>,         mark_between<T>, squared_distance<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const TileKernels<T>& TileKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const TileKernels<float>& TileKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const TileKernels<double>& TileKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
