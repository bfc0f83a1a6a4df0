#include "core/distances.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cpu/blas.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

// Rows a thread takes at a time in passes over the input.
constexpr index_t row_block = 64;

index_t row_blocks(index_t n) { return (n + row_block - 1) / row_block; }

// visit(first row, last row + 1, block) on every block of rows.
template <class Visit>
void for_each_row_block(index_t n, int threads, const Visit& visit) {
  parallel_for(row_blocks(n), threads, [&](index_t block, int) {
    visit(block * row_block, std::min(n, (block + 1) * row_block), block);
  });
}

struct ColumnRange {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double sum = 0.0;
};

// A point near the column's mean that is a multiple of 2^k, 2^k between 1/16 and 1/32 of the
// range; see CenteredRows.
double coarse_center(const ColumnRange& range, index_t n) {
  const double width = range.high - range.low;
  if (width == 0.0) return range.low;
  if (!std::isfinite(width)) return 0.0;  // a column of +-1e308: its values are offsets already
  const double step = std::ldexp(1.0, std::ilogb(width) - 4);
  if (step == 0.0) return range.low;  // denormal numbers
  const double mean = range.sum / static_cast<double>(n);
  // The sum of numbers near the largest one overflows.
  const double center = std::isfinite(mean) ? mean : range.low + 0.5 * width;
  const double steps = center / step;
  return std::isfinite(steps) ? std::nearbyint(steps) * step : center;
}

template <class S>
std::vector<double> column_centers(InputView<S> Z, int threads) {
  // Bounded memory: d partial results for each thread-sized share of the rows, added in order.
  const index_t shares = std::min<index_t>(row_blocks(Z.rows), 16);
  const index_t share_rows = (Z.rows + shares - 1) / shares;
  std::vector<std::vector<ColumnRange>> partial(static_cast<std::size_t>(shares));
  parallel_for(shares, threads, [&](index_t share, int) {
    auto& ranges = partial[static_cast<std::size_t>(share)];
    ranges.resize(static_cast<std::size_t>(Z.cols));
    const index_t end = std::min(Z.rows, (share + 1) * share_rows);
    for (index_t i = share * share_rows; i < end; ++i) {
      for (index_t j = 0; j < Z.cols; ++j) {
        ColumnRange& range = ranges[static_cast<std::size_t>(j)];
        const double z = static_cast<double>(Z(i, j));
        range.low = std::min(range.low, z);
        range.high = std::max(range.high, z);
        range.sum += z;
      }
    }
  });
  std::vector<double> centers(static_cast<std::size_t>(Z.cols));
  for (std::size_t j = 0; j < centers.size(); ++j) {
    ColumnRange whole;
    for (const auto& ranges : partial) {
      whole.low = std::min(whole.low, ranges[j].low);
      whole.high = std::max(whole.high, ranges[j].high);
      whole.sum += ranges[j].sum;
    }
    centers[j] = coarse_center(whole, Z.rows);
  }
  return centers;
}

template <class S>
double largest_offset(InputView<S> Z, const std::vector<double>& centers, int threads) {
  std::vector<double> largest(static_cast<std::size_t>(row_blocks(Z.rows)), 0.0);
  for_each_row_block(Z.rows, threads, [&](index_t begin, index_t end, index_t block) {
    double& value = largest[static_cast<std::size_t>(block)];
    for (index_t i = begin; i < end; ++i) {
      for (index_t j = 0; j < Z.cols; ++j) {
        const double offset = static_cast<double>(Z(i, j)) - centers[static_cast<std::size_t>(j)];
        value = std::max(value, std::abs(offset));
      }
    }
  });
  return *std::max_element(largest.begin(), largest.end());
}

