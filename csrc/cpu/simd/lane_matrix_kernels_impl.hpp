// Householder's reduction, column by column. With u the reflector of the column and v, w those of
// the update that the column before has left to do, one pass over the remaining matrix does
//
//   A <- A - v w^T - w v^T,   y <- A u,
//
// so that each entry is loaded and stored once a column for 8 flops. u is known before the pass,
// because its column alone is updated ahead.
//
// The rules of instruction_set.hpp hold here.
#include "cpu/simd/lane_matrix_kernels.hpp"

#include "cpu/simd/lane_vectors_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// Rows of a pass that are held in registers: v, w, u and y of each.
#if EIGENTROPY_VECTOR_BYTES == 64
constexpr index_t pass_rows = 4;
#else
constexpr index_t pass_rows = 2;
#endif

// out <- `count` entries of each lane, in[k][i * strides[k]].
template <class T>
inline void interleave_row(const T* const* in, const index_t* strides, bool contiguous,
                           index_t count, Lanes<T>* out) {
  constexpr index_t width = lane_count<T>;
  index_t i = 0;
  if (contiguous) {
    for (; i + width <= count; i += width) {
      Lanes<T> square[width];
#pragma GCC unroll 16
      for (index_t k = 0; k < width; ++k) {
        __builtin_memcpy(&square[k], in[k] + i, sizeof square[k]);
      }
      transpose<T>(square);
#pragma GCC unroll 16
      for (index_t k = 0; k < width; ++k) out[i + k] = square[k];
    }
  }
  for (; i < count; ++i) {
    T* const entries = reinterpret_cast<T*>(out + i);
    for (index_t k = 0; k < width; ++k) entries[k] = in[k][i * strides[k]];
  }
}

template <class T>
void interleave(const LaneSource<T>* sources, index_t n, T* A, T* largest, T* finite) {
  constexpr index_t width = lane_count<T>;
  static const T zero = 0;
  Lanes<T> most{}, defects{};
  auto* row = reinterpret_cast<Lanes<T>*>(A);
  for (index_t i = 0; i < n; ++i) {
    const T* in[width];
    index_t strides[width];
    bool contiguous = true;
    for (index_t k = 0; k < width; ++k) {
      const LaneSource<T>& source = sources[k];
      const index_t own = i - (n - source.n);
      in[k] = own < 0 ? &zero : source.data + own * (source.row_stride + source.col_stride);
      strides[k] = own < 0 ? 0 : source.col_stride;
      contiguous &= strides[k] == 1;
    }
    interleave_row<T>(in, strides, contiguous, n - i, row);
    for (index_t j = 0; j < n - i; ++j) {
      const Lanes<T> size = magnitude(row[j]);
      most = size > most ? size : most;
      defects += size - size;
    }
    row += n - i;
  }
  __builtin_memcpy(largest, &most, sizeof most);
  __builtin_memcpy(finite, &defects, sizeof defects);
}

template <class T>
void scale(T* A, index_t n, const T* first, const T* second, double* trace, double* squares) {
  constexpr index_t width = lane_count<T>;
  Lanes<T> factor, factor2;
  __builtin_memcpy(&factor, first, sizeof factor);
  __builtin_memcpy(&factor2, second, sizeof factor2);
  for (index_t k = 0; k < width; ++k) trace[k] = squares[k] = 0.0;
  auto* row = reinterpret_cast<Lanes<T>*>(A);
  for (index_t i = 0; i < n; ++i) {
    Lanes<T> sum{};
    const Lanes<T> diagonal = row[0] * factor * factor2;
    row[0] = diagonal;
    for (index_t j = 1; j < n - i; ++j) {
      const Lanes<T> a = row[j] * factor * factor2;
      row[j] = a;
      sum += a * a;
    }
    sum = 2 * sum + diagonal * diagonal;
    for (index_t k = 0; k < width; ++k) {
      trace[k] += static_cast<double>(diagonal[k]);
      squares[k] += static_cast<double>(sum[k]);
    }
    row += n - i;
  }
}

// The vectors of a pass, by the rows of the matrix.
template <class T>
struct Pass {
  const Lanes<T>*v, *w, *u;
  Lanes<T>* y;
  Lanes<T> uy;  // u . y
};

