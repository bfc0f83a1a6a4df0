#include "cpu/operator/kernel_operator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "base/gaussian.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/kernel/row_strips.hpp"
#include "cpu/operator/gaussian_tiles.hpp"
#include "cpu/operator/symmetric_sweep.hpp"

namespace eigentropy {
namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();
constexpr index_t tile_entries = sweep_tile * sweep_tile;

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

// Tiles of G, computed from rows in memory or read from where they are kept.
template <class T>
class KernelOperator<T>::Tiles final : public TileSource<T> {
 public:
  // in_cache: a kept tile is copied first. Memory delivers a tile faster in one sequential copy
  // than to a product that reads several of its rows at a time. frobenius2: also sum the squares of
  // s_i G_ij s_j.
  Tiles(const KernelOperator& A, bool in_cache, bool frobenius2)
      : A_(A), gaussian_{A.scale_, A.X_.blocks()}, in_cache_(in_cache) {
    if (!frobenius2) return;
    s_ = Buffer<T>(padded_rows(A.n()));
    std::fill(s_.begin(), s_.end(), T(0));
    std::transform(A.s_.begin(), A.s_.end(), s_.begin(),
                   [](double x) { return static_cast<T>(x); });
    squares_ = Buffer<double>(tile_blocks(A.n()));
    std::fill(squares_.begin(), squares_.end(), 0.0);
  }

  void choose(const RowStrips<T>& rows, const RowStrips<T>& cols) {
    rows_ = rows.rows();
    cols_ = cols.rows();
  }

  const T* get(const SweepTile& tile, T* workspace) override {
    const index_t at = number(tile);
    T* entries = A_.matrix_.size() == 0 ? workspace : A_.matrix_.data() + at * tile_entries;
    if (at < A_.tiles_in_16_bits_ && A_.roots_are_there_) {
      kernels_.from_roots(tile.rows * sweep_tile, A_.roots_.data() + at * tile_entries, entries);
    } else if (!A_.has_matrix()) {
      gaussian_.compute(tile, rows_, cols_, entries);
      if (at < A_.tiles_in_16_bits_) {
        kernels_.to_roots(tile.rows * sweep_tile, entries, A_.roots_.data() + at * tile_entries);
      }
    } else if (in_cache_) {
      entries = std::copy_n(entries, tile.rows * sweep_tile, workspace) - tile.rows * sweep_tile;
    }
    if (squares_.size() != 0) {
      squares_[tile.row / sweep_tile] +=
          gaussian_.squares(tile, entries, s_.data() + tile.row, s_.data() + tile.col);
    }
    return entries;
  }

  Memory reads(const SweepTile& tile) const override {
    const index_t at = number(tile);
    if (at < A_.tiles_in_16_bits_ && A_.roots_are_there_) return kept(A_.roots_, at, tile);
    return in_cache_ && A_.has_matrix() ? kept(A_.matrix_, at, tile) : Memory{};
  }

  double frobenius2() const { return std::accumulate(squares_.begin(), squares_.end(), 0.0); }

 private:
  template <class Entries>
  static Memory kept(const Entries& entries, index_t at, const SweepTile& tile) {
    constexpr auto bytes = static_cast<index_t>(sizeof *entries.data());
    return {entries.data() + at * tile_entries, tile.rows * sweep_tile * bytes};
  }

  // Of the tile among those of the upper triangle: row after row, and from the right within a row.
  // A sweep then reads memory in order, and what is fetched ahead of need is needed next.
  index_t number(const SweepTile& tile) const {
    const index_t i = tile.row / sweep_tile, j = tile.col / sweep_tile,
                  across = tile_blocks(A_.n());
    return i * across - i * (i - 1) / 2 + (across - 1 - j);
  }

  const KernelOperator& A_;
  const GaussianTiles<T> gaussian_;
  const simd::GaussianKernels<T>& kernels_ = simd::gaussian_kernels<T>();
  bool in_cache_;
  Buffer<T> s_;
  Buffer<double> squares_;  // one for each row of tiles
  PackedRows<T> rows_{}, cols_{};
};

template <class T>
KernelOperator<T>::KernelOperator(CenteredRows<T> X, const KernelOperatorOptions& options,
                                  int threads, Control& control)
    : X_(std::move(X)),
      scale_(exponent_scale(X_, options.sigma)),
      matrix_(options.keeps_matrix ? tiles() * tile_entries : 0),
      stretch_(stretch_length<T>(X_.n, X_.d, options.memory_limit)),
      density_frobenius2_(not_known),
      s_(X_.n),
      frobenius2_(not_known) {
  if (stretch_ == X_.n) {
    all_ = std::make_unique<RowStrips<T>>(X_.n, X_.d);
    all_->load(X_, 0, X_.n, threads, control);
    if (!options.keeps_matrix) make_room_for_roots(options.limit_of_16_bits);
  }
  Stage stage(control, 0.0, 1.0, options.passes() * tiles());
  Buffer<double> w(X_.n);
  std::fill(w.begin(), w.end(), 1.0);
  // The scaling of G / n is known before q is, so that |G / n|_F^2 comes with the same pass.
  const bool of_density = !options.normalized || options.with_density;
  if (of_density) trace_ = fill_density_scaling(s_);
  Buffer<double> d = row_sums(w, of_density, threads, stage);
  roots_are_there_ = true;
  kernel_sum_ = std::accumulate(d.begin(), d.end(), 0.0);
  kernel_sums_ = Buffer<double>(X_.n);
  std::copy(d.begin(), d.end(), kernel_sums_.begin());
  if (of_density) density_frobenius2_ = frobenius2_.load();
  if (options.keeps_matrix) {
    stretch_ = 0;
    all_.reset();
  }
  if (options.normalized) {
    frobenius2_.store(not_known);
    trace_ = 0.0;
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
void KernelOperator<T>::make_room_for_roots(double limit) {
  if constexpr (std::is_same_v<T, float>) {
    constexpr double bytes = tile_entries * sizeof(std::uint16_t);
    tiles_in_16_bits_ = static_cast<index_t>(std::min(limit / bytes, static_cast<double>(tiles())));
    roots_ = Buffer<std::uint16_t>(tiles_in_16_bits_ * tile_entries);
  }
}

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
template <class S>
void KernelOperator<T>::multiply_kernel(MatrixView<const S> V, MatrixView<S> out, int threads,
                                        Control& control) const {
  Stage stage(control, 0.0, 1.0, tiles());
  sweep(V, nullptr, out, std::isnan(frobenius2_.load()), threads, stage);
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

#define EIGENTROPY_INSTANTIATE(T)                                                                \
  template class KernelOperator<T>;                                                              \
  template void KernelOperator<T>::multiply(MatrixView<const float>, MatrixView<float>, int,     \
                                            Control&) const;                                     \
  template void KernelOperator<T>::multiply(MatrixView<const double>, MatrixView<double>, int,   \
                                            Control&) const;                                     \
  template void KernelOperator<T>::multiply_kernel(MatrixView<const float>, MatrixView<float>,   \
                                                   int, Control&) const;                         \
  template void KernelOperator<T>::multiply_kernel(MatrixView<const double>, MatrixView<double>, \
                                                   int, Control&) const;
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