template <class T>
T squared_norm(const T* x, index_t d) {
  double sum = 0.0;
  for (index_t k = 0; k < d; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return static_cast<T>(sum);
}

template <class T>
void refine(const CenteredRows<T>& X, const Tile& tile, double below, T* out, index_t stride) {
  const auto& kernels = simd::tile_kernels<T>();
  for (index_t i = 0; i < tile.rows; ++i) {
    for (index_t j = 0; j < tile.cols; ++j) {
      T& r2 = out[i * stride + j];
      if (static_cast<double>(r2) < below) {
        r2 =
            static_cast<T>(kernels.squared_distance(X.row(tile.row + i), X.row(tile.col + j), X.d));
      }
    }
  }
}

// out_ij <- -2 a_i . b_j
template <class T>
void inner_products(const T* a, index_t rows, const T* b, index_t cols, index_t d, T* out,
                    index_t stride) {
  // d = 0 never arrives here; a leading dimension must still be at least 1.
  const int depth = blas::to_blas(d);
  blas::gemm('T', 'N', blas::to_blas(cols), blas::to_blas(rows), depth, T(-2), b, depth, a, depth,
             T(0), out, blas::to_blas(stride));
}

}  // namespace

template <class S>
NonFiniteRows find_nonfinite_rows(InputView<S> Z, int threads) {
  std::vector<NonFiniteRows> found(static_cast<std::size_t>(row_blocks(Z.rows)), {0, -1});
  for_each_row_block(Z.rows, threads, [&](index_t begin, index_t end, index_t block) {
    NonFiniteRows& rows = found[static_cast<std::size_t>(block)];
    for (index_t i = begin; i < end; ++i) {
      bool finite = true;
      for (index_t j = 0; j < Z.cols; ++j) finite &= std::isfinite(Z(i, j));
      if (finite) continue;
      if (rows.count++ == 0) rows.first = i;
    }
  });
  NonFiniteRows total{0, -1};
  for (const NonFiniteRows& rows : found) {
    if (total.count == 0) total.first = rows.first;
    total.count += rows.count;
  }
  return total;
}

template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, int threads) {
  CenteredRows<T> X;
  X.n = Z.rows;
  X.d = Z.cols;
  X.rows = Buffer<T>(Z.rows * Z.cols);
  X.norms = Buffer<T>(Z.rows);
  const std::vector<double> centers = column_centers(Z, threads);
  const double largest = largest_offset(Z, centers, threads);
  // 2^k is exact, and so is dividing by it.
  X.scale = largest > 0.0 ? std::ldexp(1.0, std::ilogb(largest)) : 1.0;

  for_each_row_block(Z.rows, threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      T* x = X.rows.data() + i * X.d;
      for (index_t j = 0; j < X.d; ++j) {
        const double offset = static_cast<double>(Z(i, j)) - centers[static_cast<std::size_t>(j)];
        x[j] = static_cast<T>(offset / X.scale);
      }
      X.norms[i] = squared_norm(x, X.d);
    }
  });
  X.max_norm = *std::max_element(X.norms.begin(), X.norms.end());
  return X;
}

template <class T>
CenteredRows<T> select_rows(const CenteredRows<T>& X, const index_t* indices, index_t count) {
  CenteredRows<T> chosen;
  chosen.n = count;
  chosen.d = X.d;
  chosen.scale = X.scale;
  chosen.rows = Buffer<T>(count * X.d);
  chosen.norms = Buffer<T>(count);
  for (index_t i = 0; i < count; ++i) {
    std::copy_n(X.row(indices[i]), X.d, chosen.rows.data() + i * X.d);
    chosen.norms[i] = X.norms[indices[i]];
    chosen.max_norm = std::max(chosen.max_norm, chosen.norms[i]);
  }
  return chosen;
}

template <class T>
void squared_distance_tile(const CenteredRows<T>& X, const Tile& tile, Refinement refinement,
                           T* out, index_t stride) {
  inner_products(X.row(tile.row), tile.rows, X.row(tile.col), tile.cols, X.d, out, stride);
  simd::tile_kernels<T>().squared_distances(out, tile.rows, tile.cols, stride,
                                            X.norms.data() + tile.row, X.norms.data() + tile.col);
  if (refinement.below > 0.0) refine(X, tile, refinement.below, out, stride);
}

