// Dense to band by blocked Householder transformations (Bischof, Lang, Sun: A framework for
// symmetric band reduction, ACM TOMS 26, 2000).
//
// One step takes the b columns of a panel P below the band and factors P = Q R, Q = I - V T V^T.
// R joins the band, and the rest A of the matrix becomes
//
//     Q^T A Q = A - V W^T - W V^T,   W = A V T - 1/2 V (T^T V^T A V T)
//
// Half of the work is the product A V, half the update; both run on kernels of our own, divided
// into tasks of rows and tiles that do not depend on the number of threads. The panel of the next
// step is updated first, so that one thread factors it while the others go on with the update: the
// factorisation, the one part that is not a large product, is hidden.
#include "core/band_reduction.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/buffer.hpp"
#include "core/errors.hpp"
#include "core/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/simd/product_kernels.hpp"

namespace eigentropy {
namespace {

// Column-major matrix, as BLAS wants it.
template <class T>
struct Columns {
  T* data;
  index_t stride;

  T* at(index_t row, index_t col) const { return data + col * stride + row; }
  int ld() const { return blas::to_blas(stride); }
};

// Rows cut into blocks of a multiple of every height of a panel. Long blocks reuse more of what is
// in cache; short ones keep several threads busy once little is left.
struct Blocks {
  static constexpr index_t largest = 240;
  static constexpr index_t smallest = 96;

  explicit Blocks(index_t rows) : total(rows), step(rows >= 2048 ? largest : smallest) {}
  index_t total, step;

  index_t count() const { return (total + step - 1) / step; }
  index_t begin(index_t i) const { return i * step; }
  index_t size(index_t i) const { return std::min(step, total - i * step); }
};

// Rows of V, W and Y = A V lie in memory one after the other, `width` entries each; reflectors that
// the last panel lacks are zero.
template <class T>
class BandReduction {
 public:
  BandReduction(SymmetricView<T> A, BandView<T> band, int threads, Control& control)
      : control_(control),
        n_(A.n),
        width_(band.width),
        threads_(threads),
        A_{A.data, A.stride},
        band_(band),
        V_(n_ * width_),
        next_V_(n_ * width_),
        W_(n_ * width_),
        Y_(n_ * width_),
        left_panels_(2 * (n_ + kernels_.panel_rows) * width_),
        right_panels_(2 * (n_ + kernels_.panel_cols) * width_),
        T_(width_ * width_),
        next_T_(width_ * width_),
        S_(width_ * width_),
        inner_((n_ / Blocks::smallest + 2) * width_ * width_),
        squares_(threads * Blocks::largest * Blocks::largest) {}

  void run(double from, double to) {
    const SingleThreadedBlas one_thread;
    if (reducible(0)) factor_panel(0);
    for (index_t k = 0; reducible(k); k += width_) {
      std::swap(V_, next_V_);
      std::swap(T_, next_T_);
      multiply(k);
      combine(k);
      update(k);
      const double left = static_cast<double>(rest(k)) / static_cast<double>(n_);
      control_.set_progress(to - (to - from) * left * left * left);
    }
    copy_diagonal_blocks();
  }

 private:
  // The order of the matrix that is left below and right of the panel that starts at column k.
  index_t rest(index_t k) const { return n_ - k - width_; }
  bool reducible(index_t k) const { return rest(k) >= 2; }
  Columns<T> left_matrix(index_t k) const { return {A_.at(k + width_, k + width_), A_.stride}; }
  int width() const { return blas::to_blas(width_); }
  T* inner(index_t task) const { return inner_.data() + task * width_ * width_; }

