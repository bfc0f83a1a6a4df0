#include "cpu/rows/distances.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "base/centers.hpp"
#include "cpu/blas.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

// Ranges and sums of some columns.
struct ColumnRanges {
  explicit ColumnRanges(index_t columns)
      : low(static_cast<std::size_t>(columns), std::numeric_limits<double>::infinity()),
        high(static_cast<std::size_t>(columns), -std::numeric_limits<double>::infinity()),
        sum(static_cast<std::size_t>(columns), 0.0) {}

  template <class S>
  void add(const S* z, index_t stride) {
    double *const l = low.data(), *const h = high.data(), *const s = sum.data();
    const std::size_t columns = low.size();
    const auto add_all = [&](auto step) {
      for (std::size_t j = 0; j < columns; ++j) {
        const double value = static_cast<double>(z[static_cast<index_t>(j) * step]);
        l[j] = value < l[j] ? value : l[j];
        h[j] = value > h[j] ? value : h[j];
        s[j] += value;
      }
    };
    // A step that the compiler knows makes vector instructions of the loop.
    if (stride == 1) {
      add_all(std::integral_constant<index_t, 1>());
    } else {
      add_all(stride);
    }
  }
  void merge(const ColumnRanges& other) {
    for (std::size_t j = 0; j < low.size(); ++j) {
      low[j] = std::min(low[j], other.low[j]);
      high[j] = std::max(high[j], other.high[j]);
      sum[j] += other.sum[j];
    }
  }

  std::vector<double> low, high, sum;
};

// The rows are shared out to threads; the sums of the shares are added in order.
template <class S>
ColumnRanges ranges_of(InputView<S> Z, Columns columns, int threads, const Control& control) {
  const index_t shares = std::min<index_t>(row_blocks(Z.rows), 16);
  const index_t share_rows = (Z.rows + shares - 1) / shares;
  std::vector<ColumnRanges> partial(static_cast<std::size_t>(shares),
                                    ColumnRanges(columns.count()));
  parallel_for(shares, threads, [&](index_t share, int) {
    const index_t end = std::min(Z.rows, (share + 1) * share_rows);
    for (index_t i = share * share_rows; i < end; ++i) {
      partial[static_cast<std::size_t>(share)].add(Z.row(i) + columns.begin * Z.col_stride,
                                                   Z.col_stride);
      if (i % row_block == 0) control.check();
    }
  });
  ColumnRanges whole(columns.count());
  for (const ColumnRanges& ranges : partial) whole.merge(ranges);
  return whole;
}

struct Centers {
  Buffer<double> of_columns;
  double largest_offset = 0.0;  // max_ij |z_ij - c_j|
};

// One pass over the input.
template <class S>
Centers find_centers(InputView<S> Z, int threads, const Control& control) {
  constexpr index_t at_a_time = 4096;  // the ranges of so many columns stay in the cache
  Centers centers{Buffer<double>(Z.cols)};
  for (index_t begin = 0; begin < Z.cols; begin += at_a_time) {
    const Columns columns{begin, std::min(Z.cols, begin + at_a_time)};
    const ColumnRanges ranges = ranges_of(Z, columns, threads, control);
    for (index_t j = begin; j < columns.end; ++j) {
      const auto k = static_cast<std::size_t>(j - begin);
      const double low = ranges.low[k], high = ranges.high[k];
      const double center = coarse_center(low, high, ranges.sum[k], Z.rows);
      centers.of_columns[j] = center;
      centers.largest_offset =
          std::max({centers.largest_offset, std::abs(low - center), std::abs(high - center)});
    }
  }
  return centers;
}

// x_j = (z_j - c_j) * inverse for some columns of a row.
template <class S, class T>
void center(const S* z, index_t stride, const double* centers, double inverse, index_t count,
            T* x) {
  const auto center_all = [&](auto step) {
    for (index_t j = 0; j < count; ++j) {
      x[j] = static_cast<T>((static_cast<double>(z[j * step]) - centers[j]) * inverse);
    }
  };
  if (stride == 1) {
    center_all(std::integral_constant<index_t, 1>());
  } else {
    center_all(stride);
  }
}

// out <- the columns of x_i
template <class S, class T>
void read_row(const CenteredRows<T>& X, const InputView<S>& Z, index_t i, Columns columns, T* out) {
  const S* z = Z.row(i) + columns.begin * Z.col_stride;
  if (X.centers == nullptr) {  // a copy, contiguous
    std::transform(z, z + columns.count(), out, [](S x) { return static_cast<T>(x); });
    return;
  }
  center(z, Z.col_stride, X.centers->data() + columns.begin, 1.0 / X.scale, columns.count(), out);
}
template <class T>
void read_row(const CenteredRows<T>& X, index_t i, Columns columns, T* out) {
  std::visit([&](const auto& Z) { read_row(X, Z, i, columns, out); }, X.source);
}

