#include "cpu/rows/max_norm.hpp"

#include <algorithm>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "cpu/simd/max_norm_kernels.hpp"

namespace eigentropy {
namespace {

constexpr index_t width = simd::max_norm_panel;

index_t panels_of(index_t rows) { return (rows + width - 1) / width; }

struct Rows {
  index_t begin, end;
};

// All rows in panels; a panel stores its rows column by column. One panel begins at row `first`, so
// the first panel may begin before row 0. Entries of rows that do not exist are 0 and are not used.
struct Panels {
  index_t before, count, n, first;
  index_t columns;
  Buffer<double> packed;

  Panels(MatrixView<const double> X, index_t first_row, int threads)
      : before(panels_of(first_row)),
        count(before + panels_of(X.rows - first_row)),
        n(X.rows),
        first(first_row),
        columns(X.cols),
        packed(count * width * X.cols) {
    parallel_for(count, threads, [&](index_t p, int) { pack(X, p); });
  }

  index_t start(index_t p) const { return first + (p - before) * width; }
  Rows rows(index_t p) const {
    return {std::max<index_t>(start(p), 0), std::min(start(p) + width, n)};
  }
  double* data(index_t p) const { return packed.data() + p * width * columns; }

 private:
  void pack(MatrixView<const double> X, index_t p) {
    std::fill_n(data(p), width * columns, 0.0);
    for (index_t i = rows(p).begin; i < rows(p).end; ++i) {
      const double* const row = X.row(i);
      double* const out = data(p) + (i - start(p));
      for (index_t c = 0; c < columns; ++c) out[c * width] = row[c];
    }
  }
};

// The distances between two panels, written to D and, where D has them, to their mirror images.
void raise_tile(const Panels& panels, index_t p, index_t q, index_t last, MatrixView<double> D) {
  alignas(64) double tile[width * width] = {};
  const Rows i = panels.rows(p), j = panels.rows(q);
  const index_t i0 = panels.start(p), j0 = panels.start(q);
  simd::active_kernels<simd::MaxNormKernels>().raise(panels.data(p), panels.data(q), panels.columns,
                                                     tile);
  const auto raise = [&](index_t row, index_t column, double distance) {
    double& entry = D.row(row - panels.first)[column];
    entry = std::max(entry, distance);
  };
  for (index_t a = i.begin; a < std::min(i.end, last); ++a) {
    for (index_t b = j.begin; b < j.end; ++b) raise(a, b, tile[(a - i0) * width + (b - j0)]);
  }
  if (q <= p) return;
  for (index_t b = j.begin; b < std::min(j.end, last); ++b) {
    for (index_t a = i.begin; a < std::min(i.end, last); ++a) {
      raise(b, a, tile[(a - i0) * width + (b - j0)]);
    }
  }
}

}  // namespace

void raise_to_max_distances(MatrixView<const double> X, index_t first, MatrixView<double> D,
                            int threads, Control& control) {
  const Panels panels(X, first, threads);
  const index_t last = first + D.rows;
  parallel_for(panels_of(D.rows), threads, [&](index_t strip, int) {
    control.check();
    const index_t p = panels.before + strip;
    for (index_t q = 0; q < panels.before; ++q) raise_tile(panels, p, q, last, D);
    for (index_t q = p; q < panels.count; ++q) raise_tile(panels, p, q, last, D);
  });
}

}  // namespace eigentropy