namespace {

// Rounding leaves an absolute error of some eps |x|^2 in r2. Below this share of |x|^2 that is
// too much for a user who asked for the distances themselves.
template <class T>
Refinement refinement_of_distances(const CenteredRows<T>& X) {
  return {1e-3 * static_cast<double>(X.max_norm)};
}

template <class T>
void scale_tile(T* tile, index_t rows, index_t cols, index_t stride, double factor) {
  if (factor == 1.0) return;
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < cols; ++j) {
      T& r2 = tile[i * stride + j];
      if (r2 != T(0)) r2 = static_cast<T>(static_cast<double>(r2) * factor);  // 0 * inf is not 0
    }
  }
}

}  // namespace

template <class T>
void squared_distances(const CenteredRows<T>& X, MatrixView<T> r2, int threads, Control& control) {
  Stage stage(control, 0.0, 1.0, upper_tile_count(X.n));
  const SingleThreadedBlas one_thread;
  const double unit = X.scale * X.scale;
  for_each_upper_tile(X.n, threads, [&](const Tile& tile, index_t) {
    T* out = r2.row(tile.row) + tile.col;
    squared_distance_tile(X, tile, refinement_of_distances(X), out, r2.stride);
    scale_tile(out, tile.rows, tile.cols, r2.stride, unit);
    for (index_t i = 0; i < tile.rows; ++i) {
      const index_t from = tile.diagonal() ? i : 0;
      if (tile.diagonal()) out[i * r2.stride + i] = 0;
      for (index_t j = from; j < tile.cols; ++j) {
        r2.row(tile.col + j)[tile.row + i] = out[i * r2.stride + j];
      }
    }
    stage.finish_task();
  });
}

template <class T>
void squared_distances_from(const CenteredRows<T>& X, const index_t* query, index_t count,
                            MatrixView<T> r2, int threads, Control& control) {
  const CenteredRows<T> Q = select_rows(X, query, count);
  const index_t blocks = tile_count(X.n);
  Stage stage(control, 0.0, 1.0, blocks);
  const SingleThreadedBlas one_thread;
  const double unit = X.scale * X.scale;
  const double below = refinement_of_distances(X).below;
  const auto& kernels = simd::tile_kernels<T>();
  parallel_for(blocks, threads, [&](index_t block, int) {
    const index_t begin = block * tile_size;
    const index_t cols = std::min(tile_size, X.n - begin);
    T* out = r2.data + begin;
    inner_products(Q.rows.data(), count, X.row(begin), cols, X.d, out, r2.stride);
    kernels.squared_distances(out, count, cols, r2.stride, Q.norms.data(), X.norms.data() + begin);
    for (index_t i = 0; i < count; ++i) {
      for (index_t j = 0; j < cols; ++j) {
        T& value = out[i * r2.stride + j];
        if (static_cast<double>(value) < below) {
          value = static_cast<T>(kernels.squared_distance(Q.row(i), X.row(begin + j), X.d));
        }
      }
    }
    scale_tile(out, count, cols, r2.stride, unit);
    stage.finish_task();
  });
}

#define EIGENTROPY_INSTANTIATE(T)                                                          \
  template NonFiniteRows find_nonfinite_rows(InputView<T>, int);                           \
  template CenteredRows<float> center_rows(InputView<T>, int);                             \
  template CenteredRows<double> center_rows(InputView<T>, int);                            \
  template CenteredRows<T> select_rows(const CenteredRows<T>&, const index_t*, index_t);   \
  template void squared_distance_tile(const CenteredRows<T>&, const Tile&, Refinement, T*, \
                                      index_t);                                            \
  template void squared_distances(const CenteredRows<T>&, MatrixView<T>, int, Control&);   \
  template void squared_distances_from(const CenteredRows<T>&, const index_t*, index_t,    \
                                       MatrixView<T>, int, Control&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