  // P = Q R; keeps V and T for the next step, and puts R into the band.
  void factor_panel(index_t k) {
    const index_t m = rest(k);
    const Columns<T> panel{A_.at(k + width_, k), A_.stride};
    std::fill(next_T_.begin(), next_T_.end(), T(0));
    if (m >= width_) {
      check_info("geqrt3", blas::geqrt3(blas::to_blas(m), width(), panel.data, panel.ld(),
                                        next_T_.data(), width()));
    } else {
      factor_wide_panel(panel, m);
    }
    for (index_t j = 0; j < width_; ++j) {
      std::copy_n(panel.at(0, j), std::min(j + 1, m), band_.column(k + j) + (width_ - j));
    }
    for (index_t i = 0; i < m; ++i) {
      T* v = next_V_.data() + i * width_;
      for (index_t j = 0; j < width_; ++j) v[j] = i > j ? *panel.at(i, j) : T(i == j);
    }
  }

  // geqrt3 wants no fewer rows than columns.
  void factor_wide_panel(Columns<T> panel, index_t m) {
    const int rows = blas::to_blas(m);
    Buffer<T> tau(m), work(64 * width_);
    check_info("geqrf", blas::geqrf(rows, width(), panel.data, panel.ld(), tau.data(), work.data(),
                                    blas::to_blas(work.size())));
    blas::larft('F', 'C', rows, rows, panel.data, panel.ld(), tau.data(), next_T_.data(), width());
  }

  // Y = A V, and V^T Y in one part for each block of rows. The lower triangle of A is read from
  // both sides, so that each task owns its rows of Y.
  void multiply(index_t k) {
    const Blocks blocks(rest(k));
    const Columns<T> A = left_matrix(k);
    parallel_for(blocks.count(), threads_, [&](index_t task, int worker) {
      control_.check();
      const index_t begin = blocks.begin(task), rows = blocks.size(task), end = begin + rows;
      T* y = Y_.data() + begin * width_;
      const T* v = V_.data() + begin * width_;
      std::fill_n(y, rows * width_, T(0));
      kernels_.multiply(rows, begin, width_, A.at(begin, 0), 1, A.stride, V_.data(), y);
      const T* square = whole_square({A.at(begin, begin), A.stride}, rows, worker);
      kernels_.multiply(rows, rows, width_, square, 1, rows, v, y);
      kernels_.multiply(rows, blocks.total - end, width_, A.at(end, begin), A.stride, 1,
                        V_.data() + end * width_, y);
      // Rows in memory are columns to BLAS: V^T Y.
      blas::gemm('N', 'T', width(), width(), blas::to_blas(rows), T(1), v, width(), y, width(),
                 T(0), inner(task), width());
    });
  }

  // Both triangles of a diagonal block of which A has the lower one.
  const T* whole_square(Columns<T> block, index_t rows, int worker) const {
    T* square = squares_.data() + worker * Blocks::largest * Blocks::largest;
    for (index_t j = 0; j < rows; ++j) {
      for (index_t i = j; i < rows; ++i) {
        square[j * rows + i] = square[i * rows + j] = *block.at(i, j);
      }
    }
    return square;
  }

  // W = Y T - V S with S = 1/2 T^T (V^T Y) T, and the panels that the update reads.
  void combine(index_t k) {
    const Blocks blocks(rest(k));
    sum_inner_products(blocks.count());
    T* half = inner(1);  // inner(0) holds the sum; the others are free
    blas::gemm('N', 'N', width(), width(), width(), T(0.5), inner(0), width(), T_.data(), width(),
               T(0), half, width());
    blas::gemm('T', 'N', width(), width(), width(), T(1), T_.data(), width(), half, width(), T(0),
               S_.data(), width());
    parallel_for(blocks.count(), threads_, [&](index_t task, int) {
      const index_t begin = blocks.begin(task);
      const int rows = blas::to_blas(blocks.size(task));
      T* w = W_.data() + begin * width_;
      blas::gemm('T', 'N', width(), rows, width(), T(1), T_.data(), width(),
                 Y_.data() + begin * width_, width(), T(0), w, width());
      blas::gemm('T', 'N', width(), rows, width(), T(-1), S_.data(), width(),
                 V_.data() + begin * width_, width(), T(1), w, width());
      pack_panels(begin, blocks.size(task), kernels_.panel_rows, V_, W_, left_panels_);
      pack_panels(begin, blocks.size(task), kernels_.panel_cols, W_, V_, right_panels_);
    });
  }

