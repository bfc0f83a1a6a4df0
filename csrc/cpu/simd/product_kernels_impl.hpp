// Register-blocked products; the rules of instruction_set.hpp hold here.
#include "base/simd/vectors_impl.hpp"
#include "cpu/simd/product_kernels.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// out_c += sign * sum_k x_k b(c, k) for `cols` columns c of `vecs` vectors each.
template <class T, int vecs, int cols>
inline __attribute__((always_inline)) void accumulate(index_t depth, const T* x, index_t x_step,
                                                      const T* b, index_t b_col, index_t b_step,
                                                      T* out, index_t out_step, T sign) {
  Vector<T> sums[cols][vecs] = {};
  for (index_t k = 0; k < depth; ++k) {
    Vector<T> row[vecs];
#pragma GCC unroll 8
    for (int v = 0; v < vecs; ++v) {
      row[v] = *reinterpret_cast<const Vector<T>*>(x + k * x_step + v * lanes<T>);
      keep_in_register(&row[v]);
    }
#pragma GCC unroll 12
    for (int c = 0; c < cols; ++c) {
      const T factor = b[c * b_col + k * b_step];
#pragma GCC unroll 8
      for (int v = 0; v < vecs; ++v) sums[c][v] += row[v] * factor;
    }
  }
#pragma GCC unroll 12
  for (int c = 0; c < cols; ++c) {
#pragma GCC unroll 8
    for (int v = 0; v < vecs; ++v) {
      auto* target = reinterpret_cast<Vector<T>*>(out + c * out_step + v * lanes<T>);
      *target += sign * sums[c][v];
    }
  }
}

// What a product asks memory for while it is computed: nothing.
struct NothingAhead {
  void during(index_t) {}
};

// Or what is read next, a few lines at a time: more would wait for each other, and the product for
// them.
class Ahead {
 public:
  Ahead(const void* begin, index_t bytes, index_t products)
      : at_(static_cast<const char*>(begin)), end_(at_ + bytes), left_(products) {}

  // Asks for as large a share of the rest as these products are of those that are left.
  void during(index_t products) {
    const index_t share = (end_ - at_) / line * products / left_;
    for (const char* const until = at_ + share * line; at_ < until; at_ += line) {
      __builtin_prefetch(at_, 0, 2);  // to the second-level cache
    }
    left_ = left_ > products ? left_ - products : 1;
  }

 private:
  static constexpr index_t line = 64;
  const char *at_, *end_;
  index_t left_;
};

// Multiplies `height` rows at a time while that many are left. Returns the first row that is left.
template <class T, int vecs, int height, class Next>
index_t multiply_rows(index_t i, index_t rows, index_t depth, index_t width, const T* a,
                      index_t a_row, index_t a_depth, const T* v, T* y, Next& next) {
  for (; i + height <= rows; i += height) {
    next.during(height * depth * vecs * lanes<T>);
    accumulate<T, vecs, height>(depth, v, width, a + i * a_row, a_row, a_depth, y + i * width,
                                width, T(1));
  }
  return i;
}

// Multiplies `vecs` vectors of the width for all rows. The fewer vectors, the more rows fit the
// registers.
template <class T, int vecs, class Next>
void multiply_stripe(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
                     index_t a_depth, const T* v, T* y, Next& next) {
  constexpr int height = vecs == 1 ? 8 : short_side * long_side / vecs;
  index_t i = multiply_rows<T, vecs, height>(0, rows, depth, width, a, a_row, a_depth, v, y, next);
  if constexpr (height > 4) {
    i = multiply_rows<T, vecs, 4>(i, rows, depth, width, a, a_row, a_depth, v, y, next);
  }
  multiply_rows<T, vecs, 1>(i, rows, depth, width, a, a_row, a_depth, v, y, next);
}

// Rows of v that stay in the first-level cache together with the matching entries of a.
constexpr index_t depth_block = 64;
constexpr index_t row_block = 96;

// Multiplies as many stripes of `vecs` vectors as fit the width. Returns the first column that is
// left.
template <class T, int vecs, class Next>
index_t multiply_stripes(index_t w, index_t rows, index_t depth, index_t width, const T* a,
                         index_t a_row, index_t a_depth, const T* v, T* y, Next& next) {
  for (; w + vecs * lanes<T> <= width; w += vecs * lanes<T>) {
    multiply_stripe<T, vecs>(rows, depth, width, a, a_row, a_depth, v + w, y + w, next);
  }
  return w;
}

// width is a multiple of 16: whole vectors. A stripe's accumulators, one row of its vectors and a
// factor must fit into the registers.
template <class T, class Next>
void multiply_block(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
                    index_t a_depth, const T* v, T* y, Next& next) {
  constexpr int widest = long_side / 2;
  index_t w = multiply_stripes<T, widest>(0, rows, depth, width, a, a_row, a_depth, v, y, next);
  if constexpr (widest > 2) {
    w = multiply_stripes<T, 3>(w, rows, depth, width, a, a_row, a_depth, v, y, next);
    w = multiply_stripes<T, 2>(w, rows, depth, width, a, a_row, a_depth, v, y, next);
  }
  multiply_stripes<T, 1>(w, rows, depth, width, a, a_row, a_depth, v, y, next);
}

template <class T, class Next>
void multiply_blocks(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
                     index_t a_depth, const T* v, T* y, Next next) {
  for (index_t k = 0; k < depth; k += depth_block) {
    const index_t ks = depth - k < depth_block ? depth - k : depth_block;
    for (index_t i = 0; i < rows; i += row_block) {
      const index_t is = rows - i < row_block ? rows - i : row_block;
      multiply_block(is, ks, width, a + i * a_row + k * a_depth, a_row, a_depth, v + k * width,
                     y + i * width, next);
    }
  }
}

