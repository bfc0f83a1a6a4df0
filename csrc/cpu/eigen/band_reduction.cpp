// Dense to band by blocked Householder transformations (Bischof, Lang, Sun: A framework for
// symmetric band reduction, ACM TOMS 26, 2000).
//
// One step takes the b columns of a panel P below the band and factors P = Q R, Q = I - V T V^T.
// R joins the band, and the rest A of the matrix becomes
//
//     Q^T A Q = A - V W^T - W V^T,   W = Y T - 1/2 V (T^T V^T Y T),   Y = A V
//
// Half of the work is the product A V, the other half is the update. If one followed the other,
// each would read the whole matrix from memory. Instead the next panel is updated and factored
// first. Then each tile is updated and, while it is in cache, multiplied with the new V, for its
// row block and for its column block. So each step reads the matrix once, and only its lower
// triangle.
//
// Two tiles of one row add to the same rows of Y. Threads therefore process columns of tiles in a
// fixed order (Pipeline), and the result does not depend on the number of threads. While one thread
// factors the panel, the others update the first tiles.
#include "cpu/eigen/band_reduction.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "base/pipeline.hpp"
#include "base/threads.hpp"
#include "cpu/eigen/panel_qr.hpp"
#include "cpu/simd/product_kernels.hpp"

namespace eigentropy {
namespace {

// Column-major: the rows of the upper triangle are the columns of the lower one.
template <class T>
struct Columns {
  T* data;
  index_t stride;

  T* at(index_t row, index_t col) const { return data + col * stride + row; }
};

// Cuts rows begin .. end into blocks whose height is a multiple of every panel's height. A large
// block's tile, with its rows of V and Y, fills the second-level cache. Small blocks keep several
// threads busy when few rows are left.
struct Blocks {
  static constexpr index_t largest = 192;
  static constexpr index_t smallest = 96;

  Blocks(index_t first, index_t last)
      : first_row(first), last_row(last), step(last - first >= 2048 ? largest : smallest) {}
  index_t first_row, last_row, step;

  index_t count() const { return (last_row - first_row + step - 1) / step; }
  index_t begin(index_t i) const { return first_row + i * step; }
  index_t size(index_t i) const { return std::min(step, last_row - begin(i)); }
  // Tiles of the lower triangle, column by column.
  index_t tiles() const { return count() * (count() + 1) / 2; }
  index_t tile(index_t row, index_t col) const {
    return col * count() - col * (col - 1) / 2 + (row - col);
  }
};

}  // namespace

template <class T>
struct BandReducer<T>::Work {
  Work(index_t n, index_t band_width, int thread_count);

  index_t width;
  int threads;
  Buffer<T> V, Y;         // reflectors and their product with A; a row for each row of A
  Buffer<T> left, right;  // [V W] and [W V], packed
  Buffer<T> top;          // the same for the rows of the next panel
  Buffer<T> W;            // a block of rows for each thread
  Buffer<T> squares;      // a diagonal block for each thread
  Buffer<T> factor, S, inner;
  PanelQr<T> panel_qr;
  Pipeline pipeline;
};

namespace {

// All rows and columns are numbered as in A.
template <class T, class Work>
class BandReduction {
 public:
  BandReduction(SymmetricView<T> A, BandView<T> band, Work& work, Control& control)
      : control_(control),
        n_(A.n),
        width_(band.width),
        team_(work.threads),
        A_{A.data, A.stride},
        band_(band),
        work_(work) {}

  void run(double from, double to) {
    if (reducible(0)) {
      std::fill_n(Y(0), n_ * width_, T(0));
      factor_panel(0);
      sweep(width_, Sweep::multiply_only);
    }
    for (index_t k = 0; reducible(k); k += width_) {
      combine(k);
      const index_t rest = k + 2 * width_;
      if (reducible(k + width_)) {
        sweep(rest, factor_and_update(k + width_));
      } else if (rest < n_) {
        update_tile(rest, {rest, n_}, 0, 0);
      }
      const double left = static_cast<double>(n_ - rest) / static_cast<double>(n_);
      control_.set_progress(to - (to - from) * std::max(0.0, left * left * left));
    }
    copy_diagonal_blocks();
  }

 private:
  bool reducible(index_t k) const { return n_ - k - width_ >= 2; }
  T* V(index_t row) const { return work_.V.data() + row * width_; }
  T* Y(index_t row) const { return work_.Y.data() + row * width_; }
  T* inner(index_t block) const { return work_.inner.data() + block * width_ * width_; }

  // The panel of columns k .. k + width - 1: P = Q R; keeps V and T, and puts R into the band.
  void factor_panel(index_t k) {
    const index_t first = k + width_;
    work_.panel_qr.factor(n_ - first, A_.at(first, k), A_.stride, V(first), work_.factor.data(),
                          band_.column(k) + width_, band_.stride - 1);
  }

