// The rules of instruction_set.hpp hold here.
#include "cpu/simd/lane_gaussian_kernels.hpp"

#include "cpu/simd/exponential_impl.hpp"
#include "cpu/simd/lane_vectors_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

enum class Form { products, differences };

// The sums of a register block, the entries of one side and one entry of the other fill the
// registers.
#if EIGENTROPY_VECTOR_BYTES == 64
constexpr int block_rows = 5;
#else
constexpr int block_rows = 3;
#endif

// Entry k of row r of block b is vector (b * depth + k) * block_rows + r.
template <class T>
void pack(const T* X, index_t d, const LaneSubset* subsets, index_t n, index_t first, index_t depth,
          T* packed) {
  typedef Lanes<T> V;
  constexpr index_t width = lane_count<T>;
  static const T zeros[lane_depth] = {};
  const index_t padded = (n + block_rows - 1) / block_rows * block_rows;
  for (index_t i = 0; i < padded; ++i) {
    V* const out =
        reinterpret_cast<V*>(packed) + i / block_rows * depth * block_rows + i % block_rows;
    const T* in[width];
    for (index_t lane = 0; lane < width; ++lane) {
      const index_t own = i - (n - subsets[lane].n);
      in[lane] = own < 0 || i >= n ? zeros : X + subsets[lane].indices[own] * d + first;
    }
    index_t k = 0;
    for (; k + width <= depth; k += width) {
      V square[width];
#pragma GCC unroll 16
      for (index_t lane = 0; lane < width; ++lane) {
        __builtin_memcpy(&square[lane], in[lane] + k, sizeof square[lane]);
      }
      transpose<T>(square);
#pragma GCC unroll 16
      for (index_t r = 0; r < width; ++r) out[(k + r) * block_rows] = square[r];
    }
    for (; k < depth; ++k) {
      T* const entries = reinterpret_cast<T*>(out + k * block_rows);
      for (index_t lane = 0; lane < width; ++lane) entries[lane] = in[lane][k];
    }
  }
}

// Rows from i on with columns from j on. Entries below the diagonal and beyond the matrix are
// computed, too, and dropped.
template <class T, Form form>
inline __attribute__((always_inline)) void add_block(const Lanes<T>* x, const Lanes<T>* y,
                                                     index_t depth, index_t n, index_t i, index_t j,
                                                     bool add, Lanes<T>* A) {
  Lanes<T> sums[block_rows][block_rows] = {};
  for (index_t k = 0; k < depth; ++k) {
    Lanes<T> col[block_rows];
#pragma GCC unroll 5
    for (int s = 0; s < block_rows; ++s) col[s] = y[k * block_rows + s];
#pragma GCC unroll 5
    for (int r = 0; r < block_rows; ++r) {
      const Lanes<T> row = x[k * block_rows + r];
#pragma GCC unroll 5
      for (int s = 0; s < block_rows; ++s) {
        if constexpr (form == Form::products) {
          sums[r][s] += row * col[s];
        } else {
          const Lanes<T> difference = row - col[s];
          sums[r][s] += difference * difference;
        }
      }
    }
  }
#pragma GCC unroll 5
  for (int r = 0; r < block_rows; ++r) {
    Lanes<T>* const out = A + row_offset(n, i + r) + j;
#pragma GCC unroll 5
    for (int s = 0; s < block_rows; ++s) {
      if (i + r <= j + s && j + s < n) out[s] = add ? out[s] + sums[r][s] : sums[r][s];
    }
  }
}

template <class T, Form form>
void sums(const T* packed, index_t depth, index_t n, bool add, T* entries) {
  const auto* const x = reinterpret_cast<const Lanes<T>*>(packed);
  auto* const A = reinterpret_cast<Lanes<T>*>(entries);
  for (index_t i = 0; i < n; i += block_rows) {
    for (index_t j = i; j < n; j += block_rows) {
      add_block<T, form>(x + i * depth, x + j * depth, depth, n, i, j, add, A);
    }
  }
}

template <class T, Form form>
void exponentiate(T* A, index_t n, T scale, const index_t* unused, T* norms) {
  constexpr index_t width = lane_count<T>;
  for (index_t i = 0; i < n; ++i) {
    __builtin_memcpy(norms + i * width, A + (row_offset(n, i) + i) * width, sizeof(Lanes<T>));
  }
  T* row = A;
  for (index_t i = 0; i < n; ++i) {
    const T* const norm = norms + i * width;
    for (index_t k = 0; k < width; ++k) row[k] = 1;
    for (index_t j = 1; j < n - i; ++j) {
      T* const entries = row + j * width;
      const T* const other = norm + j * width;
#pragma omp simd
      for (index_t k = 0; k < width; ++k) {
        T r2 = entries[k];
        if constexpr (form == Form::products) {
          r2 = (norm[k] + other[k]) - 2 * r2;
          r2 = r2 > 0 ? r2 : T(0);
        }
        entries[k] = Exponential<T>::evaluate(scale * r2);
      }
    }
    for (index_t k = 0; k < width; ++k) {
      if (i >= unused[k]) continue;
      for (index_t j = 0; j < n - i; ++j) row[j * width + k] = 0;
    }
    row += (n - i) * width;
  }
}

template <class T>
static constexpr LaneGaussianKernels<T> table{block_rows,
                                              pack<T>,
                                              sums<T, Form::products>,
                                              sums<T, Form::differences>,
                                              exponentiate<T, Form::products>,
                                              exponentiate<T, Form::differences>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const LaneGaussianKernels<T>& LaneGaussianKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const LaneGaussianKernels<float>& LaneGaussianKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const LaneGaussianKernels<double>&
LaneGaussianKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