// Rows i .. i + rows - 1 of a pass.
template <class T, index_t rows>
inline __attribute__((always_inline)) void pass_over_rows(Lanes<T>* A, index_t n, index_t i,
                                                          Pass<T>& pass) {
  typedef Lanes<T> V;
  V* row[rows];
  V v[rows], w[rows], u[rows], y[rows];
#pragma GCC unroll 8
  for (index_t r = 0; r < rows; ++r) {
    row[r] = A + row_offset(n, i + r);
    v[r] = pass.v[i + r];
    w[r] = pass.w[i + r];
    u[r] = pass.u[i + r];
    y[r] = V{};
  }
#pragma GCC unroll 8
  for (index_t r = 0; r < rows; ++r) {
#pragma GCC unroll 8
    for (index_t s = r; s < rows; ++s) {
      V a = row[r][i + s];
      a -= v[r] * w[s];
      a -= w[r] * v[s];
      row[r][i + s] = a;
      y[r] += a * u[s];
      if (s > r) y[s] += a * u[r];
    }
  }
  for (index_t j = i + rows; j < n; ++j) {
    const V vj = pass.v[j], wj = pass.w[j], uj = pass.u[j];
    V yj = pass.y[j];
#pragma GCC unroll 8
    for (index_t r = 0; r < rows; ++r) {
      V a = row[r][j];
      a -= v[r] * wj;
      a -= w[r] * vj;
      row[r][j] = a;
      y[r] += a * uj;
      yj += a * u[r];
    }
    pass.y[j] = yj;
  }
#pragma GCC unroll 8
  for (index_t r = 0; r < rows; ++r) {
    const V sum = pass.y[i + r] + y[r];
    pass.y[i + r] = sum;
    pass.uy += sum * u[r];
  }
}

// The blocks of rows end where the matrix ends, so that the sums of a matrix do not depend on the
// zeros before it.
template <class T>
inline void pass_over_matrix(Lanes<T>* A, index_t n, index_t first, Pass<T>& pass) {
  index_t i = first;
  const index_t head = (n - first) % pass_rows;
  if (head == 1) pass_over_rows<T, 1>(A, n, i, pass);
  if (head == 2) pass_over_rows<T, 2>(A, n, i, pass);
  if (head == 3) pass_over_rows<T, 3>(A, n, i, pass);
  for (i += head; i < n; i += pass_rows) pass_over_rows<T, pass_rows>(A, n, i, pass);
}

// H = I - tau u u^T with H x = (-+|x|, 0, ..), u the vector x with another first entry. A column
// that is shorter than eps / 64 is taken for zero, tau = 0: next to entries of 1 it is rounding.
template <class T>
struct Reflector {
  Lanes<T> tau, first, norm2;
};
template <class T>
inline Reflector<T> reflector(const Lanes<T>& first, const Lanes<T>& norm2) {
  constexpr T negligible = lane_epsilon<T> * lane_epsilon<T> / 4096;
  const auto zero = norm2 < negligible;
  const Lanes<T> norm = square_root<T>(norm2);
  const Lanes<T> product = norm2 + magnitude(first) * norm;
  return {zero ? Lanes<T>{} : 1 / (zero ? Lanes<T>{} + 1 : product),
          first + (first < 0 ? -norm : norm), zero ? Lanes<T>{} : norm2};
}

template <class T>
void tridiagonalize(T* entries, index_t n, T* work, T* diagonal, T* squares) {
  typedef Lanes<T> V;
  V* const A = reinterpret_cast<V*>(entries);
  V* const d = reinterpret_cast<V*>(diagonal);
  V* const e2 = reinterpret_cast<V*>(squares);
  V* v = reinterpret_cast<V*>(work);
  V* u = v + n;
  V* const w = u + n;
  V* const y = w + n;
  V norm2{};  // of the column, without its diagonal entry
  for (index_t j = 0; j < n; ++j) {
    v[j] = w[j] = y[j] = V{};
    u[j] = A[j];
    if (j > 0) norm2 += u[j] * u[j];
  }
  for (index_t k = 0; k + 2 < n; ++k) {
    d[k] = u[k];
    const Reflector<T> H = reflector<T>(u[k + 1], norm2);
    e2[k] = H.norm2;
    u[k + 1] = H.first;
    Pass<T> pass{v, w, u, y, V{}};
    pass_over_matrix<T>(A, n, k + 1, pass);
    // w = tau y - tau^2 (u . y) / 2 u, and column k + 1 of A - u w^T - w u^T.
    const V tau = H.tau, share = tau * (tau * pass.uy) * T(0.5);
    const V u1 = u[k + 1], w1 = tau * y[k + 1] - share * u1;
    const V* const column = A + row_offset(n, k + 1);
    norm2 = V{};
    for (index_t j = k + 1; j < n; ++j) {
      const V wj = tau * y[j] - share * u[j];
      V x = column[j];
      x -= u1 * wj;
      x -= w1 * u[j];
      w[j] = wj;
      y[j] = V{};
      v[j] = x;
      if (j > k + 1) norm2 += x * x;
    }
    V* const next = v;
    v = u;
    u = next;
  }
  if (n >= 2) {
    d[n - 2] = u[n - 2];
    e2[n - 2] = norm2;
  }
  // For n <= 2, no update is left to do: v and w are zero.
  d[n - 1] = A[row_offset(n, n - 1) + n - 1] - 2 * v[n - 1] * w[n - 1];
  e2[n - 1] = V{};
}

template <class T>
static constexpr LaneMatrixKernels<T> table{lane_count<T>, interleave<T>, scale<T>,
                                            tridiagonalize<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const LaneMatrixKernels<T>& LaneMatrixKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const LaneMatrixKernels<float>& LaneMatrixKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const LaneMatrixKernels<double>& LaneMatrixKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
