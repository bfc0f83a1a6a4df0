#include "cpu/operator/kernel_operator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/gaussian.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/kernel/row_strips.hpp"
#include "cpu/operator/symmetric_sweep.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/simd/gaussian_kernels.hpp"

namespace eigentropy {
namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

index_t tile_blocks(index_t n) { return (n + sweep_tile - 1) / sweep_tile; }

// How many rows are in memory at a time: all, or a whole number of tiles such that two stretches
// fit.
template <class T>
index_t stretch_length(index_t n, index_t d, double memory_limit) {
  const double row = static_cast<double>(d) * sizeof(T);
  if (row * static_cast<double>(padded_rows(n)) <= memory_limit) return n;
  const auto tiles = static_cast<index_t>(memory_limit / (2.0 * row * sweep_tile));
  return std::max<index_t>(1, tiles) * sweep_tile;
}

// visit(rows, cols) for the pairs of stretches that make up the upper triangle.
template <class Visit>
void for_each_pair(index_t n, index_t length, const Visit& visit) {
  for (index_t i = 0; i < n; i += length) {
    for (index_t j = i; j < n; j += length) {
      visit(Stretch{i, std::min(n, i + length)}, Stretch{j, std::min(n, j + length)});
    }
  }
}

}  // namespace

// Tiles of G, computed from rows in memory or read from the kept matrix.
template <class T>
class KernelOperator<T>::Tiles final : public TileSource<T> {
 public:
  // in_cache: a kept tile is copied first. Memory delivers a tile faster in one sequential copy
  // than to a product that reads several of its rows at a time. frobenius2: also sum the squares of
  // s_i G_ij s_j.
  Tiles(const KernelOperator& A, bool in_cache, bool frobenius2) : A_(A), in_cache_(in_cache) {
    if (!frobenius2) return;
    s_ = Buffer<T>(padded_rows(A.n()));
    std::fill(s_.begin(), s_.end(), T(0));
    std::transform(A.s_.begin(), A.s_.end(), s_.begin(),
                   [](double x) { return static_cast<T>(x); });
    squares_ = Buffer<double>(tile_blocks(A.n()));
    std::fill(squares_.begin(), squares_.end(), 0.0);
  }

  void choose(const RowStrips<T>& rows, const RowStrips<T>& cols) {
    rows_ = &rows;
    cols_ = &cols;
  }

  const T* get(const SweepTile& tile, T* workspace) override {
    T* entries = A_.matrix_.size() == 0 ? workspace : kept(tile);
    if (!A_.has_matrix()) {
      compute(tile, entries);
    } else if (in_cache_) {
      entries = std::copy_n(entries, tile.rows * sweep_tile, workspace) - tile.rows * sweep_tile;
    }
    if (squares_.size() != 0) squares_[tile.row / sweep_tile] += squares(tile, entries);
    return entries;
  }

  double frobenius2() const { return std::accumulate(squares_.begin(), squares_.end(), 0.0); }

 private:
  T* kept(const SweepTile& tile) const {
    const index_t i = tile.row / sweep_tile, j = tile.col / sweep_tile;
    const index_t before = i * tile_blocks(A_.n()) - i * (i - 1) / 2 + (j - i);
    return A_.matrix_.data() + before * sweep_tile * sweep_tile;
  }

  void compute(const SweepTile& tile, T* entries) const {
    const auto gaussian = cancels(tile) ? kernels_.from_differences : kernels_.from_products;
    for_each_part(tile, [&](index_t i, index_t rows, index_t j, index_t cols, bool) {
      const index_t row = tile.row + i, col = tile.col + j;
      gaussian({rows, cols, A_.X_.d, rows_->strip(row), cols_->strip(col), rows_->norms(row),
                cols_->norms(col), A_.scale_},
               entries + i * sweep_tile + j, sweep_tile);
    });
    if (!tile.diagonal()) return;
    for (index_t i = 0; i < tile.rows; ++i) entries[i * sweep_tile + i] = 1;  // G_ii = 1 exactly
  }

  // Whether the error of |x|^2 + |y|^2 - 2 x.y is too large, as for near points of a cloud that is
  // very wide compared with sigma.
  bool cancels(const SweepTile& tile) const {
    const T norm =
        std::max(rows_->max_norm(tile.row, tile.rows), cols_->max_norm(tile.col, tile.cols));
    const double error = cancellation_error(A_.X_, norm);
    return error * -static_cast<double>(A_.scale_) > exponent_tolerance<T>;
  }

  double squares(const SweepTile& tile, const T* entries) const {
    double total = 0.0;
    for_each_part(tile, [&](index_t i, index_t rows, index_t j, index_t cols, bool mirrored) {
      const double sum = kernels_.squares(entries + i * sweep_tile + j, rows, cols, sweep_tile,
                                          s_.data() + tile.row + i, s_.data() + tile.col + j);
      total += mirrored ? 2.0 * sum : sum;
    });
    return total;
  }

  const simd::GaussianKernels<T>& kernels_ = simd::gaussian_kernels<T>();
  const KernelOperator& A_;
  bool in_cache_;
  Buffer<T> s_;
  Buffer<double> squares_;  // one for each row of tiles
  const RowStrips<T>* rows_ = nullptr;
  const RowStrips<T>* cols_ = nullptr;
};

