#include "cpu/gradient/entropy_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include "base/gaussian.hpp"
#include "base/tiles.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/simd/gradient_kernels.hpp"

namespace eigentropy {
namespace {

// For fewer rows than this, a product with a vector is over before a second thread has started.
constexpr index_t several_threads_from = 1024;

// Makes room for at least `size` elements. The contents are lost.
template <class T>
void require_room(Buffer<T>& buffer, index_t size) {
  if (buffer.size() >= size) return;
  buffer = Buffer<T>();  // first, so that both are never there at once
  buffer = Buffer<T>(size);
}

double sum_of(const Buffer<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

template <class T>
void normalize(const Buffer<T>& q) {
  double squares = 0.0;
  for (const T x : q) squares += static_cast<double>(x) * static_cast<double>(x);
  for (T& x : q) x = static_cast<T>(static_cast<double>(x) / std::sqrt(squares));
}

// The same unit vector in every call; no global random state is used.
template <class T>
Buffer<T> random_unit_vector(index_t n) {
  std::mt19937 random(0);
  Buffer<T> q(n);
  for (T& x : q) x = static_cast<T>(static_cast<double>(random()) / 4294967296.0 - 0.5);
  normalize(q);
  return q;
}

// The rows i < j with the smallest (A_ii + A_jj) / 2 - A_ij, the Rayleigh quotient of e_i - e_j.
template <class T>
std::pair<index_t, index_t> nearest_rows(MatrixView<const T> A, int threads) {
  struct Nearest {
    double quotient = std::numeric_limits<double>::infinity();
    index_t i = 0, j = 0;
  };
  const index_t n = A.rows;
  Buffer<T> halves(n);
  for (index_t i = 0; i < n; ++i) halves[i] = A.row(i)[i] / T(2);
  std::vector<Nearest> found(static_cast<std::size_t>(row_blocks(n)));
  for_each_row_block(n, threads, [&](index_t begin, index_t end, index_t block) {
    Nearest& nearest = found[static_cast<std::size_t>(block)];
    for (index_t i = begin; i < end; ++i) {
      const T* const row = A.row(i);
      T least = std::numeric_limits<T>::infinity();
      for (index_t j = i + 1; j < n; ++j) least = std::min(least, halves[j] - row[j]);
      const double quotient = static_cast<double>(least) + static_cast<double>(halves[i]);
      if (!(quotient < nearest.quotient)) continue;
      index_t j = i + 1;
      while (j + 1 < n && halves[j] - row[j] != least) ++j;
      nearest = {quotient, i, j};
    }
  });
  const auto less = [](const Nearest& a, const Nearest& b) { return a.quotient < b.quotient; };
  const auto nearest = std::min_element(found.begin(), found.end(), less);
  return {nearest->i, nearest->j};
}

// The start of Lanczos. Two near rows i and j cause a small eigenvalue whose eigenvector is close
// to e_i - e_j. A random start has almost no component along it, so e_i - e_j of the nearest rows
// is added.
template <class T>
Buffer<T> start_vector(MatrixView<const T> A, int threads) {
  Buffer<T> q = random_unit_vector<T>(A.rows);
  const auto [i, j] = nearest_rows(A, threads);
  if (i == j) return q;
  const T root = std::sqrt(T(0.5));
  q[i] += root;
  q[j] -= root;
  normalize(q);
  return q;
}

// The interval of a tridiagonal matrix's eigenvalues, widened at both ends by the residual of the
// extreme one.
Interval extreme_ritz_values(const std::vector<double>& a, const std::vector<double>& b) {
  const auto k = static_cast<index_t>(a.size());
  Buffer<double> V(k * k), values(k);
  std::fill(V.begin(), V.end(), 0.0);
  for (index_t i = 0; i < k; ++i) {
    V[i * k + i] = a[static_cast<std::size_t>(i)];
    if (i + 1 < k) V[i * k + i + 1] = V[(i + 1) * k + i] = b[static_cast<std::size_t>(i)];
  }
  small_eigenpairs({V.data(), k, k}, values.data());
  // Row i of V is eigenvector i. Its last entry gives the residual of the Ritz vector.
  const auto residual = [&](index_t i) { return b.back() * std::abs(V[i * k + k - 1]); };
  return {values[0] - residual(0), values[k - 1] + residual(k - 1)};
}

}  // namespace

template <class T>
void EntropyGradient<T>::build(const CenteredRows<T>& X, double sigma, double alpha, int threads,
                               Control& control) {
  X_ = X;
  sigma_ = sigma;
  alpha_ = alpha;
  const index_t n = X.n;
  require_room(A_, n * n);
  const SymmetricView<T> A{A_.data(), n, n};
  Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
  q_ = gaussian_kernel(X, sigma, A, threads, stage);
  kernel_sum_ = sum_of(q_);
  DiffusionScaling scaling = diffusion_operator(A, q_, alpha, threads);
  require_finite_operator<T>(scaling.frobenius2, n, alpha);
  mirror(A, threads);
  d_ = std::move(scaling.degrees);
  trace_ = scaling.trace;
  inside_ = (trace_ - 1.0) / static_cast<double>(std::max<index_t>(1, n - 1));
  const double volume = sum_of(d_);
  v_ = Buffer<T>(n);
  for (index_t i = 0; i < n; ++i) v_[i] = static_cast<T>(std::sqrt(d_[i] / volume));
}

template <class T>
Buffer<double> EntropyGradient<T>::multiply(MatrixView<const T> M, const T* x, int threads) {
  const auto& kernels = simd::gradient_kernels<T>();
  const index_t n = M.rows;
  if (n < several_threads_from) threads = 1;
  Buffer<double> y(n);
  for_each_row_block(n, threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) y[i] = kernels.dot(M.row(i), x, n);
  });
  return y;
}

