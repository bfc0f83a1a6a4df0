// Plain loops; the rules of instruction_set.hpp hold here.
#include "cpu/simd/gradient_kernels.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

template <class T>
double dot(const T* a, const T* b, index_t n) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (index_t j = 0; j < n; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

template <class T>
void add_scaled(T factor, const T* a, T* __restrict out, index_t n) {
#pragma omp simd
  for (index_t j = 0; j < n; ++j) out[j] += factor * a[j];
}

template <class T>
double slope_row(const T* a, T* __restrict l, index_t i, index_t n, T factor, SlopeVectors<T> v) {
  const T u = v.u[i], root = v.roots[i], w = v.w[i], scale = v.scale[i];
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (index_t j = 0; j < n; ++j) {
    const T slope = a[j] * (factor * l[j] + (u * v.roots[j] + root * v.u[j]) +
                            (w * v.scale[j] + scale * v.w[j]));
    l[j] = slope;
    sum += static_cast<double>(slope);
  }
  return sum;
}

// Gauss-Jordan elimination in place without pivoting. The pivots of a positive definite matrix are
// positive, and elimination makes none of its entries grow. `cols` is n, as a type where it is
// known when this is compiled.
template <class T, class Cols>
inline __attribute__((always_inline)) bool eliminate_rows(T* A, index_t n, Cols cols,
                                                          index_t stride) {
  for (index_t k = 0; k < n; ++k) {
    T* __restrict pivots = A + k * stride;
    if (!(pivots[k] > T(0))) return false;
    const T reciprocal = T(1) / pivots[k];
    // The entry of column k is written after the vectors of its row: a vector that is read just
    // after one of its entries was written has to wait for it.
#pragma omp simd
    for (index_t j = 0; j < cols(); ++j) pivots[j] *= reciprocal;
    pivots[k] = reciprocal;
    const auto subtract = [&](index_t i) {
      T* __restrict row = A + i * stride;
      const T factor = row[k];
#pragma omp simd
      for (index_t j = 0; j < cols(); ++j) row[j] -= factor * pivots[j];
      row[k] = -factor * reciprocal;
    };
    for (index_t i = 0; i < k; ++i) subtract(i);
    for (index_t i = k + 1; i < n; ++i) subtract(i);
  }
  return true;
}

struct Cols32 {
  constexpr index_t operator()() const { return 32; }
};
struct Cols {
  index_t count;
  index_t operator()() const { return count; }
};

template <class T>
bool eliminate(T* A, index_t n, index_t stride) {
  return n == 32 ? eliminate_rows(A, n, Cols32{}, stride) : eliminate_rows(A, n, Cols{n}, stride);
}

template <class T>
static constexpr GradientKernels<T> table{dot<T>, add_scaled<T>, slope_row<T>, eliminate<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const GradientKernels<T>& GradientKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const GradientKernels<float>& GradientKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const GradientKernels<double>& GradientKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