template <class T>
double squared_norm(const T* x, index_t d) {
  double sum = 0.0;
  for (index_t k = 0; k < d; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return sum;
}

// Some of the rows against a stretch of them: a tile, or chosen rows against all.
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

// r2 <- |x_i - x_j|^2 of the pairs, for rows of which no block holds all columns: they are read
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
  for (const NearPair& pair : near) out[pair.i * stride + pair.j] = static_cast<T>(pair.r2);
}

// out_ij <- -2 a_i . b_j, or added to it
template <class T>
void inner_products(const T* a, index_t rows, const T* b, index_t cols, index_t d, bool add, T* out,
                    index_t stride) {
  // d = 0 never arrives here; a leading dimension must still be at least 1.
  const int depth = blas::to_blas(d);
  blas::gemm('T', 'N', blas::to_blas(cols), blas::to_blas(rows), depth, T(-2), b, depth, a, depth,
             T(add ? 1 : 0), out, blas::to_blas(stride));
}

template <class S>
bool is_finite(const S* z, index_t d, index_t stride) {
  const auto check_all = [&](auto step) {
    // Counting keeps the loop free of branches.
    index_t bad = 0;
    for (index_t j = 0; j < d; ++j) {
      bad += std::abs(z[j * step]) <= std::numeric_limits<S>::max() ? 0 : 1;
    }
    return bad == 0;
  };
  return stride == 1 ? check_all(std::integral_constant<index_t, 1>()) : check_all(stride);
}

}  // namespace