template <class T>
void multiply(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
              index_t a_depth, const T* v, T* y) {
  multiply_blocks(rows, depth, width, a, a_row, a_depth, v, y, NothingAhead());
}

template <class T>
void multiply_and_fetch(index_t rows, index_t depth, index_t width, const T* a, index_t a_row,
                        index_t a_depth, const T* v, T* y, const void* next, index_t bytes) {
  multiply_blocks(rows, depth, width, a, a_row, a_depth, v, y,
                  Ahead(next, bytes, rows * depth * width));
}

template <class T>
void pack(index_t rows, index_t height, index_t width, const T* left, const T* right, T* out) {
  for (index_t h = 0; h < height; ++h) {
    for (index_t k = 0; k < width; ++k) {
      out[k * height + h] = h < rows ? left[h * width + k] : T(0);
      out[(width + k) * height + h] = h < rows ? right[h * width + k] : T(0);
    }
  }
}

template <class T>
constexpr index_t panel_rows = short_side * lanes<T>;
constexpr index_t panel_cols = long_side;

// A register block that hangs over the edge is computed whole beside C.
template <class T>
void update_edge(index_t rows, index_t cols, index_t depth, const T* L, const T* R, T* C,
                 index_t stride) {
  T whole[panel_rows<T> * panel_cols] = {};
  accumulate<T, short_side, long_side>(depth, L, panel_rows<T>, R, 1, panel_cols, whole,
                                       panel_rows<T>, T(-1));
  for (index_t j = 0; j < cols; ++j) {
    for (index_t i = 0; i < rows; ++i) C[j * stride + i] += whole[j * panel_rows<T> + i];
  }
}

// C is prefetched from memory while the sums that change it are formed.
template <class T>
inline void prefetch_block(const T* C, index_t stride) {
  constexpr index_t line = 64 / static_cast<index_t>(sizeof(T));
  for (index_t j = 0; j < panel_cols; ++j) {
    for (index_t i = 0; i < panel_rows<T>; i += line) __builtin_prefetch(C + j * stride + i, 1);
    __builtin_prefetch(C + j * stride + panel_rows<T> - 1, 1);
  }
}

template <class T>
void update(index_t rows, index_t cols, index_t depth, const T* L, const T* R, T* C,
            index_t stride) {
  for (index_t j = 0; j < cols; j += panel_cols) {
    for (index_t i = 0; i < rows; i += panel_rows<T>) {
      const T* l = L + i * depth;
      const T* r = R + j * depth;
      T* c = C + j * stride + i;
      if (i + panel_rows<T> <= rows && j + panel_cols <= cols) {
        prefetch_block(c, stride);
        accumulate<T, short_side, long_side>(depth, l, panel_rows<T>, r, 1, panel_cols, c, stride,
                                             T(-1));
      } else {
        update_edge(rows - i < panel_rows<T> ? rows - i : panel_rows<T>,
                    cols - j < panel_cols ? cols - j : panel_cols, depth, l, r, c, stride);
      }
    }
  }
}

// No sum in the working precision is longer than this.
constexpr index_t eliminated_rows = 64;

// `vecs` vectors of each row; factor: the row's entry of the eliminated column, next: of the next.
template <class T, int vecs>
void eliminate_stripe(index_t rows, index_t width, const T* factor, const T* next, T* P,
                      const T* coefficients, double* sums) {
  Vector<T> coefficient[vecs], sum[vecs] = {};
  __builtin_memcpy(coefficient, coefficients, sizeof coefficient);
  for (index_t i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < vecs; ++v) {
      auto* entries = reinterpret_cast<Vector<T>*>(P + i * width + v * lanes<T>);
      const Vector<T> left = *entries - factor[i] * coefficient[v];
      *entries = left;
      sum[v] += next[i] * left;
    }
  }
  T partial[vecs * lanes<T>];
  __builtin_memcpy(partial, sum, sizeof partial);
  for (index_t j = 0; j < vecs * lanes<T>; ++j) sums[j] += static_cast<double>(partial[j]);
}

template <class T>
void eliminate(index_t rows, index_t width, index_t column, index_t next, T* P,
               const T* coefficients, double* sums) {
  for (index_t j = 0; j < width; ++j) sums[j] = 0.0;
  for (index_t begin = 0; begin < rows; begin += eliminated_rows) {
    const index_t count = rows - begin < eliminated_rows ? rows - begin : eliminated_rows;
    T* const block = P + begin * width;
    T factors[eliminated_rows], nexts[eliminated_rows];
    for (index_t i = 0; i < count; ++i) {
      factors[i] = block[i * width + column];
      nexts[i] = block[i * width + next] - factors[i] * coefficients[next];
    }
    index_t j = 0;
    for (; j + 4 * lanes<T> <= width; j += 4 * lanes<T>) {
      eliminate_stripe<T, 4>(count, width, factors, nexts, block + j, coefficients + j, sums + j);
    }
    for (; j < width; j += lanes<T>) {
      eliminate_stripe<T, 1>(count, width, factors, nexts, block + j, coefficients + j, sums + j);
    }
  }
}

template <class T>
static constexpr ProductKernels<T> table{panel_rows<T>,         panel_cols, multiply<T>,
                                         multiply_and_fetch<T>, pack<T>,    update<T>,
                                         eliminate<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const ProductKernels<T>& ProductKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const ProductKernels<float>& ProductKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const ProductKernels<double>& ProductKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
