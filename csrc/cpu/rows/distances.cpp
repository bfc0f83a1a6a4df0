#include "cpu/rows/distances.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

// Pairs of rows: all rows of a tile with all its columns, or chosen rows with a stretch of all
// rows.
struct Rectangle {
  index_t rows, cols;
  index_t first_row, first_col;
  const index_t* row_numbers = nullptr;

  index_t row(index_t i) const { return row_numbers == nullptr ? first_row + i : row_numbers[i]; }
  index_t col(index_t j) const { return first_col + j; }
};

struct NearPair {
  index_t i, j;
  double r2;
};

// r2 <- |x_i - x_j|^2 of the pairs, if rows are longer than a block of columns. The rows are read
// again, some columns at a time.
template <class T>
void sum_differences(const CenteredRows<T>& X, const Rectangle& pairs,
                     std::vector<NearPair>& near) {
  constexpr index_t at_a_time = 256;
  const auto& kernels = simd::tile_kernels<T>();
  std::vector<char> row_is_near(static_cast<std::size_t>(pairs.rows), 0),
      col_is_near(static_cast<std::size_t>(pairs.cols), 0);
  for (const NearPair& pair : near) {
    row_is_near[static_cast<std::size_t>(pair.i)] = 1;
    col_is_near[static_cast<std::size_t>(pair.j)] = 1;
  }
  const Buffer<T> rows(pairs.rows * at_a_time), cols(pairs.cols * at_a_time);
  for (index_t begin = 0; begin < X.d; begin += at_a_time) {
    const Columns columns{begin, std::min(X.d, begin + at_a_time)};
    for (index_t i = 0; i < pairs.rows; ++i) {
      if (!row_is_near[static_cast<std::size_t>(i)]) continue;
      read_row(X, pairs.row(i), columns, rows.data() + i * at_a_time);
    }
    for (index_t j = 0; j < pairs.cols; ++j) {
      if (!col_is_near[static_cast<std::size_t>(j)]) continue;
      read_row(X, pairs.col(j), columns, cols.data() + j * at_a_time);
    }
    for (NearPair& pair : near) {
      pair.r2 += kernels.squared_distance(rows.data() + pair.i * at_a_time,
                                          cols.data() + pair.j * at_a_time, columns.count());
    }
  }
}

// The least r2 of rows that differ. Below 2^-969 a double loses digits of r2, and below 2^-1074
// all.
constexpr double least_difference = 0x1p-1000;

template <class T>
bool are_equal(const CenteredRows<T>& X, index_t i, index_t j) {
  return std::visit(
      [&](const auto& Z) {
        index_t k = 0;
        while (k < X.d && Z(i, k) == Z(j, k)) ++k;
        return k == X.d;
      },
      X.source);
}

// Rows that differ shall not look like duplicates, however near each other they are beside others.
template <class T>
void keep_apart(const CenteredRows<T>& X, const Rectangle& pairs, std::vector<NearPair>& near) {
  // Rows that are known to be equal have one number: of many duplicates each is compared about
  // once, not with all others.
  std::vector<index_t> numbers(static_cast<std::size_t>(pairs.rows + pairs.cols));
  std::iota(numbers.begin(), numbers.end(), index_t{0});
  for (NearPair& pair : near) {
    if (pair.r2 >= least_difference) continue;
    const index_t number = numbers[static_cast<std::size_t>(pair.i)],
                  other = numbers[static_cast<std::size_t>(pairs.rows + pair.j)];
    if (number == other) continue;
    if (are_equal(X, pairs.row(pair.i), pairs.col(pair.j))) {
      std::replace(numbers.begin(), numbers.end(), other, number);
    } else {
      pair.r2 = least_difference;
    }
  }
}

template <class T>
void refine(const ColumnBlock<T>& block, const Rectangle& pairs, double below, T* out,
            index_t stride) {
  std::vector<NearPair> near;
  for (index_t i = 0; i < pairs.rows; ++i) {
    for (index_t j = 0; j < pairs.cols; ++j) {
      T& r2 = out[i * stride + j];
      if (static_cast<double>(r2) >= below) continue;
      if (pairs.row(i) == pairs.col(j)) {
        r2 = 0;
      } else {
        near.push_back({i, j, 0.0});
      }
    }
  }
  if (near.empty()) return;
  if (block.source().fit_one_block()) {
    const auto& kernels = simd::tile_kernels<T>();
    for (NearPair& pair : near) {
      pair.r2 = kernels.squared_distance(block.row(pairs.row(pair.i)), block.row(pairs.col(pair.j)),
                                         block.width());
    }
  } else {
    sum_differences(block.source(), pairs, near);
  }
  if (block.source().keeps_digits) keep_apart(block.source(), pairs, near);
  for (const NearPair& pair : near) out[pair.i * stride + pair.j] = static_cast<T>(pair.r2);
}