  // Factors the panel at column k on one thread. Meanwhile the other threads update as many tiles
  // as take about as long. Returns the number of these tiles.
  index_t factor_and_update(index_t k) {
    const index_t rest = k + width_;
    const Blocks blocks(rest, n_);
    const index_t area = updated_columns * width_ * (n_ - rest) * (work_.threads - 1);
    const index_t ahead = std::min(area / (blocks.step * blocks.step), blocks.tiles());
    team_.for_each(1 + ahead, [&](index_t task, int) {
      if (task == 0) return factor_panel(k);
      index_t col = 0;
      while (blocks.tile(col + 1, col + 1) <= task - 1) ++col;
      update_tile(rest, blocks, col + (task - 1 - blocks.tile(col, col)), col);
    });
    return ahead;
  }

  enum Sweep : index_t { multiply_only = std::numeric_limits<index_t>::max() };

  // Updates the remaining tiles of A, and computes Y = A V, and V^T Y as one part for each block of
  // rows.
  void sweep(index_t rest, index_t updated) {
    const Blocks blocks(rest, n_);
    Pipeline& pipeline = work_.pipeline;
    pipeline.restart(blocks.count());
    team_.for_each(blocks.count(), [&](index_t col, int worker) {
      try {
        sweep_column(blocks, col, updated, worker);
      } catch (...) {
        pipeline.stop();
        throw;
      }
    });
  }

  void sweep_column(const Blocks& blocks, index_t col, index_t updated, int worker) {
    index_t ready = col == 0 ? std::numeric_limits<index_t>::max() : 0;
    for (index_t row = col; row < blocks.count(); ++row) {
      control_.check();
      if (blocks.tile(row, col) >= updated) update_tile(blocks.first_row, blocks, row, col);
      // Columns of tiles add to a row of Y in order: the column before must have finished this row.
      const index_t step = row - col + 1;
      if (ready < step + 1) ready = work_.pipeline.wait(col - 1, step + 1, control_);
      multiply_tile(blocks, row, col, worker);
      work_.pipeline.advance(col, step);
    }
    work_.pipeline.finish(col);
    const index_t begin = blocks.begin(col);
    std::fill_n(inner(col), width_ * width_, T(0));
    kernels_.multiply(width_, blocks.size(col), width_, V(begin), 1, width_, Y(begin), inner(col));
  }

  // A tile of the lower triangle also stands for its mirror image.
  void multiply_tile(const Blocks& blocks, index_t row, index_t col, int worker) const {
    const index_t i = blocks.begin(row), rows = blocks.size(row);
    const index_t j = blocks.begin(col), cols = blocks.size(col);
    if (row == col) {
      const T* square = whole_square({A_.at(i, i), A_.stride}, rows, worker);
      kernels_.multiply(rows, rows, width_, square, 1, rows, V(i), Y(i));
      return;
    }
    kernels_.multiply(rows, cols, width_, A_.at(i, j), 1, A_.stride, V(j), Y(i));
    kernels_.multiply(cols, rows, width_, A_.at(i, j), A_.stride, 1, V(i), Y(j));
  }

  // Copies a diagonal block, of which A stores the lower triangle, to both triangles.
  const T* whole_square(Columns<T> block, index_t rows, int worker) const {
    T* square = work_.squares.data() + worker * Blocks::largest * Blocks::largest;
    for (index_t j = 0; j < rows; ++j) std::copy_n(block.at(j, j), rows - j, square + j * rows + j);
    constexpr index_t step = 16;  // rows and columns that stay in the first-level cache
    for (index_t first = 0; first < rows; first += step) {
      for (index_t j = 0; j < std::min(first + step, rows); ++j) {
        const index_t end = std::min(first + step, rows);
        for (index_t i = std::max(first, j + 1); i < end; ++i) {
          square[i * rows + j] = square[j * rows + i];
        }
      }
    }
    return square;
  }

  // Computes W for the step whose panel begins at column k, packs it for the update, and updates
  // the next panel. Sets Y to 0 where the next step adds to it.
  void combine(index_t k) {
    const index_t next = k + width_, rest = std::min(next + width_, n_);
    small_factors(Blocks(next, n_).count());
    T* const top_left = work_.top.data();
    T* const top_right = top_left + 2 * (width_ + kernels_.panel_rows) * width_;
    combine_rows(next, rest - next, top_left, top_right, 0);
    kernels_.update(rest - next, rest - next, 2 * width_, top_left, top_right, A_.at(next, next),
                    A_.stride);
    const Blocks blocks(rest, n_);
    team_.for_each(blocks.count(), [&](index_t block, int worker) {
      control_.check();
      const index_t begin = blocks.begin(block), rows = blocks.size(block);
      T* const left = panel(work_.left, begin - rest);
      combine_rows(begin, rows, left, panel(work_.right, begin - rest), worker);
      kernels_.update(rows, rest - next, 2 * width_, left, top_right, A_.at(begin, next),
                      A_.stride);
      std::fill_n(Y(begin), rows * width_, T(0));
    });
  }

