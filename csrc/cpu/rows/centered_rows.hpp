// The rows of the caller's matrix, which may be far larger than memory.
#pragma once

#include <limits>
#include <memory>
#include <variant>
#include <vector>

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "base/distances.hpp"
#include "base/gaps.hpp"
#include "base/views.hpp"

namespace eigentropy {

// The caller's matrix, n x d: row i starts at data + row * row_stride, where row is i, or chosen[i]
// if the view has a choice of rows. It may be a mapped file: it is read in few passes.
template <class S>
struct InputView {
  const S* data;
  index_t rows, cols;
  index_t row_stride, col_stride;
  const index_t* chosen = nullptr;

  const S* row(index_t i) const { return data + (chosen == nullptr ? i : chosen[i]) * row_stride; }
  S operator()(index_t i, index_t j) const { return row(i)[j * col_stride]; }
};

// Columns [begin, end).
struct Columns {
  index_t begin, end;
  index_t count() const { return end - begin; }
};

// Rows that contain NaN or infinity.
struct NonFiniteRows {
  index_t count;
  index_t first;  // -1 when count is 0
};
template <class S>
NonFiniteRows find_nonfinite_rows(InputView<S> Z, int threads, const Control& control);

// What is subtracted from the columns.
struct Centers {
  Buffer<double> of_columns;
  std::vector<ClosedColumn> closed;  // ascending; these columns have segments instead
};

struct FoundCenters {
  Centers centers;
  double largest_offset = 0.0;  // max_ij |z_ij - c_j|
};

// Ranges and sums of columns: what a centre takes of rows that may lie on several machines.
struct ColumnRanges {
  explicit ColumnRanges(index_t columns)
      : low(static_cast<std::size_t>(columns), std::numeric_limits<double>::infinity()),
        high(static_cast<std::size_t>(columns), -std::numeric_limits<double>::infinity()),
        sum(static_cast<std::size_t>(columns), 0.0) {}

  std::vector<double> low, high, sum;
};
template <class S>
ColumnRanges column_ranges(InputView<S> Z, int threads, const Control& control);

// The centres of n rows of which these are the ranges. `closed` has the columns with wide gaps.
FoundCenters common_centers(const ColumnRanges& of_all, index_t n, const Centering& how,
                            std::vector<ClosedColumn> closed);

// The rows x_i = (z_i - c) / scale, computed from the caller's z_i as they are read. Subtracting a
// centre c changes no distance and keeps |x|^2 + |y|^2 - 2 x.y from cancelling; dividing by a power
// of two keeps it from overflowing. c is the column mean rounded to a multiple of a power of two
// between 1/16 and 1/32 of the column's range, so that data on a coarse grid (integers, pixels)
// stay exact and equal distances stay equal. A Centering asks for more.
template <class T>
struct CenteredRows {
  index_t n = 0;
  index_t d = 0;
  double scale = 1.0;
  index_t block_columns = widest_block;
  // The memory that is read: the caller's, or `copy`.
  std::variant<InputView<double>, InputView<float>> source;
  std::shared_ptr<const Buffer<index_t>> chosen;  // owns the choice of rows, if there is one
  std::shared_ptr<const Centers> centers;         // null: the source holds x already
  bool keeps_digits = false;                      // as the Centering asked
  // Filled by in_memory(): x and |x|^2 of all rows of the source, chosen or not.
  std::shared_ptr<const Buffer<T>> copy, norms;

  bool fit_one_block() const { return d <= block_columns; }
  index_t blocks() const { return (d + block_columns - 1) / block_columns; }
  // Blocks of equal width, but for the last.
  Columns block(index_t b) const;
};

// Reads Z once, and columns with wide gaps once more. The result reads Z again whenever it is used.
template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, const Centering& how, int threads,
                            const Control& control);
// With centres that are known.
template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, FoundCenters found);
template <class S, class T>
CenteredRows<T> center_rows(InputView<S> Z, int threads) {
  const Control unused;
  return center_rows<S, T>(Z, {}, threads, unused);
}

// Largest distance of a row from the centre, in units of scale.
template <class T>
double largest_norm(const CenteredRows<T>& X, int threads, const Control& control);

// The chosen rows as a CenteredRows of their own.
template <class T>
CenteredRows<T> select_rows(const CenteredRows<T>& X, const index_t* indices, index_t count);

// Like select_rows. If X is the whole of its source, `indices` is not copied and must outlive the
// result.
template <class T>
CenteredRows<T> view_rows(const CenteredRows<T>& X, const index_t* indices, index_t count);

// The same rows, read once into a copy, n x d. The result does not need the caller's memory.
template <class T>
CenteredRows<T> in_memory(const CenteredRows<T>& X, int threads);

// x <- the given columns of x_i
template <class T>
void read_row(const CenteredRows<T>& X, index_t i, Columns columns, T* x);

// As read_row, and returns the sum of the squares of x.
template <class T>
double read_centered_row(const CenteredRows<T>& X, index_t i, Columns columns, T* x);

// The largest of the |x_i|^2. Throws invalid_argument if a row has an entry that is NaN or
// infinite; distances would hide such an entry.
template <class T>
T largest_finite(const Buffer<T>& norms);

// Independent sums: each addition alone would wait for the one before.
template <class T>
double squared_norm(const T* x, index_t d) {
  constexpr index_t lanes = 8;
  double sums[lanes] = {};
  index_t k = 0;
  for (; k + lanes <= d; k += lanes) {
    for (index_t j = 0; j < lanes; ++j) {
      sums[j] += static_cast<double>(x[k + j]) * static_cast<double>(x[k + j]);
    }
  }
  for (; k < d; ++k) sums[0] += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// A block of columns of all the rows x_i, and |x_i|^2 once the last block has been loaded.
template <class T>
class ColumnBlock {
 public:
  explicit ColumnBlock(const CenteredRows<T>& X);
  // Call it for block 0, 1, ... in order. The last call throws as largest_finite.
  void load(index_t b, int threads, const Control& control);

  const CenteredRows<T>& source() const { return X_; }
  bool first() const { return index_ == 0; }
  bool last() const { return index_ == X_.blocks() - 1; }
  index_t width() const { return X_.block(index_).count(); }
  const T* row(index_t i) const { return rows_.data() + i * width(); }
  T norm(index_t i) const { return norms_[i]; }
  const T* norms() const { return norms_.data(); }
  T max_norm() const { return max_norm_; }

 private:
  const CenteredRows<T>& X_;
  index_t index_ = 0;
  Buffer<T> rows_;            // n x width
  Buffer<double> norm_sums_;  // n
  Buffer<T> norms_;           // n
  T max_norm_ = 0;
};

// Calls visit(block) for each block of columns. Only one block is in memory at a time.
template <class T, class Visit>
void for_each_column_block(const CenteredRows<T>& X, int threads, const Control& control,
                           const Visit& visit) {
  ColumnBlock<T> block(X);
  for (index_t b = 0; b < X.blocks(); ++b) {
    block.load(b, threads, control);
    visit(block);
  }
}

}  // namespace eigentropy