  void sum_inner_products(index_t count) {
    for (index_t task = 1; task < count; ++task) {
      for (index_t i = 0; i < width_ * width_; ++i) inner(0)[i] += inner(task)[i];
    }
  }

  void pack_panels(index_t begin, index_t rows, index_t height, const Buffer<T>& first,
                   const Buffer<T>& second, Buffer<T>& panels) const {
    for (index_t i = 0; i < rows; i += height) {
      const index_t row = begin + i;
      kernels_.pack(std::min(height, rows - i), height, width_, first.data() + row * width_,
                    second.data() + row * width_, panels.data() + row * 2 * width_);
    }
  }

  // A <- A - [V W] [W V]^T: the columns of the next panel first, then the rest while one thread
  // factors that panel.
  void update(index_t k) {
    const index_t m = rest(k), next = std::min(width_, m);
    const Blocks rows(m), columns(m - next);
    parallel_for(rows.count(), threads_, [&](index_t task, int) {
      update_tile(k, rows.begin(task), rows.size(task), 0, next);
    });
    const index_t factoring = reducible(k + width_) ? 1 : 0;
    const std::vector<TileIndex> tiles = lower_tiles(rows, columns, next);
    parallel_for(static_cast<index_t>(tiles.size()) + factoring, threads_, [&](index_t i, int) {
      if (i < factoring) {
        factor_panel(k + width_);
        return;
      }
      const auto [row, col] = tiles[static_cast<std::size_t>(i - factoring)];
      update_tile(k, rows.begin(row), rows.size(row), next + columns.begin(col), columns.size(col));
    });
  }

  struct TileIndex {
    index_t row, col;
  };

  // The tiles that reach below the diagonal. What they write above it is never read.
  static std::vector<TileIndex> lower_tiles(const Blocks& rows, const Blocks& columns,
                                            index_t first_column) {
    std::vector<TileIndex> tiles;
    for (index_t col = 0; col < columns.count(); ++col) {
      for (index_t row = 0; row < rows.count(); ++row) {
        if (rows.begin(row) + rows.size(row) > first_column + columns.begin(col)) {
          tiles.push_back({row, col});
        }
      }
    }
    return tiles;
  }

  void update_tile(index_t k, index_t row, index_t rows, index_t col, index_t cols) const {
    control_.check();
    kernels_.update(rows, cols, 2 * width_, left_panels_.data() + row * 2 * width_,
                    right_panels_.data() + col * 2 * width_, left_matrix(k).at(row, col),
                    A_.stride);
  }

  void copy_diagonal_blocks() {
    for (index_t k = 0, end = 0; end < n_; k = end) {
      end = reducible(k) ? k + width_ : n_;
      for (index_t j = k; j < end; ++j) std::copy_n(A_.at(j, j), end - j, band_.column(j));
    }
  }

  Control& control_;
  const simd::ProductKernels<T>& kernels_ = simd::product_kernels<T>();
  index_t n_, width_;
  int threads_;
  Columns<T> A_;
  BandView<T> band_;
  Buffer<T> V_, next_V_, W_, Y_;
  Buffer<T> left_panels_, right_panels_;  // [V W] and [W V], packed
  Buffer<T> T_, next_T_, S_;
  Buffer<T> inner_;    // V^T Y, a part for each task
  Buffer<T> squares_;  // diagonal blocks, one for each thread
};

}  // namespace

template <class T>
void reduce_to_band(SymmetricView<T> A, BandView<T> band, int threads, Control& control,
                    double from, double to) {
  if (band.width % 16 != 0) throw std::invalid_argument("the width of the band: not whole vectors");
  BandReduction<T>(A, band, threads, control).run(from, to);
}

template void reduce_to_band(SymmetricView<float>, BandView<float>, int, Control&, double, double);
template void reduce_to_band(SymmetricView<double>, BandView<double>, int, Control&, double,
                             double);

}  // namespace eigentropy
