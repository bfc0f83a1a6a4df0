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
// Two tiles of one row add to the same rows of Y. The columns of tiles are therefore dealt to a
// fixed number of groups, each with a sum of its own, and the columns of a group add in a fixed
// order (Pipeline), so that the result does not depend on the number of threads. A thread keeps to
// its group: a cache line that one core writes and another core reads takes long to be written
// again. While one thread factors the panel, the others update the tiles that they will multiply
// first.
#include "cpu/eigen/band_reduction.hpp"

#include <algorithm>
#include <atomic>
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

// Cuts rows first .. last into blocks whose height is a multiple of every panel's height. The first
// block may be lower: the others keep their rows while the reduction goes on. A large block's tile,
// with its rows of V and Y, fills the second-level cache. Small blocks keep several threads busy
// when few rows are left.
struct Blocks {
  static constexpr index_t largest = 192;
  static constexpr index_t smallest = 48;

  Blocks(index_t first, index_t last)
      : first_row(first), last_row(last), step(step_of(last - first)) {}
  index_t first_row, last_row, step;

  index_t count() const { return (last_row - first_row + step - 1) / step; }
  index_t begin(index_t i) const { return i == 0 ? first_row : last_row - (count() - i) * step; }
  index_t size(index_t i) const { return begin(i + 1) - begin(i); }

  static index_t step_of(index_t rows) {
    return rows >= 2048 ? largest : rows >= 512 ? 2 * smallest : smallest;
  }
};

// The columns of tiles are dealt to this many groups, whose products are summed apart. So two
// threads need not wait for each other, whereas threads that share a group do.
constexpr index_t groups = 2;

}  // namespace

template <class T>
struct BandReducer<T>::Work {
  Work(index_t n, index_t band_width, int thread_count);

