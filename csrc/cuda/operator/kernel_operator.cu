#include "cuda/operator/kernel_operator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "base/gaussian.hpp"
#include "cuda/blas.hpp"
#include "cuda/kernel/written_tiles.hpp"
#include "cuda/operator/stripe_sums.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

constexpr double not_known = std::numeric_limits<double>::quiet_NaN();
constexpr int threads = 256;

// Each row of G, which is packed, has a block: out_i <- factors_i sum_j G_ij factors_j in float64,
// with factors in the order of G.
template <class T, bool squared>
__global__ void sum_rows(const T* G, index_t stride, index_t n, const double* factors,
                         RowOrder order, double* out) {
  __shared__ double shared[threads];
  const T* const row = G + blockIdx.x * stride;
  double sum = 0.0;
  for (index_t j = threadIdx.x; j < n; j += threads) {
    const auto entry = static_cast<double>(row[j]);
    sum += factors[j] * (squared ? entry * entry : entry);
  }
  sum = block_reduce<threads>(sum, shared, Plus{});
  if (threadIdx.x == 0) out[order[blockIdx.x]] = factors[blockIdx.x] * sum;
}

// out_ic <- factors_i sums_ic, with sums in the order of G
template <class T>
__global__ void scale_rows(const double* sums, const double* factors, RowOrder order, index_t n,
                           index_t m, T* out) {
  const index_t place = static_cast<index_t>(blockIdx.x) * threads + threadIdx.x;
  if (place >= n * m) return;
  const index_t row = order[place / m];
  out[row * m + place % m] = static_cast<T>(factors[row] * sums[place]);
}

}  // namespace

template <class T>
KernelOperator<T>::KernelOperator(const Queue& queue, DeviceRows<T> X,
                                  const KernelOperatorOptions& options, Control& control)
    : n_(X.n), X_(pack_rows(queue, X, options.sigma)), s_(X.n), frobenius2_(not_known) {
  const Range range("KernelOperator");
  X = DeviceRows<T>();  // the packed rows replace them
  const index_t passes = options.passes();
  const index_t launches = options.keeps_matrix ? sweep_launches(queue, X_, 0) + passes
                                                : passes * sweep_launches(queue, X_, 1);
  Stage stage(control, 0.0, 1.0, launches);
  if (options.keeps_matrix) {
    matrix_ = DeviceBuffer<T>(queue, n_ * X_.stride);
    write_gaussian(queue, X_, matrix_.data(), stage);
    X_.drop_entries();
  }
  Buffer<double> w(n_);
  std::fill(w.begin(), w.end(), 1.0);
  Buffer<double> d = row_sums(queue, Entries::plain, w, stage);
  kernel_sum_ = std::accumulate(d.begin(), d.end(), 0.0);
  if (options.normalized) {
    double unit = 1.0;
    if (options.alpha != 0.0) {
      const double q_ref = *std::min_element(d.begin(), d.end());
      w = density_weights<double>(d, q_ref, options.alpha);
      d = row_sums(queue, Entries::plain, w, stage);
      unit = std::pow(q_ref, -2.0 * options.alpha);
    }
    for (index_t i = 0; i < n_; ++i) {
      s_[i] = w[i] / std::sqrt(d[i]);
      trace_ += s_[i] * s_[i];
      d[i] *= unit;
    }
    require_finite_operator<T>(trace_, n_, options.alpha);
  } else {
    trace_ = fill_density_scaling(s_);
  }
  degrees_ = std::move(d);
  on_device_ = to_device(queue, s_.data(), n_);
  queue.synchronize();  // from now on other streams may use the operator
}

