// The rules of instruction_set.hpp hold here.
#include "cpu/simd/lane_operator_kernels.hpp"

#include "cpu/simd/lane_vectors_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

template <class T>
void gather(const T* G, index_t stride, const LaneSubset* subsets, index_t n, T* memory, T* A) {
  constexpr index_t width = lane_count<T>;
  // Columns of G by lane, 0 where a lane has no row. An int has no more bytes than an entry.
  int* const columns = reinterpret_cast<int*>(memory);
  index_t most_unused = 0;
  for (index_t k = 0; k < width; ++k) {
    const index_t unused = n - subsets[k].n;
    most_unused = unused > most_unused ? unused : most_unused;
    for (index_t i = 0; i < n; ++i) {
      columns[i * width + k] = i < unused ? 0 : static_cast<int>(subsets[k].indices[i - unused]);
    }
  }
  T* row = A;
  for (index_t i = 0; i < n; ++i) {
    const T* from[width];
    for (index_t k = 0; k < width; ++k) {
      from[k] = G + columns[i * width + k] * stride;
      row[k] = 1;
    }
    for (index_t j = i + 1; j < n; ++j) {
      T* __restrict entries = row + (j - i) * width;
      const int* __restrict column = columns + j * width;
#pragma GCC unroll 16
      for (index_t k = 0; k < width; ++k) entries[k] = from[k][column[k]];
    }
    for (index_t k = 0; k < (i < most_unused ? width : 0); ++k) {
      if (i >= n - subsets[k].n) continue;
      for (index_t j = i; j < n; ++j) row[(j - i) * width + k] = 0;
    }
    row += (n - i) * width;
  }
}

template <class T>
void multiply(const T* A, index_t n, const T* x_entries, T* y_entries) {
  const auto* row = reinterpret_cast<const Lanes<T>*>(A);
  const auto* const x = reinterpret_cast<const Lanes<T>*>(x_entries);
  auto* const y = reinterpret_cast<Lanes<T>*>(y_entries);
  for (index_t i = 0; i < n; ++i) y[i] = Lanes<T>{};
  for (index_t i = 0; i < n; ++i) {
    const Lanes<T> xi = x[i];
    Lanes<T> sum = row[0] * xi;
    for (index_t j = i + 1; j < n; ++j) {
      const Lanes<T> a = row[j - i];
      sum += a * x[j];
      y[j] += a * xi;
    }
    y[i] += sum;
    row += n - i;
  }
}

template <class T>
void conjugate(T* A, index_t n, const T* s_entries, double* squares) {
  constexpr index_t width = lane_count<T>;
  const auto* const s = reinterpret_cast<const Lanes<T>*>(s_entries);
  auto* row = reinterpret_cast<Lanes<T>*>(A);
  for (index_t k = 0; k < width; ++k) squares[k] = 0.0;
  for (index_t i = 0; i < n; ++i) {
    const Lanes<T> si = s[i], diagonal = row[0] * (si * si);
    row[0] = diagonal;
    Lanes<T> sum{};
    for (index_t j = i + 1; j < n; ++j) {
      const Lanes<T> a = row[j - i] * (si * s[j]);
      row[j - i] = a;
      sum += a * a;
    }
    sum = 2 * sum + diagonal * diagonal;
    for (index_t k = 0; k < width; ++k) squares[k] += static_cast<double>(sum[k]);
    row += n - i;
  }
}

template <class T>
static constexpr LaneOperatorKernels<T> table{gather<T>, multiply<T>, conjugate<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const LaneOperatorKernels<T>& LaneOperatorKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const LaneOperatorKernels<float>& LaneOperatorKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const LaneOperatorKernels<double>&
LaneOperatorKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