  index_t width;
  int threads;
  Buffer<T> V, Y;         // reflectors, and their product with A for each group of columns
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
    if (reducible(0)) sweep(0, false);
    for (index_t k = 0; reducible(k); k += width_) {
      combine(k);
      const index_t rest = k + 2 * width_;
      if (reducible(k + width_)) {
        sweep(k + width_, true);
      } else if (rest < n_) {
        update_tile({rest, n_}, 0, 0);
      }
      const double left = static_cast<double>(n_ - rest) / static_cast<double>(n_);
      control_.set_progress(to - (to - from) * std::max(0.0, left * left * left));
    }
    copy_diagonal_blocks();
  }

 private:
  bool reducible(index_t k) const { return n_ - k - width_ >= 2; }
  T* V(index_t row) const { return work_.V.data() + row * width_; }
  T* Y(index_t group, index_t row) const { return work_.Y.data() + (group * n_ + row) * width_; }
  T* inner(index_t block) const { return work_.inner.data() + block * width_ * width_; }

  // The panel of columns k .. k + width - 1: P = Q R; keeps V and T, and puts R into the band.
  void factor_panel(index_t k) {
    const index_t first = k + width_;
    work_.panel_qr.factor(n_ - first, A_.at(first, k), A_.stride, V(first), work_.factor.data(),
                          band_.column(k) + width_, band_.stride - 1);
  }

  // visit(col, group, worker) for each column of tiles. A thread returns to the columns of the
  // group that it had in the loop before, and may have in its cache, and then helps with the
  // others. There are as many parts as threads, and first(part) runs at the start of each.
  template <class First, class Visit>
  void for_each_column(const Blocks& blocks, const First& first, const Visit& visit) {
    for (std::atomic<index_t>& next : next_) next.store(0, std::memory_order_relaxed);
    team_.for_each(work_.threads, [&](index_t part, int worker) {
      first(part);
      for (index_t turn = 0; turn < groups; ++turn) {
        const index_t group = (worker + turn) % groups;
        for (index_t col; (col = next_column(blocks, group)) != none;) visit(col, group, worker);
      }
    });
  }

  // A column that no thread has begun, or none. The groups are counted from the last column, so
  // that a column stays in its group.
  index_t next_column(const Blocks& blocks, index_t group) {
    const index_t first = (blocks.count() + group) % groups;
    const index_t turn = next_[group].fetch_add(1, std::memory_order_relaxed);
    const index_t col = first + turn * groups;
    return col < blocks.count() ? col : none;
  }

  // Factors the panel at column k, updates the rest of A if that is wanted, and computes Y = A V,
  // and V^T Y as one part for each column of tiles.
  void sweep(index_t k, bool update) {
    const Blocks blocks(k + width_, n_);
    Pipeline& pipeline = work_.pipeline;
    pipeline.restart(blocks.count() + 1);
    if (blocks.count() < groups) {  // a group has no column
      std::fill_n(work_.Y.data(), groups * n_ * width_, T(0));
    }
    for_each_column(
        blocks,
        [&](index_t part) {
          if (part != 0) return;
          stopping_on_failure([&] { factor_panel(k); });
          pipeline.finish(blocks.count());
        },
        [&](index_t col, index_t group, int worker) {
          stopping_on_failure([&] { sweep_column(blocks, col, update, group, worker); });
        });
  }

  // The other threads wait for what a thread that fails was to finish.
  template <class Function>
  void stopping_on_failure(const Function& work) {
    try {
      work();
    } catch (...) {
      work_.pipeline.stop();
      throw;
    }
  }

  // While another thread factors the panel, this one updates the tiles that it will multiply first.
  void sweep_column(const Blocks& blocks, index_t col, bool update, index_t group, int worker) {
    Pipeline& pipeline = work_.pipeline;
    index_t updated = update ? col : blocks.count();
    for (; updated < blocks.count() && !pipeline.finished(blocks.count()); ++updated) {
      update_tile(blocks, updated, col);
    }
    pipeline.wait(blocks.count(), 1, control_);
    if (col < groups) {
      std::fill_n(Y(group, blocks.first_row), (n_ - blocks.first_row) * width_, T(0));
    }
    index_t ready = col < groups ? std::numeric_limits<index_t>::max() : 0;
    for (index_t row = col; row < blocks.count(); ++row) {
      control_.check();
      if (row >= updated) update_tile(blocks, row, col);
      // Columns of a group add to a row of Y in order: the column before must have finished this
      // row.
      const index_t step = row - col + 1;
      if (ready < step + groups) ready = pipeline.wait(col - groups, step + groups, control_);
      multiply_tile(blocks, row, col, group, worker);
      pipeline.advance(col, step);
    }
    pipeline.finish(col);
    // No later column of the group adds to these rows.
    const index_t begin = blocks.begin(col);
    const index_t end = blocks.begin(std::min(col + groups, blocks.count()));
    std::fill_n(inner(col), width_ * width_, T(0));
    kernels_.multiply(width_, end - begin, width_, V(begin), 1, width_, Y(group, begin),
                      inner(col));
  }

  // A tile of the lower triangle also stands for its mirror image.
  void multiply_tile(const Blocks& blocks, index_t row, index_t col, index_t group,
                     int worker) const {
    const index_t i = blocks.begin(row), rows = blocks.size(row);
    const index_t j = blocks.begin(col), cols = blocks.size(col);
    if (row == col) {
      const T* square = whole_square({A_.at(i, i), A_.stride}, rows, worker);
      kernels_.multiply(rows, rows, width_, square, 1, rows, V(i), Y(group, i));
      return;
    }
    kernels_.multiply(rows, cols, width_, A_.at(i, j), 1, A_.stride, V(j), Y(group, i));
    kernels_.multiply(cols, rows, width_, A_.at(i, j), A_.stride, 1, V(i), Y(group, j));
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
  // the next panel.
  void combine(index_t k) {
    const index_t next = k + width_, rest = std::min(next + width_, n_);
    small_factors(Blocks(next, n_).count());
    T* const top_left = work_.top.data();
    T* const top_right = top_left + 2 * (width_ + kernels_.panel_rows) * width_;
    combine_rows(next, rest - next, top_left, top_right, 0);
    kernels_.update(rest - next, rest - next, 2 * width_, top_left, top_right, A_.at(next, next),
                    A_.stride);
    const Blocks blocks(rest, n_);
    const auto nothing = [](index_t) {};
    for_each_column(blocks, nothing, [&](index_t block, index_t, int worker) {
      control_.check();
      const index_t begin = blocks.begin(block), rows = blocks.size(block);
      T* const left = panel(work_.left, blocks, block);
      combine_rows(begin, rows, left, panel(work_.right, blocks, block), worker);
      kernels_.update(rows, rest - next, 2 * width_, left, top_right, A_.at(begin, next),
                      A_.stride);
    });
  }

  T* panel(const Buffer<T>& panels, const Blocks& blocks, index_t block, index_t row = 0) const {
    return panels.data() + 2 * (block * blocks.step + row) * width_;
  }

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
    T* const y = Y(0, begin);
    for (index_t group = 1; group < groups; ++group) {
      const T* const more = Y(group, begin);
      for (index_t i = 0; i < rows * width_; ++i) y[i] += more[i];
    }
    T* const w = work_.W.data() + worker * Blocks::largest * width_;
    std::fill_n(w, rows * width_, T(0));
    kernels_.multiply(rows, width_, width_, y, width_, 1, work_.factor.data(), w);
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
  void update_tile(const Blocks& blocks, index_t row, index_t col) const {
    const index_t i = blocks.begin(row), rows = blocks.size(row);
    const index_t j = blocks.begin(col), cols = blocks.size(col);
    const index_t strip = row == col ? std::lcm(kernels_.panel_rows, kernels_.panel_cols) : cols;
    for (index_t done = 0; done < cols; done += strip) {
      const index_t above = row == col ? done : 0;
      kernels_.update(rows - above, std::min(strip, cols - done), 2 * width_,
                      panel(work_.left, blocks, row, above), panel(work_.right, blocks, col, done),
                      A_.at(i + above, j + done), A_.stride);
    }
  }

  void copy_diagonal_blocks() {
    for (index_t k = 0, end = 0; end < n_; k = end) {
      end = reducible(k) ? k + width_ : n_;
      for (index_t j = k; j < end; ++j) std::copy_n(A_.at(j, j), end - j, band_.column(j));
    }
  }

  static constexpr index_t none = -1;

  Control& control_;
  const simd::ProductKernels<T>& kernels_ = simd::product_kernels<T>();
  index_t n_, width_;
  ThreadTeam team_;
  Columns<T> A_;
  BandView<T> band_;
  Work& work_;
  std::atomic<index_t> next_[groups];  // how many columns of each group were begun
};

}  // namespace

template <class T>
BandReducer<T>::Work::Work(index_t n, index_t band_width, int thread_count)
    : width(band_width),
      threads(std::max(1, thread_count)),
      V(n * width),
      Y(groups * n * width),
      left(2 * (n + Blocks::largest) * width),
      right(2 * (n + Blocks::largest) * width),
      top(4 * (width + simd::product_kernels<T>().panel_rows) * width),
      W(threads * Blocks::largest * width),
      squares(threads * Blocks::largest * Blocks::largest),
      factor(width * width),
      S(width * width),
      inner((n / Blocks::smallest + 2) * width * width),
      panel_qr(width),
      pipeline(n / Blocks::smallest + 2) {}

template <class T>
BandReducer<T>::BandReducer(index_t max_n, index_t width, int threads) {
  if (width % 16 != 0 || width > 2 * Blocks::smallest) {
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