  T* panel(const Buffer<T>& panels, index_t row) const { return panels.data() + 2 * row * width_; }

  // S = -1/2 T^T (V^T Y) T
  void small_factors(index_t blocks) {
    for (index_t block = 1; block < blocks; ++block) {
      for (index_t i = 0; i < width_ * width_; ++i) inner(0)[i] += inner(block)[i];
    }
    T* const half = inner(1);  // the parts are no longer needed
    T* const S = work_.S.data();
    std::fill_n(half, width_ * width_, T(0));
    std::fill_n(S, width_ * width_, T(0));
    const T* const factor = work_.factor.data();
    kernels_.multiply(width_, width_, width_, inner(0), width_, 1, factor, half);
    kernels_.multiply(width_, width_, width_, factor, 1, width_, half, S);
    for (index_t i = 0; i < width_ * width_; ++i) S[i] *= T(-0.5);
  }

  // W = Y T + V S for some rows; [V W] and [W V] into panels.
  void combine_rows(index_t begin, index_t rows, T* left, T* right, int worker) const {
    T* const w = work_.W.data() + worker * Blocks::largest * width_;
    std::fill_n(w, rows * width_, T(0));
    kernels_.multiply(rows, width_, width_, Y(begin), width_, 1, work_.factor.data(), w);
    kernels_.multiply(rows, width_, width_, V(begin), width_, 1, work_.S.data(), w);
    pack_panels(rows, kernels_.panel_rows, V(begin), w, left);
    pack_panels(rows, kernels_.panel_cols, w, V(begin), right);
  }

  void pack_panels(index_t rows, index_t height, const T* first, const T* second, T* out) const {
    for (index_t i = 0; i < rows; i += height) {
      kernels_.pack(std::min(height, rows - i), height, width_, first + i * width_,
                    second + i * width_, out + 2 * i * width_);
    }
  }

  // A <- A - [V W] [W V]^T on one tile. Of a diagonal tile, only register blocks that reach below
  // the diagonal are updated; what these write above the diagonal is never read.
  void update_tile(index_t rest, const Blocks& blocks, index_t row, index_t col) const {
    const index_t i = blocks.begin(row), rows = blocks.size(row);
    if (row != col) return update_block(rest, i, rows, blocks.begin(col), blocks.size(col));
    const index_t strip = std::lcm(kernels_.panel_rows, kernels_.panel_cols);
    for (index_t done = 0; done < rows; done += strip) {
      update_block(rest, i + done, rows - done, i + done, std::min(strip, rows - done));
    }
  }

  void update_block(index_t rest, index_t i, index_t rows, index_t j, index_t cols) const {
    kernels_.update(rows, cols, 2 * width_, panel(work_.left, i - rest),
                    panel(work_.right, j - rest), A_.at(i, j), A_.stride);
  }

  void copy_diagonal_blocks() {
    for (index_t k = 0, end = 0; end < n_; k = end) {
      end = reducible(k) ? k + width_ : n_;
      for (index_t j = k; j < end; ++j) std::copy_n(A_.at(j, j), end - j, band_.column(j));
    }
  }

  // Updating this many times `width` columns takes a thread as long as factoring a panel.
  static constexpr index_t updated_columns = 4;

  Control& control_;
  const simd::ProductKernels<T>& kernels_ = simd::product_kernels<T>();
  index_t n_, width_;
  ThreadTeam team_;
  Columns<T> A_;
  BandView<T> band_;
  Work& work_;
};

}  // namespace

template <class T>
BandReducer<T>::Work::Work(index_t n, index_t band_width, int thread_count)
    : width(band_width),
      threads(std::max(1, thread_count)),
      V(n * width),
      Y(n * width),
      left(2 * (n + simd::product_kernels<T>().panel_rows) * width),
      right(2 * (n + simd::product_kernels<T>().panel_cols) * width),
      top(4 * (width + simd::product_kernels<T>().panel_rows) * width),
      W(threads * Blocks::largest * width),
      squares(threads * Blocks::largest * Blocks::largest),
      factor(width * width),
      S(width * width),
      inner((n / Blocks::smallest + 2) * width * width),
      panel_qr(width),
      pipeline(n / Blocks::smallest + 1) {}

template <class T>
BandReducer<T>::BandReducer(index_t max_n, index_t width, int threads) {
  if (width % 16 != 0 || width > Blocks::smallest) {
    throw std::invalid_argument("the width of the band: whole vectors, and no wider than a block");
  }
  work_ = std::make_unique<Work>(max_n, width, threads);
}

template <class T>
BandReducer<T>::~BandReducer() = default;

template <class T>
void BandReducer<T>::reduce(SymmetricView<T> A, BandView<T> band, Control& control, double from,
                            double to) {
  if (band.width != work_->width) throw std::invalid_argument("a band of another width");
  BandReduction<T, Work>(A, band, *work_, control).run(from, to);
}

template class BandReducer<float>;
template class BandReducer<double>;

}  // namespace eigentropy