template <class T>
Buffer<double> KernelOperator<T>::row_sums(const Queue& queue, Entries entries,
                                           const Buffer<double>& factors, Stage& stage) const {
  const auto there = to_device(queue, factors.data(), n_);
  const DeviceBuffer<double> sums(queue, n_);
  if (has_matrix()) {
    const auto kernel = entries == Entries::plain ? sum_rows<T, false> : sum_rows<T, true>;
    const DeviceBuffer<double> packed(queue, n_);
    scale_vectors<double>(queue, {nullptr, n_, 1, 0, 1, there.data(), X_.row_order()},
                          packed.data(), n_, 1);
    launch(queue, kernel, static_cast<unsigned>(n_), threads, 0, matrix_.data(), X_.stride, n_,
           packed.data(), X_.row_order(), sums.data());
    stage.finish_task();
  } else {
    gaussian_sweep<T, double>(queue, X_, entries, there.data(), nullptr, 1, sums.data(), stage);
  }
  return to_host(queue, sums.data(), n_);
}

template <class T>
double KernelOperator<T>::frobenius2(const Queue& queue, Control& control) const {
  const Range range("frobenius2");
  if (std::isnan(frobenius2_.load())) {
    Stage stage(control, 0.0, 1.0, has_matrix() ? 1 : sweep_launches(queue, X_, 1));
    Buffer<double> squares(n_);
    std::transform(s_.begin(), s_.end(), squares.begin(), [](double s) { return s * s; });
    const Buffer<double> sums = row_sums(queue, Entries::squared, squares, stage);
    frobenius2_.store(std::accumulate(sums.begin(), sums.end(), 0.0));
  }
  return frobenius2_.load();
}

template <class T>
void KernelOperator<T>::multiply(const Queue& queue, const T* V, T* out, index_t m,
                                 Control& control) const {
  const Range range("KernelOperator::multiply");
  if (m == 0) return;
  Stage stage(control, 0.0, 1.0, has_matrix() ? 1 : sweep_launches(queue, X_, m));
  if (!has_matrix()) {
    return gaussian_sweep<T, T>(queue, X_, Entries::plain, on_device_.data(), V, m, out, stage);
  }
  if constexpr (std::is_same_v<T, float>) {
    if (half_.is_there()) half_.multiply(queue, on_device_.data(), X_.row_order(), V, m, out);
  }
  if (matrix_.size() > 0) multiply_matrix(queue, V, out, m);
  stage.finish_task();
}

// diag(s) sum over stripes J of G_.J (diag(s) V)_J
template <class T>
void KernelOperator<T>::multiply_matrix(const Queue& queue, const T* V, T* out, index_t m) const {
  const index_t size = n_ * m;
  const DeviceBuffer<T> scaled(queue, size);
  scale_vectors<T>(queue, {V, n_, m, 0, m, on_device_.data(), X_.row_order()}, scaled.data(), n_,
                   m);
  const BlasHandle blas(queue);
  const auto multiply_stripes = [&](index_t first, index_t count, index_t columns, T* to) {
    // Row-major and symmetric: (G W)^T = W^T G.
    const blas::Factor<T> W{scaled.data() + first * m, m, columns * m, CUBLAS_OP_N};
    const blas::Factor<T> G{matrix_.data() + first, X_.stride, columns, CUBLAS_OP_N};
    blas::gemm(blas, m, n_, columns, T(1), W, G, T(0), blas::Result<T>{to, m, size}, count);
  };
  const auto sums = sum_over_stripes<T>(queue, n_, size, multiply_stripes);
  launch(queue, scale_rows<T>, blocks_for(size, threads), threads, 0, sums.data(),
         on_device_.data(), X_.row_order(), n_, m, out);
}

template <class T>
void KernelOperator<T>::keep_in_half(const Queue& queue, Control& control) {
  const Range range("KernelOperator::keep_in_half");
  if constexpr (std::is_same_v<T, float>) {
    if (has_matrix()) return;
    frobenius2(queue, control);  // it needs the rows, which go
    Stage stage(control, 0.0, 1.0, sweep_launches(queue, X_, 0));
    half_ = HalfMatrix(queue, X_, stage);
    X_.drop_entries();
    queue.synchronize();  // from now on other streams may use the operator
  } else {
    throw std::invalid_argument("G is kept in half precision for products in float32 only");
  }
}

template class KernelOperator<float>;
template class KernelOperator<double>;

}  // namespace eigentropy::cuda
