// One pass over the rows for each column. The pass applies the last reflector, which finishes the
// next column, and sums the products of that column with all columns. These products give
// everything about the next reflector: the norm of its column, the update of the columns to its
// right, and its products with the reflectors to its left, from which T is built. LAPACK reads the
// panel several times for the same.
#include "cpu/eigen/panel_qr.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace eigentropy {
namespace {

// In a panel whose largest entry is about 1, squares of entries do not overflow, and sums of
// squares above this value have not lost entries to underflow. A column with a smaller sum is zero
// to rounding.
template <class T>
constexpr double negligible = sizeof(T) == sizeof(double) ? 1e-280 : 1e-28;

}  // namespace

template <class T>
PanelQr<T>::PanelQr(index_t width)
    : width_(width),
      coefficients_(width),
      sums_(width),
      gram_(width * width),
      tau_(width),
      scale_(width) {}

template <class T>
void PanelQr<T>::factor(index_t m, const T* P, index_t stride, T* V, T* factor, T* R,
                        index_t R_stride) {
  const double unit = copy_scaled(m, P, stride, V);
  std::fill(tau_.begin(), tau_.end(), 0.0);
  std::fill(scale_.begin(), scale_.end(), 0.0);
  std::fill(gram_.begin(), gram_.end(), 0.0);
  std::fill(coefficients_.begin(), coefficients_.end(), T(0));
  kernels_.eliminate(m, width_, 0, 0, V, coefficients_.data(), sums_.data());
  for (index_t j = 0; j < std::min(m, width_); ++j) {
    T* const row = V + j * width_;
    const double diagonal = reflect(j, row);
    R[j * R_stride + j] = static_cast<T>(unit * diagonal);
    for (index_t c = j + 1; c < width_; ++c) {
      R[c * R_stride + j] = static_cast<T>(unit * static_cast<double>(row[c]));
    }
    if (j + 1 == width_) break;
    kernels_.eliminate(m - j - 1, width_, j, j + 1, row + width_, coefficients_.data(),
                       sums_.data());
  }
  write_factor(factor);
  normalize(m, V);
}

// V <- P / unit with a largest entry of about 1; returns unit, a power of two.
template <class T>
double PanelQr<T>::copy_scaled(index_t m, const T* P, index_t stride, T* V) const {
  T largest = 0;
  for (index_t j = 0; j < width_; ++j) {
    const T* column = P + j * stride;
    for (index_t i = 0; i < m; ++i) largest = std::max(largest, std::abs(column[i]));
  }
  // The inverse is finite, too.
  constexpr int limit = std::numeric_limits<T>::max_exponent - 2;
  const int exponent = largest > 0 ? std::clamp(std::ilogb(largest), -limit, limit) : 0;
  const T factor = std::ldexp(T(1), -exponent);
  constexpr index_t rows =
      16;  // the cache lines of this many rows of V stay in the first-level cache
  for (index_t begin = 0; begin < m; begin += rows) {
    const index_t end = std::min(m, begin + rows);
    for (index_t j = 0; j < width_; ++j) {
      for (index_t i = begin; i < end; ++i) V[i * width_ + j] = factor * P[j * stride + i];
    }
  }
  return std::ldexp(1.0, exponent);
}

// H = I - tau' v v^T maps column j below row j - 1, p, to beta e_1: v = p - beta e_1, tau' = -1 /
// (beta v_1). `row` is row j: H is applied to it, and v_1 replaces its diagonal entry. The rows
// below already hold the rest of v. Returns R_jj.
template <class T>
double PanelQr<T>::reflect(index_t j, T* row) {
  std::fill(coefficients_.begin(), coefficients_.end(), T(0));
  const double alpha = static_cast<double>(row[j]), squares = sums_[j];
  if (squares <= negligible<T>) return alpha;  // a NaN goes on
  const double beta = -std::copysign(std::sqrt(squares), alpha);
  const double top = alpha - beta;
  tau_[j] = -top / beta;
  scale_[j] = 1.0 / top;
  // v . x = p . x - beta x_1
  for (index_t c = 0; c < j; ++c) {
    gram_[j * width_ + c] = sums_[c] - beta * static_cast<double>(row[c]);
  }
  for (index_t c = j + 1; c < width_; ++c) {
    const double x = static_cast<double>(row[c]);
    const double share = -(sums_[c] - beta * x) / (beta * top);
    coefficients_[c] = static_cast<T>(share);
    row[c] = static_cast<T>(x - top * share);
  }
  row[j] = static_cast<T>(top);
  return beta;
}

// T_jj = tau_j, T(0:j, j) = -tau_j T(0:j, 0:j) V(:, 0:j)^T v_j
template <class T>
void PanelQr<T>::write_factor(T* factor) const {
  std::fill_n(factor, width_ * width_, T(0));
  for (index_t j = 0; j < width_; ++j) {
    double* const products = gram_.data() + j * width_;
    for (index_t c = 0; c < j; ++c) products[c] *= scale_[c] * scale_[j];
    for (index_t i = 0; i < j; ++i) {
      double sum = 0.0;
      for (index_t c = i; c < j; ++c) {
        sum += static_cast<double>(factor[i * width_ + c]) * products[c];
      }
      factor[i * width_ + j] = static_cast<T>(-tau_[j] * sum);
    }
    factor[j * width_ + j] = static_cast<T>(tau_[j]);
  }
}

template <class T>
void PanelQr<T>::normalize(index_t m, T* V) const {
  T* const scale = coefficients_.data();  // no longer needed as coefficients
  for (index_t j = 0; j < width_; ++j) scale[j] = static_cast<T>(scale_[j]);
  for (index_t i = 0; i < m; ++i) {
    T* v = V + i * width_;
    for (index_t j = 0; j < width_; ++j) v[j] *= scale[j];
  }
  for (index_t i = 0; i < std::min(m, width_); ++i) {
    T* v = V + i * width_;
    v[i] = 1;
    std::fill(v + i + 1, v + width_, T(0));
  }
}

template class PanelQr<float>;
template class PanelQr<double>;

}  // namespace eigentropy
