#include "cpu/operator/lane_operators.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace eigentropy {
namespace {

// x^-alpha
double negative_power(double x, double alpha) {
  if (alpha == 0.5) return 1.0 / std::sqrt(x);
  return alpha == 1.0 ? 1.0 / x : std::pow(x, -alpha);
}

}  // namespace

template <class T>
LaneOperators<T>::LaneOperators(index_t max_n, const OperatorOptions& options)
    : options_(options),
      solver_(max_n),
      lanes_(LaneSolver<T>::lanes()),
      max_n_(max_n),
      weights_(max_n * lanes_),
      products_(max_n * lanes_),
      row_sums_(max_n * lanes_),
      kernel_sums_(LaneSolver<T>::most_problems),
      traces_(LaneSolver<T>::most_problems),
      squares_(LaneSolver<T>::most_problems),
      unused_(static_cast<std::size_t>(lanes_)) {}

template <class T>
void LaneOperators<T>::start(index_t order) {
  order_ = order;
  problems_ = 0;
  solver_.start(order);
}

// A lane too many takes another's problem.
template <class T>
void LaneOperators<T>::set_lanes(const simd::LaneSubset* subsets, index_t count,
                                 simd::LaneSubset* lanes) {
  for (index_t k = 0; k < lanes_; ++k) {
    lanes[k] = subsets[k < count ? k : 0];
    unused_[static_cast<std::size_t>(k)] = order_ - lanes[k].n;
  }
}

template <class T>
void LaneOperators<T>::gather(SymmetricView<T> G, const simd::LaneSubset* subsets, index_t count) {
  simd::LaneSubset lanes[LaneSolver<T>::most_lanes];
  set_lanes(subsets, count, lanes);
  kernels_.gather(G.data, G.stride, lanes, order_, products_.data(), solver_.entries());
  add_group();
}

template <class T>
void LaneOperators<T>::compute(const KernelRows<T>& rows, const simd::LaneSubset* subsets,
                               index_t count) {
  simd::LaneSubset lanes[LaneSolver<T>::most_lanes];
  set_lanes(subsets, count, lanes);
  if (packed_.size() == 0) {
    packed_ = Buffer<T>((max_n_ + gaussian_.block_rows) * simd::lane_depth * lanes_);
  }
  T* const A = solver_.entries();
  const auto add = rows.cancels ? gaussian_.differences : gaussian_.products;
  for (index_t first = 0; first < rows.d; first += simd::lane_depth) {
    const index_t depth = std::min(simd::lane_depth, rows.d - first);
    gaussian_.pack(rows.rows, rows.d, lanes, order_, first, depth, packed_.data());
    add(packed_.data(), depth, order_, first > 0, A);
  }
  const auto finish = rows.cancels ? gaussian_.from_differences : gaussian_.from_products;
  finish(A, order_, rows.scale, unused_.data(), products_.data());
  add_group();
}

template <class T>
void LaneOperators<T>::interleave(const simd::LaneSource<T>* kernels, index_t count) {
  simd::LaneSource<T> lanes[LaneSolver<T>::most_lanes];
  for (index_t k = 0; k < lanes_; ++k) {
    lanes[k] = kernels[k < count ? k : 0];
    unused_[static_cast<std::size_t>(k)] = order_ - lanes[k].n;
  }
  T largest[LaneSolver<T>::most_lanes], finite[LaneSolver<T>::most_lanes];  // are known
  simd::lane_matrix_kernels<T>().interleave(lanes, order_, solver_.entries(), largest, finite);
  add_group();
}

// Normalises the kernels in the solver's memory and gives them to the solver. The norms of the
// results are 1, or those of kernels with a diagonal of 1.
template <class T>
void LaneOperators<T>::add_group() {
  const index_t first = problems_;
  T* const A = solver_.entries();
  std::fill(weights_.begin(), weights_.end(), T(1));
  kernels_.multiply(A, order_, weights_.data(), products_.data());
  std::copy(products_.begin(), products_.begin() + order_ * lanes_, row_sums_.begin());
  for (index_t k = 0; k < lanes_; ++k) {
    double sum = 0.0;
    for (index_t i = 0; i < order_; ++i) sum += row_sums_[i * lanes_ + k];
    kernel_sums_[first + k] = sum;
    traces_[first + k] = static_cast<double>(order_ - unused_[static_cast<std::size_t>(k)]);
  }
  if (options_.normalized) {
    if (options_.alpha != 0.0) {
      fill_density_weights();
      kernels_.multiply(A, order_, weights_.data(), products_.data());
    }
    fill_scaling(first);
  }
  kernels_.conjugate(A, order_, weights_.data(), squares_.data() + first);
  solver_.reduce(unused_.data());
  problems_ += lanes_;
}

// weights <- (q_i / q_ref)^-alpha as density_weights
template <class T>
void LaneOperators<T>::fill_density_weights() {
  for (index_t k = 0; k < lanes_; ++k) {
    const index_t unused = unused_[static_cast<std::size_t>(k)];
    double least = std::numeric_limits<double>::infinity();
    for (index_t i = unused; i < order_; ++i) least = std::min(least, row_sums_[i * lanes_ + k]);
    for (index_t i = 0; i < order_; ++i) {
      const double q = row_sums_[i * lanes_ + k] / least;
      weights_[i * lanes_ + k] =
          i < unused ? T(0) : static_cast<T>(negative_power(q, options_.alpha));
    }
  }
}

// weights <- s_i = w_i / sqrt(d_i) with d_i = w_i (G w)_i, as diffusion_operator. traces <- tr A
template <class T>
void LaneOperators<T>::fill_scaling(index_t first) {
  for (index_t k = 0; k < lanes_; ++k) {
    const index_t unused = unused_[static_cast<std::size_t>(k)];
    double trace = 0.0;
    for (index_t i = 0; i < order_; ++i) {
      const double w = static_cast<double>(weights_[i * lanes_ + k]);
      const double d = w * static_cast<double>(products_[i * lanes_ + k]);
      const T s = i < unused ? T(0) : static_cast<T>(w / std::sqrt(d));
      weights_[i * lanes_ + k] = s;
      trace += static_cast<double>(s) * static_cast<double>(s);
    }
    traces_[first + k] = trace;
  }
}

template class LaneOperators<float>;
template class LaneOperators<double>;

}  // namespace eigentropy