// out_ij <- -2 a_i . b_j, or out_ij <- out_ij - 2 a_i . b_j if `add`
template <class T>
void inner_products(const T* a, index_t rows, const T* b, index_t cols, index_t d, bool add, T* out,
                    index_t stride) {
  // d is at least 1 here, as BLAS wants of a leading dimension.
  const int depth = blas::to_blas(d);
  blas::gemm('T', 'N', blas::to_blas(cols), blas::to_blas(rows), depth, T(-2), b, depth, a, depth,
             T(add ? 1 : 0), out, blas::to_blas(stride));
}

// inner_products of a set of rows with itself. Only strips of the upper triangle are computed and
// then copied to the lower one, which takes 5/8 of the products of a whole tile.
template <class T>
void inner_products_with_itself(const T* a, index_t rows, index_t d, bool add, T* out,
                                index_t stride) {
  constexpr index_t strip = tile_size / 4;
  for (index_t begin = 0; begin < rows; begin += strip) {
    const index_t end = std::min(rows, begin + strip);
    inner_products(a, end, a + begin * d, end - begin, d, add, out + begin, stride);
    for (index_t i = 0; i < begin; ++i) {
      for (index_t j = begin; j < end; ++j) out[j * stride + i] = out[i * stride + j];
    }
  }
}

// If more than this share of a tile is refined, products in float64 take less time than
// differences.
constexpr double widened_share = 0.125;

bool widens(const ColumnBlock<double>&, const Tile&, Refinement, const double*, index_t) {
  return false;
}
bool widens(const ColumnBlock<float>& block, const Tile& tile, Refinement refinement,
            const float* out, index_t stride) {
  const CenteredRows<float>& X = block.source();
  const double error = distance_error_factor(X.d, X.blocks()) *
                       std::numeric_limits<double>::epsilon() *
                       static_cast<double>(block.max_norm());
  if (!X.fit_one_block() || error > refinement.allowed) return false;
  index_t near = 0;
  for (index_t i = 0; i < tile.rows; ++i) {
    const float* const row = out + i * stride;
    const auto below = static_cast<float>(refinement.below);
    near += std::count_if(row, row + tile.cols, [&](float r2) { return r2 < below; });
  }
  return static_cast<double>(near) > widened_share * static_cast<double>(tile.rows * tile.cols);
}

// Rows in double precision, and their squared norms.
struct WideRows {
  template <class T>
  WideRows(const T* x, index_t count, index_t d) : rows(count * d), norms(count) {
    std::transform(x, x + count * d, rows.begin(), [](T v) { return static_cast<double>(v); });
    for (index_t i = 0; i < count; ++i) norms[i] = squared_norm(rows.data() + i * d, d);
  }
  Buffer<double> rows, norms;
};

// Computes a whole tile again, by products in double precision.
template <class T>
void widened_distances(const ColumnBlock<T>& block, const Tile& tile, T* out, index_t stride) {
  const index_t d = block.width();
  const Buffer<double> r2(tile.rows * tile.cols);
  const auto& kernels = simd::tile_kernels<double>();
  const WideRows rows(block.row(tile.row), tile.rows, d);
  if (tile.diagonal()) {
    inner_products_with_itself(rows.rows.data(), tile.rows, d, false, r2.data(), tile.cols);
    kernels.squared_distances(r2.data(), tile.rows, tile.cols, tile.cols, rows.norms.data(),
                              rows.norms.data());
    for (index_t i = 0; i < tile.rows; ++i) r2[i * tile.cols + i] = 0.0;
  } else {
    const WideRows cols(block.row(tile.col), tile.cols, d);
    inner_products(rows.rows.data(), tile.rows, cols.rows.data(), tile.cols, d, false, r2.data(),
                   tile.cols);
    kernels.squared_distances(r2.data(), tile.rows, tile.cols, tile.cols, rows.norms.data(),
                              cols.norms.data());
  }
  for (index_t i = 0; i < tile.rows; ++i) {
    const double* const row = r2.data() + i * tile.cols;
    std::transform(row, row + tile.cols, out + i * stride,
                   [](double value) { return static_cast<T>(value); });
  }
}

}  // namespace

template <class T>
void refine_tile(const ColumnBlock<T>& block, const Tile& tile, Refinement refinement, T* out,
                 index_t stride) {
  if (refinement.below <= 0.0) return;
  if (widens(block, tile, refinement, out, stride)) {
    widened_distances(block, tile, out, stride);
  } else {
    refine(block, {tile.rows, tile.cols, tile.row, tile.col}, refinement.below, out, stride);
  }
}

