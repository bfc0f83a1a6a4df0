#include "cpu/rows/centered_rows.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/centers.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"

namespace eigentropy {
namespace {

// Adds the row z.
template <class S>
void add_row(const S* z, index_t stride, ColumnRanges& ranges) {
  double *const l = ranges.low.data(), *const h = ranges.high.data(), *const s = ranges.sum.data();
  const std::size_t columns = ranges.low.size();
  const auto add_all = [&](auto step) {
    for (std::size_t j = 0; j < columns; ++j) {
      const double value = static_cast<double>(z[static_cast<index_t>(j) * step]);
      l[j] = value < l[j] ? value : l[j];
      h[j] = value > h[j] ? value : h[j];
      s[j] += value;
    }
  };
  // The compiler vectorises the loop if it knows the step.
  if (stride == 1) {
    add_all(std::integral_constant<index_t, 1>());
  } else {
    add_all(stride);
  }
}

void merge(const ColumnRanges& other, ColumnRanges& ranges) {
  for (std::size_t j = 0; j < ranges.low.size(); ++j) {
    ranges.low[j] = std::min(ranges.low[j], other.low[j]);
    ranges.high[j] = std::max(ranges.high[j], other.high[j]);
    ranges.sum[j] += other.sum[j];
  }
}

// Each thread takes a share of the rows. The sums of the shares are added in order.
template <class S>
ColumnRanges ranges_of(InputView<S> Z, Columns columns, int threads, const Control& control) {
  const index_t shares = std::min<index_t>(row_blocks(Z.rows), 16);
  const index_t share_rows = (Z.rows + shares - 1) / shares;
  std::vector<ColumnRanges> partial(static_cast<std::size_t>(shares),
                                    ColumnRanges(columns.count()));
  parallel_for(shares, threads, [&](index_t share, int) {
    const index_t end = std::min(Z.rows, (share + 1) * share_rows);
    for (index_t i = share * share_rows; i < end; ++i) {
      add_row(Z.row(i) + columns.begin * Z.col_stride, Z.col_stride,
              partial[static_cast<std::size_t>(share)]);
      if (i % row_block == 0) control.check();
    }
  });
  ColumnRanges whole(columns.count());
  for (const ColumnRanges& ranges : partial) merge(ranges, whole);
  return whole;
}

// values <- these columns, one after the other
template <class S>
void read_columns(InputView<S> Z, const std::vector<index_t>& columns, double* values, int threads,
                  const Control& control) {
  for_each_row_block(Z.rows, threads, [&](index_t begin, index_t end, index_t) {
    control.check();
    for (index_t i = begin; i < end; ++i) {
      double* value = values + i;
      for (const index_t j : columns) {
        *value = static_cast<double>(Z(i, j));
        value += Z.rows;
      }
    }
  });
}

// Adds the centres of columns from `begin` on that have these ranges in n rows.
void add_centers(const ColumnRanges& ranges, index_t begin, index_t n, const Centering& how,
                 std::vector<ClosedColumn> closed, FoundCenters& found) {
  auto next = closed.begin();
  for (std::size_t k = 0; k < ranges.low.size(); ++k) {
    const index_t j = begin + static_cast<index_t>(k);
    const double low = ranges.low[k], high = ranges.high[k];
    const double center = center_of(low, high, ranges.sum[k], n, how);
    const bool is_closed = next != closed.end() && next->column == j;
    found.centers.of_columns[j] = center;
    found.largest_offset =
        std::max({found.largest_offset, std::abs(is_closed ? (*next)(low) : low - center),
                  std::abs(is_closed ? (*next)(high) : high - center)});
    if (is_closed) ++next;
  }
  std::move(closed.begin(), closed.end(), std::back_inserter(found.centers.closed));
}

// One pass over the input, and another one over columns whose values are far apart.
template <class S>
FoundCenters find_centers(InputView<S> Z, const Centering& how, int threads,
                          const Control& control) {
  constexpr index_t at_a_time = 4096;  // the ranges of this many columns stay in the cache
  const double wide = narrowest_closed_gap(how.separation);
  const Closing closing{how.separation, most_closed_gaps(Z.cols)};
  FoundCenters found{{Buffer<double>(Z.cols), {}}};
  for (index_t begin = 0; begin < Z.cols; begin += at_a_time) {
    const Columns columns{begin, std::min(Z.cols, begin + at_a_time)};
    const ColumnRanges ranges = ranges_of(Z, columns, threads, control);
    std::vector<index_t> wide_columns;
    for (index_t j = begin; j < columns.end; ++j) {
      const auto k = static_cast<std::size_t>(j - begin);
      if (ranges.high[k] - ranges.low[k] > wide) wide_columns.push_back(j);
    }
    auto closed = close_columns(wide_columns, Z.rows, closing, threads, control,
                                [&](const std::vector<index_t>& some, double* values) {
                                  read_columns(Z, some, values, threads, control);
                                });
    add_centers(ranges, begin, Z.rows, how, std::move(closed), found);
  }
  return found;
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

// The same for the columns whose gaps are closed.
template <class S, class T>
void center_closed(const S* z, index_t stride, const std::vector<ClosedColumn>& closed,
                   double inverse, Columns columns, T* x) {
  auto place = std::lower_bound(
      closed.begin(), closed.end(), columns.begin,
      [](const ClosedColumn& column, index_t begin) { return column.column < begin; });
  for (; place != closed.end() && place->column < columns.end; ++place) {
    const index_t j = place->column - columns.begin;
    x[j] = static_cast<T>((*place)(static_cast<double>(z[j * stride])) * inverse);
  }
}

template <class S, class T>
void read_from(const InputView<S>& Z, const CenteredRows<T>& X, index_t i, Columns columns,
               T* out) {
  const S* z = Z.row(i) + columns.begin * Z.col_stride;
  if (X.centers == nullptr) {  // a copy, contiguous
    std::transform(z, z + columns.count(), out, [](S x) { return static_cast<T>(x); });
    return;
  }
  const double inverse = 1.0 / X.scale;
  center(z, Z.col_stride, X.centers->of_columns.data() + columns.begin, inverse, columns.count(),
         out);
  center_closed(z, Z.col_stride, X.centers->closed, inverse, columns, out);
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

template <class T>
void read_row(const CenteredRows<T>& X, index_t i, Columns columns, T* out) {
  std::visit([&](const auto& Z) { read_from(Z, X, i, columns, out); }, X.source);
}

template <class S>
NonFiniteRows find_nonfinite_rows(InputView<S> Z, int threads, const Control& control) {
  // If rows are long, a few of them are enough work for a thread.
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

template <class S>
ColumnRanges column_ranges(InputView<S> Z, int threads, const Control& control) {
  return ranges_of(Z, {0, Z.cols}, threads, control);
}

FoundCenters common_centers(const ColumnRanges& of_all, index_t n, const Centering& how,
                            std::vector<ClosedColumn> closed) {
  FoundCenters found{{Buffer<double>(static_cast<index_t>(of_all.low.size())), {}}};
  add_centers(of_all, 0, n, how, std::move(closed), found);
  return found;
}

template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, FoundCenters found) {
  CenteredRows<T> X;
  X.n = Z.rows;
  X.d = Z.cols;
  X.source = Z;
  X.centers = std::make_shared<const Centers>(std::move(found.centers));
  X.scale = row_scale(found.largest_offset);
  return X;
}

template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, const Centering& how, int threads,
                            const Control& control) {
  CenteredRows<T> X = center_rows<S, T>(Z, find_centers(Z, how, threads, control));
  X.keeps_digits = how.keeps_digits;
  return X;
}

template <class T>
double largest_norm(const CenteredRows<T>& X, int threads, const Control& control) {
  Buffer<double> largest(row_blocks(X.n));
  for_each_row_block(X.n, threads, [&](index_t begin, index_t end, index_t block) {
    control.check();
    const Buffer<T> x(X.d);
    largest[block] = 0.0;
    for (index_t i = begin; i < end; ++i) {
      largest[block] = std::max(largest[block], read_centered_row(X, i, {0, X.d}, x.data()));
    }
  });
  return std::sqrt(*std::max_element(largest.begin(), largest.end()));
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
T largest_finite(const Buffer<T>& norms) {
  for (index_t i = 0; i < norms.size(); ++i) {
    if (std::isfinite(norms[i])) continue;
    throw std::invalid_argument("row " + std::to_string(i) + " of " + std::to_string(norms.size()) +
                                " has entries that are NaN or infinite");
  }
  return *std::max_element(norms.begin(), norms.end());
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
            read_from(Z, X_, i, columns, x);
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
  max_norm_ = largest_finite(norms_);
}

#define EIGENTROPY_INSTANTIATE(T)                                                                 \
  template NonFiniteRows find_nonfinite_rows(InputView<T>, int, const Control&);                  \
  template ColumnRanges column_ranges(InputView<T>, int, const Control&);                         \
  template CenteredRows<float> center_rows(InputView<T>, FoundCenters);                           \
  template CenteredRows<double> center_rows(InputView<T>, FoundCenters);                          \
  template struct CenteredRows<T>;                                                                \
  template void read_row(const CenteredRows<T>&, index_t, Columns, T*);                           \
  template double read_centered_row(const CenteredRows<T>&, index_t, Columns, T*);                \
  template class ColumnBlock<T>;                                                                  \
  template CenteredRows<float> center_rows(InputView<T>, const Centering&, int, const Control&);  \
  template CenteredRows<double> center_rows(InputView<T>, const Centering&, int, const Control&); \
  template double largest_norm(const CenteredRows<T>&, int, const Control&);                      \
  template CenteredRows<T> select_rows(const CenteredRows<T>&, const index_t*, index_t);          \
  template CenteredRows<T> view_rows(const CenteredRows<T>&, const index_t*, index_t);            \
  template CenteredRows<T> in_memory(const CenteredRows<T>&, int);                                \
  template T largest_finite(const Buffer<T>&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
