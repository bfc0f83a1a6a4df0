// Register-blocked distances; the rules of instruction_set.hpp hold here.
#include "cpu/simd/gaussian_kernels.hpp"

#include "base/simd/vectors_impl.hpp"
#include "cpu/simd/exponential_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

enum class Form { products, differences };

// out_rj += sum_k x_rk y_jk, or of (x_rk - y_jk)^2, for long_side rows r and short_side vectors of
// columns j; both operands within a strip.
template <class T, Form form>
inline __attribute__((always_inline)) void add_block(index_t depth, const T* x, const T* y, T* out,
                                                     index_t stride, bool first) {
  Vector<T> sums[long_side][short_side] = {};
  for (index_t k = 0; k < depth; ++k) {
    Vector<T> col[short_side];
#pragma GCC unroll 3
    for (int v = 0; v < short_side; ++v) {
      col[v] = *reinterpret_cast<const Vector<T>*>(y + k * strip_rows + v * lanes<T>);
      keep_in_register(&col[v]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < long_side; ++r) {
      const T factor = x[k * strip_rows + r];
#pragma GCC unroll 3
      for (int v = 0; v < short_side; ++v) {
        if constexpr (form == Form::products) {
          sums[r][v] += col[v] * factor;
        } else {
          const Vector<T> difference = col[v] - factor;
          sums[r][v] += difference * difference;
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < long_side; ++r) {
#pragma GCC unroll 3
    for (int v = 0; v < short_side; ++v) {
      auto* target = reinterpret_cast<Vector<T>*>(out + r * stride + v * lanes<T>);
      *target = first ? sums[r][v] : *target + sums[r][v];
    }
  }
}

// Sums for long_side rows and a strip of columns, written to `out`.
template <class T, Form form>
void exponentiate(const T* row_norms, const T* col_norms, T scale, T* out, index_t stride) {
  for (int r = 0; r < long_side; ++r) {
    T* __restrict row = out + r * stride;
    const T norm = row_norms[r];
#pragma omp simd
    for (index_t j = 0; j < strip_rows; ++j) {
      T r2 = row[j];
      if constexpr (form == Form::products) {
        r2 = (norm + col_norms[j]) - 2 * r2;
        r2 = r2 > 0 ? r2 : T(0);
      }
      row[j] = Exponential<T>::evaluate(scale * r2);
    }
  }
}

// How many entries of the rows are multiplied at a time. A strip of this depth stays in the cache,
// and no sum in the working precision is longer.
constexpr index_t depth_block = 256;

template <class T, Form form>
void gaussian(const GaussianTile<T>& tile, T* out, index_t stride) {
  constexpr index_t block_cols = short_side * lanes<T>;
  for (index_t k = 0; k < tile.depth; k += depth_block) {
    const index_t depth = tile.depth - k < depth_block ? tile.depth - k : depth_block;
    const bool last = k + depth == tile.depth;
    for (index_t j = 0; j < tile.cols; j += strip_rows) {
      const T* const y = tile.col_strips + j * tile.depth + k * strip_rows;
      for (index_t i = 0; i < tile.rows; i += long_side) {
        const index_t strip = i / strip_rows * strip_rows;
        const T* const x = tile.row_strips + strip * tile.depth + k * strip_rows + (i - strip);
        T* const block = out + i * stride + j;
        for (index_t c = 0; c < strip_rows; c += block_cols) {
          add_block<T, form>(depth, x, y + c, block + c, stride, k == 0);
        }
        if (last) {
          exponentiate<T, form>(tile.row_norms + i, tile.col_norms + j, tile.scale, block, stride);
        }
      }
    }
  }
}

template <class T>
double squares(const T* tile, index_t rows, index_t cols, index_t stride, const T* row_scale,
               const T* col_scale) {
  double total = 0.0;
  for (index_t i = 0; i < rows; ++i) {
    const T* __restrict row = tile + i * stride;
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (index_t j = 0; j < cols; ++j) {
      const T a = row[j] * (row_scale[i] * col_scale[j]);
      sum += a * a;
    }
    total += static_cast<double>(sum);
  }
  return total;
}

template <class T>
void add(index_t count, const T* values, double* sums) {
#pragma omp simd
  for (index_t i = 0; i < count; ++i) sums[i] += static_cast<double>(values[i]);
}

constexpr float most_of_16_bits = 65535.0f;

template <class T>
void to_roots(index_t count, const T* __restrict entries, std::uint16_t* __restrict roots) {
#pragma omp simd
  for (index_t i = 0; i < count; ++i) {
    const float root = __builtin_sqrtf(static_cast<float>(entries[i]));
    roots[i] = static_cast<std::uint16_t>(static_cast<std::int32_t>(root * most_of_16_bits + 0.5f));
  }
}

// Roots are read once, from memory. So many bytes ahead they are asked for: the processor does not
// ask far enough by itself.
constexpr index_t fetched_ahead = 4096;

template <class T>
void from_roots(index_t count, const std::uint16_t* __restrict roots, T* __restrict entries) {
  constexpr index_t line = 64 / sizeof(std::uint16_t);
  constexpr float unit = 1.0f / most_of_16_bits;  // 65535 of them are 1 exactly
  for (index_t begin = 0; begin < count; begin += line) {
    __builtin_prefetch(reinterpret_cast<const char*>(roots + begin) + fetched_ahead);
    const index_t end = count - begin < line ? count : begin + line;
#pragma omp simd
    for (index_t i = begin; i < end; ++i) {
      const float root = static_cast<float>(static_cast<std::int32_t>(roots[i])) * unit;
      entries[i] = static_cast<T>(root * root);
    }
  }
}

template <class T>
static constexpr GaussianKernels<T> table{gaussian<T, Form::products>,
                                          gaussian<T, Form::differences>,
                                          squares<T>,
                                          add<T>,
                                          to_roots<T>,
                                          from_roots<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const GaussianKernels<T>& GaussianKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const GaussianKernels<float>& GaussianKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const GaussianKernels<double>& GaussianKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