// The smallest eigenvalue of A by inverse iteration with the given (A + shift)^-1. The estimate is
// never below the true value. The iteration starts at the largest diagonal entry of the inverse: an
// eigenvalue far below the others comes from a few rows that are near each other.
template <class T>
double EntropyGradient<T>::smallest_eigenvalue(MatrixView<const T> inverse, double shift,
                                               int threads) {
  constexpr int steps = 3;
  const index_t n = inverse.rows;
  index_t largest = 0;
  for (index_t i = 1; i < n; ++i) {
    if (inverse.row(i)[i] > inverse.row(largest)[largest]) largest = i;
  }
  Buffer<T> q(n);
  std::fill(q.begin(), q.end(), T(0));
  q[largest] = 1;
  double growth = 0.0;
  for (int step = 0; step < steps; ++step) {
    const Buffer<double> y = multiply(inverse, q.data(), threads);
    growth = std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0));
    for (index_t i = 0; i < n; ++i) q[i] = static_cast<T>(y[i] / growth);
  }
  return 1.0 / growth - shift;
}

template <class T>
Interval EntropyGradient<T>::bulk_interval(int steps, int threads) const {
  const auto& kernels = simd::gradient_kernels<T>();
  Buffer<T> q = start_vector<T>(A(), n() < several_threads_from ? 1 : threads), before(n());
  std::fill(before.begin(), before.end(), T(0));
  std::vector<double> a, b;
  for (int step = 0; step < steps; ++step) {
    Buffer<double> y = multiply(A(), q.data(), threads);
    const double along = (inside_ - 1.0) * kernels.dot(v_.data(), q.data(), n());
    double product = 0.0, squares = 0.0;
    for (index_t i = 0; i < n(); ++i) {
      y[i] += along * static_cast<double>(v_[i]);
      product += y[i] * static_cast<double>(q[i]);
    }
    const double last = b.empty() ? 0.0 : b.back();
    for (index_t i = 0; i < n(); ++i) {
      y[i] -= product * static_cast<double>(q[i]) + last * static_cast<double>(before[i]);
      squares += y[i] * y[i];
    }
    a.push_back(product);
    b.push_back(std::sqrt(squares));
    if (!std::isfinite(product)) return {0.0, 1.0};
    for (index_t i = 0; i < n(); ++i) {
      before[i] = q[i];
      q[i] = static_cast<T>(y[i] / b.back());
    }
  }
  return extreme_ritz_values(a, b);
}

template <class T>
void EntropyGradient<T>::fill_bulk(int threads) {
  const auto& kernels = simd::gradient_kernels<T>();
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      kernels.add_scaled(A().row(i), static_cast<T>(inside_ - 1.0) * v_[i], v_.data(),
                         bulk_.data() + i * n(), n());
    }
  });
}

// sum_j A_ij L_ij for each row, in float64, because n^2 numbers of one sign are added up.
template <class T>
Buffer<double> EntropyGradient<T>::products_with_log(int threads) const {
  const auto& kernels = simd::gradient_kernels<T>();
  Buffer<double> p(n());
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      p[i] = kernels.dot(A().row(i), W_.data() + i * n(), n());
    }
  });
  return p;
}