template <class T>
void squared_distance_tile(const ColumnBlock<T>& block, const Tile& tile, Refinement refinement,
                           T* out, index_t stride) {
  const T* const rows = block.row(tile.row);
  if (tile.diagonal()) {
    inner_products_with_itself(rows, tile.rows, block.width(), !block.first(), out, stride);
  } else {
    inner_products(rows, tile.rows, block.row(tile.col), tile.cols, block.width(), !block.first(),
                   out, stride);
  }
  if (!block.last()) return;
  simd::tile_kernels<T>().squared_distances(out, tile.rows, tile.cols, stride,
                                            block.norms() + tile.row, block.norms() + tile.col);
  refine_tile(block, tile, refinement, out, stride);
}

namespace {

// Copies the tile to its place in the lower triangle.
template <class T>
void mirror_distances(const Tile& tile, MatrixView<T> r2) {
  const T* out = r2.row(tile.row) + tile.col;
  for (index_t i = 0; i < tile.rows; ++i) {
    const index_t from = tile.diagonal() ? i : 0;
    if (tile.diagonal()) r2.row(tile.row + i)[tile.col + i] = 0;
    for (index_t j = from; j < tile.cols; ++j) {
      r2.row(tile.col + j)[tile.row + i] = out[i * r2.stride + j];
    }
  }
}

// Rows of the block, contiguous.
template <class T>
Buffer<T> gather_rows(const ColumnBlock<T>& block, const index_t* rows, index_t count) {
  Buffer<T> gathered(count * block.width());
  for (index_t i = 0; i < count; ++i) {
    std::copy_n(block.row(rows[i]), block.width(), gathered.data() + i * block.width());
  }
  return gathered;
}

template <class T>
Buffer<T> gather_norms(const ColumnBlock<T>& block, const index_t* rows, index_t count) {
  Buffer<T> gathered(count);
  for (index_t i = 0; i < count; ++i) gathered[i] = block.norm(rows[i]);
  return gathered;
}

}  // namespace

template <class T>
void squared_distances(const CenteredRows<T>& X, MatrixView<T> r2, int threads, Control& control) {
  Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
  const SingleThreadedBlas one_thread;
  for_each_column_block(X, threads, control, [&](const ColumnBlock<T>& block) {
    for_each_upper_tile(X.n, threads, [&](const Tile& tile, index_t) {
      T* out = r2.row(tile.row) + tile.col;
      squared_distance_tile(block, tile, refinement_of_distances(block), out, r2.stride);
      if (block.last()) mirror_distances(tile, r2);
      stage.finish_task();
    });
  });
}

template <class T>
void squared_distances_from(const CenteredRows<T>& X, const index_t* query, index_t count,
                            MatrixView<T> r2, int threads, Control& control,
                            const std::function<void(Columns)>& finish) {
  const index_t stretches = tile_count(X.n);
  Stage stage(control, 0.0, 1.0, X.blocks() * stretches);
  const SingleThreadedBlas one_thread;
  for_each_column_block(X, threads, control, [&](const ColumnBlock<T>& block) {
    const Buffer<T> queries = gather_rows(block, query, count);
    const Buffer<T> norms = gather_norms(block, query, count);
    parallel_for(stretches, threads, [&](index_t stretch, int) {
      const index_t begin = stretch * tile_size;
      const index_t cols = std::min(tile_size, X.n - begin);
      T* out = r2.data + begin;
      inner_products(queries.data(), count, block.row(begin), cols, block.width(), !block.first(),
                     out, r2.stride);
      if (block.last()) {
        simd::tile_kernels<T>().squared_distances(out, count, cols, r2.stride, norms.data(),
                                                  block.norms() + begin);
        refine(block, {count, cols, 0, begin, query}, refinement_of_distances(block).below, out,
               r2.stride);
        if (finish) finish({begin, begin + cols});
      }
      stage.finish_task();
    });
  });
}

#define EIGENTROPY_INSTANTIATE(T)                                                         \
  template void squared_distance_tile(const ColumnBlock<T>&, const Tile&, Refinement, T*, \
                                      index_t);                                           \
  template void refine_tile(const ColumnBlock<T>&, const Tile&, Refinement, T*, index_t); \
  template void squared_distances(const CenteredRows<T>&, MatrixView<T>, int, Control&);  \
  template void squared_distances_from(const CenteredRows<T>&, const index_t*, index_t,   \
                                       MatrixView<T>, int, Control&,                      \
                                       const std::function<void(Columns)>&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