template <class S>
NonFiniteRows find_nonfinite_rows(InputView<S> Z, int threads, const Control& control) {
  // Few long rows are enough for a thread.
  const index_t at_a_time =
      std::clamp<index_t>((index_t{1} << 18) / std::max<index_t>(1, Z.cols), 1, row_block);
  const index_t blocks = (Z.rows + at_a_time - 1) / at_a_time;
  std::vector<NonFiniteRows> found(static_cast<std::size_t>(blocks), {0, -1});
  parallel_for(blocks, threads, [&](index_t block, int) {
    control.check();
    NonFiniteRows& rows = found[static_cast<std::size_t>(block)];
    const index_t end = std::min(Z.rows, (block + 1) * at_a_time);
    for (index_t i = block * at_a_time; i < end; ++i) {
      if (is_finite(Z.row(i), Z.cols, Z.col_stride)) continue;
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

template <class T>
Columns CenteredRows<T>::block(index_t b) const {
  const index_t width = (d + blocks() - 1) / blocks();
  return {b * width, std::min(d, (b + 1) * width)};
}

template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, int threads, const Control& control) {
  CenteredRows<T> X;
  X.n = Z.rows;
  X.d = Z.cols;
  X.source = Z;
  Centers centers = find_centers(Z, threads, control);
  X.centers = std::make_shared<const Buffer<double>>(std::move(centers.of_columns));
  X.scale = row_scale(centers.largest_offset);
  return X;
}

template <class T>
CenteredRows<T> select_rows(const CenteredRows<T>& X, const index_t* indices, index_t count) {
  CenteredRows<T> subset = X;
  subset.n = count;
  Buffer<index_t> rows(count);
  std::visit(
      [&](auto& Z) {
        for (index_t i = 0; i < count; ++i) {
          rows[i] = Z.chosen == nullptr ? indices[i] : Z.chosen[indices[i]];
        }
        Z.rows = count;
        Z.chosen = rows.data();
      },
      subset.source);
  subset.chosen = std::make_shared<const Buffer<index_t>>(std::move(rows));
  return subset;
}

template <class T>
CenteredRows<T> view_rows(const CenteredRows<T>& X, const index_t* indices, index_t count) {
  CenteredRows<T> subset = X;
  subset.n = count;
  const bool whole = std::visit(
      [&](auto& Z) {
        const bool has_no_choice = Z.chosen == nullptr;
        Z.rows = count;
        Z.chosen = indices;
        return has_no_choice;
      },
      subset.source);
  return whole ? subset : select_rows(X, indices, count);
}

template <class T>
CenteredRows<T> in_memory(const CenteredRows<T>& X, int threads) {
  Buffer<T> rows(X.n * X.d), norms(X.n);
  for_each_row_block(X.n, threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      double norm = 0.0;
      for (index_t b = 0; b < X.blocks(); ++b) {
        const Columns columns = X.block(b);
        T* const x = rows.data() + i * X.d + columns.begin;
        read_row(X, i, columns, x);
        norm += squared_norm(x, columns.count());
      }
      norms[i] = static_cast<T>(norm);
    }
  });
  CenteredRows<T> copied = X;
  copied.source = InputView<T>{rows.data(), X.n, X.d, X.d, 1};
  copied.chosen = nullptr;
  copied.centers = nullptr;
  copied.copy = std::make_shared<const Buffer<T>>(std::move(rows));
  copied.norms = std::make_shared<const Buffer<T>>(std::move(norms));
  return copied;
}

template <class T>
double read_centered_row(const CenteredRows<T>& X, index_t i, Columns columns, T* x) {
  read_row(X, i, columns, x);
  return squared_norm(x, columns.count());
}

template <class T>
ColumnBlock<T>::ColumnBlock(const CenteredRows<T>& X)
    : X_(X), rows_(X.n * X.block(0).count()), norm_sums_(X.n), norms_(X.n) {
  std::fill(norm_sums_.begin(), norm_sums_.end(), 0.0);
}

template <class T>
void require_finite_rows(const Buffer<T>& norms) {
  for (index_t i = 0; i < norms.size(); ++i) {
    if (std::isfinite(norms[i])) continue;
    throw std::invalid_argument("row " + std::to_string(i) + " of " + std::to_string(norms.size()) +
                                " has entries that are NaN or infinite");
  }
}

template <class T>
void ColumnBlock<T>::load(index_t b, int threads, const Control& control) {
  index_ = b;
  const Columns columns = X_.block(b);
  const index_t count = columns.count();
  std::visit(
      [&](const auto& Z) {
        for_each_row_block(X_.n, threads, [&](index_t begin, index_t end, index_t) {
          control.check();
          for (index_t i = begin; i < end; ++i) {
            T* const x = rows_.data() + i * count;
            read_row(X_, Z, i, columns, x);
            if (X_.norms == nullptr) {
              norm_sums_[i] += squared_norm(x, count);
              norms_[i] = static_cast<T>(norm_sums_[i]);
            } else {
              norms_[i] = (*X_.norms)[Z.chosen == nullptr ? i : Z.chosen[i]];
            }
          }
        });
      },
      X_.source);
  if (!last()) return;
  require_finite_rows(norms_);
  max_norm_ = *std::max_element(norms_.begin(), norms_.end());
}

template <class T>
double error_factor(const CenteredRows<T>& X) {
  if (X.fit_one_block()) return 4.0 + std::sqrt(static_cast<double>(X.d));
  // Each block adds its error to that of the sum so far, in no preferred direction. (In rows of one
  // number repeated all errors have one direction, and the factor can be 32 + blocks / 4:
  // DistancesOfFloats in tests/cpp/test_distances.cpp. That would be much too careful elsewhere.)
  return 16.0 + std::sqrt(static_cast<double>(X.blocks()));
}

namespace {

// The same for a set of rows with itself: strips of the upper triangle, which is then copied. It
// takes 5/8 of the products of a whole tile.
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

// Of more than this share of a tile, products in float64 take less time than the differences.
constexpr double widened_share = 0.125;

bool widens(const ColumnBlock<double>&, const Tile&, Refinement, const double*, index_t) {
  return false;
}
bool widens(const ColumnBlock<float>& block, const Tile& tile, Refinement refinement,
            const float* out, index_t stride) {
  const CenteredRows<float>& X = block.source();
  const double error = error_factor(X) * std::numeric_limits<double>::epsilon() *
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

// A whole tile anew, by products in double precision.
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
  if (refinement.below <= 0.0) return;
  if (widens(block, tile, refinement, out, stride)) {
    widened_distances(block, tile, out, stride);
  } else {
    refine(block, {tile.rows, tile.cols, tile.row, tile.col}, refinement.below, out, stride);
  }
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
  template NonFiniteRows find_nonfinite_rows(InputView<T>, int, const Control&);          \
  template struct CenteredRows<T>;                                                        \
  template double read_centered_row(const CenteredRows<T>&, index_t, Columns, T*);        \
  template class ColumnBlock<T>;                                                          \
  template CenteredRows<float> center_rows(InputView<T>, int, const Control&);            \
  template CenteredRows<double> center_rows(InputView<T>, int, const Control&);           \
  template CenteredRows<T> select_rows(const CenteredRows<T>&, const index_t*, index_t);  \
  template CenteredRows<T> view_rows(const CenteredRows<T>&, const index_t*, index_t);    \
  template CenteredRows<T> in_memory(const CenteredRows<T>&, int);                        \
  template double error_factor(const CenteredRows<T>&);                                   \
  template void squared_distance_tile(const ColumnBlock<T>&, const Tile&, Refinement, T*, \
                                      index_t);                                           \
  template void squared_distances(const CenteredRows<T>&, MatrixView<T>, int, Control&);  \
  template void squared_distances_from(const CenteredRows<T>&, const index_t*, index_t,   \
                                       MatrixView<T>, int, Control&,                      \
                                       const std::function<void(Columns)>&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