// W <- 2 B_ij A_ij + (u_i + u_j) K_ij + (w_i + w_j) G_ij off the diagonal; diagonal entries have no
// effect. docs/explanations/gradient.md derives the formula. u is the part of the degrees d, w that
// of the densities q, both in the units of A: K_ij = A_ij r_i r_j, G_ij = A_ij s_i s_j.
template <class T>
void EntropyGradient<T>::slopes_by_distance(const Buffer<double>& b, double trace, double at_inside,
                                            int threads) {
  const double volume = sum_of(d_);
  Buffer<T> u(n()), roots(n()), w(n()), scale(n());
  for (index_t i = 0; i < n(); ++i) {
    const double root = std::sqrt(d_[i]);
    roots[i] = static_cast<T>(root);
    scale[i] = static_cast<T>(root * std::pow(q_[i], alpha_));
    u[i] = static_cast<T>(-b[i] / root);
  }
  const Buffer<double> y = multiply(A(), u.data(), threads);
  for (index_t i = 0; i < n(); ++i) {
    const double through = b[i] + static_cast<double>(roots[i]) * y[i];
    w[i] = static_cast<T>(-alpha_ / q_[i] * through * static_cast<double>(scale[i]));
    // The known eigenvector, v_i v_j = r_i r_j / volume, is in log of the bulk but not in log A.
    u[i] += static_cast<T>(at_inside / (trace * volume)) * roots[i];
  }
  const auto& kernels = simd::gradient_kernels<T>();
  const auto factor = static_cast<T>(-2.0 / trace);
  row_sums_ = Buffer<double>(n());
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      row_sums_[i] = kernels.slope_row(A().row(i), W_.data() + i * n(), i, n(), factor,
                                       {u.data(), roots.data(), w.data(), scale.data()});
    }
  });
}

// dS/dz_i = -1 / sigma^2 (sum_j W_ij z_i - sum_j W_ij z_j), which does not depend on the centre of
// the z.
template <class T>
void EntropyGradient<T>::gradient_by_rows(MatrixView<T> gradient, int threads,
                                          Control& control) const {
  const SingleThreadedBlas one_thread;
  const auto factor = static_cast<T>(-X_.scale / sigma_ / sigma_);
  for (index_t b = 0; b < X_.blocks(); ++b) {
    const Columns columns = X_.block(b);
    const index_t width = columns.count();
    Buffer<T> rows(n() * width);
    for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
      for (index_t i = begin; i < end; ++i) {
        read_centered_row(X_, i, columns, rows.data() + i * width);
      }
    });
    for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
      control.check();
      T* const out = gradient.row(begin) + columns.begin;
      blas::gemm('N', 'N', blas::to_blas(width), blas::to_blas(end - begin), blas::to_blas(n()),
                 -factor, rows.data(), blas::to_blas(width), W_.data() + begin * n(),
                 blas::to_blas(n()), T(0), out, blas::to_blas(gradient.stride));
      for (index_t i = begin; i < end; ++i) {
        const T sum = factor * static_cast<T>(row_sums_[i]);
        const T* const x = rows.data() + i * width;
        T* const row = gradient.row(i) + columns.begin;
        for (index_t c = 0; c < width; ++c) row[c] += sum * x[c];
      }
    });
  }
}

template <class T>
double EntropyGradient<T>::solve(const RationalFunction& log, double lowest, MatrixView<T> gradient,
                                 int threads, Control& control) {
  require_room(bulk_, n() * n());
  require_room(W_, n() * n());
  require_room(room_, 2 * n() * n() * poles_together(log.poles, threads));
  fill_bulk(threads);
  const MatrixView<T> L{W_.data(), n(), n(), n()};
  const MatrixView<T> R =
      function_of_matrix<T>({bulk_.data(), n(), n(), n()}, log, L, room_.data(), threads, control);
  const double smallest =
      smallest_eigenvalue({R.data, n(), n(), n()}, log.shifts[log.poles - 1], threads);
  if (smallest < lowest) throw SolverError("an eigenvalue is below those that were expected");

  double at_inside = log.constant + log.linear * inside_;
  for (index_t k = 0; k < log.poles; ++k) at_inside += log.weights[k] / (inside_ + log.shifts[k]);
  Buffer<double> b = products_with_log(threads);
  for (index_t i = 0; i < n(); ++i) {
    b[i] -= at_inside * static_cast<double>(v_[i]) * static_cast<double>(v_[i]);
  }
  const double T0 = trace_, M = sum_of(b);
  for (index_t i = 0; i < n(); ++i) {
    b[i] = -(b[i] - M / T0 * static_cast<double>(A().row(i)[i])) / T0;  // sum_j B_ij A_ij
  }
  slopes_by_distance(b, T0, at_inside, threads);
  gradient_by_rows(gradient, threads, control);
  return std::log(T0) - M / T0;
}

template class EntropyGradient<float>;
template class EntropyGradient<double>;

}  // namespace eigentropy
