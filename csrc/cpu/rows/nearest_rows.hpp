// The nearest neighbours of each row.
#pragma once

#include "base/buffer.hpp"
#include "base/control.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy {

// n x k, each row from the nearest to the k-th nearest: the numbers of the rows, and |x_i - x_j|^2
// in units of X.scale^2.
struct NearestRows {
  Buffer<index_t> rows;
  Buffer<double> r2;
};

// The k nearest other rows of each row, 1 <= k < n. Of rows at one distance those with the smallest
// numbers are taken. Each pair is looked at once; the memory is O(n k), and 2 GiB at most for rows
// that are longer than a block of columns.
NearestRows nearest_rows(const CenteredRows<double>& X, index_t k, int threads, Control& control);

}  // namespace eigentropy