template <class T>
KernelOperator<T>::KernelOperator(CenteredRows<T> X, const KernelOperatorOptions& options,
                                  int threads, Control& control)
    : X_(std::move(X)),
      scale_(exponent_scale(X_, options.sigma)),
      matrix_(options.keeps_matrix ? tiles() * sweep_tile * sweep_tile : 0),
      stretch_(stretch_length<T>(X_.n, X_.d, options.memory_limit)),
      s_(X_.n),
      frobenius2_(not_known) {
  if (stretch_ == X_.n) {
    all_ = std::make_unique<RowStrips<T>>(X_.n, X_.d);
    all_->load(X_, 0, X_.n, threads, control);
  }
  Stage stage(control, 0.0, 1.0, options.passes() * tiles());
  Buffer<double> w(X_.n);
  std::fill(w.begin(), w.end(), 1.0);
  if (!options.normalized) trace_ = fill_density_scaling(s_);
  // The scaling of G / n is known before q is, so that |G / n|_F^2 comes with the same pass.
  Buffer<double> d = row_sums(w, !options.normalized, threads, stage);
  kernel_sum_ = std::accumulate(d.begin(), d.end(), 0.0);
  if (options.keeps_matrix) {
    stretch_ = 0;
    all_.reset();
  }
  if (options.normalized) {
    double unit = 1.0;
    if (options.alpha != 0.0) {
      const double q_ref = *std::min_element(d.begin(), d.end());
      w = density_weights<double>(d, q_ref, options.alpha);
      d = row_sums(w, false, threads, stage);
      unit = std::pow(q_ref, -2.0 * options.alpha);
    }
    for (index_t i = 0; i < X_.n; ++i) {
      s_[i] = w[i] / std::sqrt(d[i]);
      trace_ += s_[i] * s_[i];
      d[i] *= unit;
    }
    require_finite_operator<T>(trace_, X_.n, options.alpha);
  }
  degrees_ = std::move(d);
}

template <class T>
KernelOperator<T>::~KernelOperator() = default;

template <class T>
index_t KernelOperator<T>::tiles() const {
  return sweep_tiles({0, X_.n}, {0, X_.n});
}

// w_i sum_j G_ij w_j
template <class T>
Buffer<double> KernelOperator<T>::row_sums(const Buffer<double>& w, bool frobenius2, int threads,
                                           Stage& stage) const {
  Buffer<double> ones(X_.n), sums(X_.n);
  std::fill(ones.begin(), ones.end(), 1.0);
  sweep(MatrixView<const double>{ones.data(), X_.n, 1, 1}, w.data(),
        MatrixView<double>{sums.data(), X_.n, 1, 1}, frobenius2, threads, stage);
  return sums;
}

template <class T>
template <class S>
void KernelOperator<T>::sweep(MatrixView<const S> V, const double* factors, MatrixView<S> out,
                              bool frobenius2, int threads, Stage& stage) const {
  SymmetricSweep<T> sums(X_.n, V.cols, threads);
  sums.load(V, factors);
  Tiles tiles(*this, sums.reads_several_rows(), frobenius2);
  if (has_matrix() || all_ != nullptr) {
    if (!has_matrix()) tiles.choose(*all_, *all_);
    sums.run({0, X_.n}, {0, X_.n}, tiles, stage);
  } else {
    RowStrips<T> of_rows(stretch_, X_.d), of_cols(stretch_, X_.d);
    for_each_pair(X_.n, stretch_, [&](Stretch rows, Stretch cols) {
      const bool same = rows.begin == cols.begin;
      RowStrips<T>& strips = same ? of_rows : of_cols;
      strips.load(X_, cols.begin, cols.end - cols.begin, threads, stage.control());
      tiles.choose(of_rows, strips);
      sums.run(rows, cols, tiles, stage);
    });
  }
  sums.store(factors, out);
  if (frobenius2) frobenius2_.store(tiles.frobenius2());
}

template <class T>
template <class S>
void KernelOperator<T>::multiply(MatrixView<const S> V, MatrixView<S> out, int threads,
                                 Control& control) const {
  Stage stage(control, 0.0, 1.0, tiles());
  sweep(V, s_.data(), out, std::isnan(frobenius2_.load()), threads, stage);
}

template <class T>
double KernelOperator<T>::frobenius2(int threads, Control& control) const {
  if (std::isnan(frobenius2_.load())) {
    Stage stage(control, 0.0, 1.0, tiles());
    sweep(MatrixView<const double>{nullptr, X_.n, 0, 0}, nullptr,
          MatrixView<double>{nullptr, X_.n, 0, 0}, true, threads, stage);
  }
  return frobenius2_.load();
}

#define EIGENTROPY_INSTANTIATE(T)                                                              \
  template class KernelOperator<T>;                                                            \
  template void KernelOperator<T>::multiply(MatrixView<const float>, MatrixView<float>, int,   \
                                            Control&) const;                                   \
  template void KernelOperator<T>::multiply(MatrixView<const double>, MatrixView<double>, int, \
                                            Control&) const;
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
