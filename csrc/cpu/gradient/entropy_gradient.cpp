#include "cpu/gradient/entropy_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>
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

// With fewer rows the calls take longer than the arithmetic, with and without eigenvectors.
constexpr index_t smallest_n = 32;

// Steps of Lanczos that find the interval of the eigenvalues. The second number is tried where the
// interval that the first has found needs more than few_poles poles.
constexpr int lanczos_steps[] = {10, 20};
constexpr index_t few_poles = 4;

// Where Lanczos finds no lower end, as many poles are tried: eigenvectors take little longer than
// more.
constexpr index_t tried_poles = 7;

// The interval begins this much below the smallest eigenvalue that Lanczos finds.
constexpr double slack = 0.95;

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

Buffer<double> copy_of(const Buffer<double>& values) {
  Buffer<double> copied(values.size());
  std::copy(values.begin(), values.end(), copied.begin());
  return copied;
}

double length_of(const Buffer<double>& y) {
  return std::sqrt(std::inner_product(y.begin(), y.end(), y.begin(), 0.0));
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

// The eigenpairs of the tridiagonal matrix that Lanczos has made, with the diagonal a. The last
// entry of b leads out of the space.
struct RitzPairs {
  RitzPairs(const std::vector<double>& a, const std::vector<double>& b)
      : k(static_cast<index_t>(a.size())), values(k), vectors(k * k), outward(b.back()) {
    std::fill(vectors.begin(), vectors.end(), 0.0);
    for (index_t i = 0; i < k; ++i) {
      vectors[i * k + i] = a[static_cast<std::size_t>(i)];
      if (i + 1 == k) continue;
      vectors[i * k + i + 1] = vectors[(i + 1) * k + i] = b[static_cast<std::size_t>(i)];
    }
    small_eigenpairs<double>({vectors.data(), k, k}, values.data());
  }

  const double* vector(index_t i) const { return vectors.data() + i * k; }
  double residual(index_t i) const { return outward * std::abs(vector(i)[k - 1]); }

  index_t k;
  Buffer<double> values, vectors;  // ascending; vector i is row i
  double outward;
};

// The residual of a Ritz pair, relative to its value, up to which it counts as an eigenpair: a
// tenth of the error of the logarithm.
template <class T>
constexpr double eigenpair_accuracy = sizeof(T) == sizeof(double) ? 1e-10 : 2e-6;

// y <- y - (y . q) q
template <class T>
void project_out(const T* q, Buffer<double>& y) {
  double along = 0.0;
  for (index_t i = 0; i < y.size(); ++i) along += y[i] * static_cast<double>(q[i]);
  for (index_t i = 0; i < y.size(); ++i) y[i] -= along * static_cast<double>(q[i]);
}

}  // namespace

template <class T>
void EntropyGradient<T>::build(const CenteredRows<T>& X, const OperatorOptions& options,
                               int threads, Control& control) {
  X_ = X;
  options_ = options;
  require_room(A_, n() * n());
  const SymmetricView<T> A{A_.data(), n(), n()};
  Stage stage(control, 0.0, 1.0, upper_tile_visits(X));
  q_ = gaussian_kernel(X, options.sigma, A, threads, stage);
  kernel_sum_ = sum_of(q_);
  if (options.normalized) {
    DiffusionScaling scaling = diffusion_operator(A, q_, options.alpha, threads);
    require_finite_operator<T>(scaling.frobenius2, n(), options.alpha);
    d_ = std::move(scaling.degrees);
    trace_ = scaling.trace;
  } else {
    d_ = copy_of(q_);
    trace_ = static_cast<double>(n());
  }
  mirror(A, threads);
  known_ = options.normalized ? known_eigenpair() : EigenPairs{};
}

// Of the eigenvalue 1 of the diffusion operator.
template <class T>
typename EntropyGradient<T>::EigenPairs EntropyGradient<T>::known_eigenpair() const {
  const double volume = sum_of(d_);
  EigenPairs known{{1.0}, Buffer<T>(n())};
  for (index_t i = 0; i < n(); ++i) known.vectors[i] = static_cast<T>(std::sqrt(d_[i] / volume));
  return known;
}

// The largest eigenvalues of A, with their vectors, as far as `steps` steps of Lanczos find them.
// They start at the row sums, which are near the eigenvector of the largest one.
template <class T>
typename EntropyGradient<T>::EigenPairs EntropyGradient<T>::largest_eigenpairs(int steps,
                                                                               int threads) const {
  Buffer<T> basis(n() * steps);
  const auto direction = [&](index_t j) { return basis.data() + j * n(); };
  std::vector<double> a, b;
  Buffer<double> y = copy_of(q_);
  double length = length_of(y);
  for (int step = 0; step < steps; ++step) {
    T* const q = direction(step);
    for (index_t i = 0; i < n(); ++i) q[i] = static_cast<T>(y[i] / length);
    y = multiply(A(), q, threads);
    double product = 0.0;
    for (index_t i = 0; i < n(); ++i) product += y[i] * static_cast<double>(q[i]);
    for (int twice = 0; twice < 2; ++twice) {  // else copies of converged eigenvalues appear
      for (index_t j = step; j >= 0; --j) project_out(direction(j), y);
    }
    length = length_of(y);
    a.push_back(product);
    b.push_back(length);
    if (!(length > 0.01 * eigenpair_accuracy<T> * a.front())) break;  // the space is invariant
  }
  const RitzPairs ritz(a, b);
  EigenPairs found;
  for (index_t i = ritz.k; i-- > 0;) {
    if (!(ritz.residual(i) <= eigenpair_accuracy<T> * ritz.values[i])) break;
    found.values.push_back(ritz.values[i]);
  }
  found.vectors = Buffer<T>(found.count() * n());
  for (index_t k = 0; k < found.count(); ++k) {
    Buffer<double> sum(n());
    std::fill(sum.begin(), sum.end(), 0.0);
    for (index_t j = 0; j < ritz.k; ++j) {
      const double share = ritz.vector(ritz.k - 1 - k)[j];
      for (index_t i = 0; i < n(); ++i) sum[i] += share * static_cast<double>(direction(j)[i]);
    }
    std::transform(sum.begin(), sum.end(), found.vectors.data() + k * n(),
                   [](double value) { return static_cast<T>(value); });
  }
  return found;
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
    growth = length_of(y);
    for (index_t i = 0; i < n; ++i) q[i] = static_cast<T>(y[i] / growth);
  }
  return 1.0 / growth - shift;
}

template <class T>
Interval EntropyGradient<T>::bulk_interval(int steps, int threads) {
  const auto& kernels = simd::gradient_kernels<T>();
  if (!options_.normalized) known_ = largest_eigenpairs(steps, threads);
  Buffer<T> q = start_vector<T>(A(), n() < several_threads_from ? 1 : threads), before(n());
  std::fill(before.begin(), before.end(), T(0));
  std::vector<double> a, b;
  for (int step = 0; step < steps; ++step) {
    Buffer<double> y = multiply(A(), q.data(), threads);
    for (index_t k = 0; k < known_.count(); ++k) {
      const T* const v = known(k);
      const double along = (inside() - known_.value(k)) * kernels.dot(v, q.data(), n());
      for (index_t i = 0; i < n(); ++i) y[i] += along * static_cast<double>(v[i]);
    }
    double product = 0.0, squares = 0.0;
    for (index_t i = 0; i < n(); ++i) product += y[i] * static_cast<double>(q[i]);
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
  const RitzPairs ritz(a, b);
  return {ritz.values[0] - ritz.residual(0), ritz.values[ritz.k - 1] + ritz.residual(ritz.k - 1)};
}

// Whether all eigenvalues of A are above `lowest`, by the Cholesky factors of the difference: a
// third of the operations of an inverse.
template <class T>
bool EntropyGradient<T>::all_above(double lowest) {
  require_room(bulk_, n() * n());
  std::copy_n(A_.data(), n() * n(), bulk_.data());
  for (index_t i = 0; i < n(); ++i) bulk_[i * (n() + 1)] -= static_cast<T>(lowest);
  const SingleThreadedBlas one_thread;
  return blas::potrf('U', blas::to_blas(n()), bulk_.data(), blas::to_blas(n())) == 0;
}

template <class T>
double EntropyGradient<T>::inside() const {
  const double known = std::accumulate(known_.values.begin(), known_.values.end(), 0.0);
  return (trace_ - known) / static_cast<double>(std::max<index_t>(1, n() - known_.count()));
}

template <class T>
void EntropyGradient<T>::fill_bulk(int threads) {
  const auto& kernels = simd::gradient_kernels<T>();
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      T* const row = bulk_.data() + i * n();
      std::copy_n(A().row(i), n(), row);
      for (index_t k = 0; k < known_.count(); ++k) {
        const auto factor = static_cast<T>(inside() - known_.value(k)) * known(k)[i];
        kernels.add_scaled(factor, known(k), row, n());
      }
    }
  });
}

// W <- log A from the logarithm of the bulk. Returns sum_j A_ij (log A)_ij for each row, in
// float64, because n^2 numbers of one sign are added up.
template <class T>
Buffer<double> EntropyGradient<T>::complete_log(double at_inside, int threads) {
  const auto& kernels = simd::gradient_kernels<T>();
  Buffer<double> p(n());
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      T* const row = W_.data() + i * n();
      for (index_t k = 0; k < known_.count(); ++k) {
        const auto factor = static_cast<T>(std::log(known_.value(k)) - at_inside) * known(k)[i];
        kernels.add_scaled(factor, known(k), row, n());
      }
      p[i] = kernels.dot(A().row(i), row, n());
    }
  });
  return p;
}

// The vectors through which the degrees d and the densities q act: dS/dr2_ij has
// (u_i + u_j) K_ij + (w_i + w_j) G_ij, where K_ij = A_ij r_i r_j, G_ij = A_ij s_i s_j, and u and w
// are in the units of A. b_i = sum_j B_ij A_ij. All are 0 where A is the kernel itself.
template <class T>
struct EntropyGradient<T>::Normalization {
  explicit Normalization(index_t n) : u(n), roots(n), w(n), scale(n) {
    for (const Buffer<T>* vector : {&u, &roots, &w, &scale}) {
      std::fill(vector->begin(), vector->end(), T(0));
    }
  }
  simd::SlopeVectors<T> vectors() const { return {u.data(), roots.data(), w.data(), scale.data()}; }
  Buffer<T> u, roots, w, scale;
};

template <class T>
typename EntropyGradient<T>::Normalization EntropyGradient<T>::through_normalization(
    const Buffer<double>& b, int threads) const {
  Normalization through(n());
  if (!options_.normalized) return through;
  for (index_t i = 0; i < n(); ++i) {
    const double root = std::sqrt(d_[i]);
    through.roots[i] = static_cast<T>(root);
    through.scale[i] = static_cast<T>(root * std::pow(q_[i], options_.alpha));
    through.u[i] = static_cast<T>(-b[i] / root);
  }
  const Buffer<double> y = multiply(A(), through.u.data(), threads);
  for (index_t i = 0; i < n(); ++i) {
    const double densities = b[i] + static_cast<double>(through.roots[i]) * y[i];
    through.w[i] =
        static_cast<T>(-options_.alpha / q_[i] * densities * static_cast<double>(through.scale[i]));
  }
  return through;
}

// W <- A o (factor W + ...) off the diagonal; diagonal entries have no effect.
// docs/explanations/gradient.md derives the formula.
template <class T>
void EntropyGradient<T>::slopes_by_distance(double factor, const Normalization& through,
                                            int threads) {
  const auto& kernels = simd::gradient_kernels<T>();
  row_sums_ = Buffer<double>(n());
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      row_sums_[i] = kernels.slope_row(A().row(i), W_.data() + i * n(), i, n(),
                                       static_cast<T>(factor), through.vectors());
    }
  });
}

// dS/dz_i = -1 / sigma^2 (sum_j W_ij z_i - sum_j W_ij z_j), which does not depend on the centre of
// the z.
template <class T>
void EntropyGradient<T>::gradient_by_rows(MatrixView<T> gradient, int threads,
                                          Control& control) const {
  const SingleThreadedBlas one_thread;
  const auto factor = static_cast<T>(-X_.scale / options_.sigma / options_.sigma);
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

  double at_inside = log.constant + log.linear * inside();
  for (index_t k = 0; k < log.poles; ++k) at_inside += log.weights[k] / (inside() + log.shifts[k]);
  Buffer<double> b = complete_log(at_inside, threads);
  const double T0 = trace_, M = sum_of(b);
  for (index_t i = 0; i < n(); ++i) {
    b[i] = -(b[i] - M / T0 * static_cast<double>(A().row(i)[i])) / T0;  // sum_j B_ij A_ij
  }
  gradient_by_slopes(-2.0 / T0, b, gradient, threads, control);
  return std::log(T0) - M / T0;
}

template <class T>
std::optional<double> EntropyGradient<T>::solve_by_logarithm(const LogFunctions& functions,
                                                             MatrixView<T> gradient, int threads,
                                                             Control& control) {
  if (n() < smallest_n) return std::nullopt;
  const LogFunction* function = nullptr;
  Interval interval{};
  for (const int steps : lanczos_steps) {
    interval = bulk_interval(steps, threads);
    function =
        interval.lower > 0.0 ? functions.reaching(slack * interval.lower, interval.upper) : nullptr;
    if (function != nullptr && function->poles() <= few_poles) break;
  }
  if (function == nullptr && interval.lower < 0.0) {
    function = functions.widest(tried_poles);
    if (function != nullptr && !all_above(interval.upper / function->kappa)) function = nullptr;
  }
  if (function == nullptr) return std::nullopt;
  const LogFunction log = function->up_to(interval.upper);
  try {
    return solve(log.rational(), interval.upper / log.kappa, gradient, threads, control);
  } catch (const SolverError&) {
    return std::nullopt;
  }
}

template <class T>
double EntropyGradient<T>::solve_by_eigenvectors(SpectralMeasure measure, MatrixView<T> gradient,
                                                 int threads, Control& control) {
  for (Buffer<T>* const matrix : {&bulk_, &W_, &room_}) require_room(*matrix, n() * n());
  std::copy_n(A_.data(), n() * n(), bulk_.data());
  Buffer<T> values(n());
  control.check();
  small_eigenpairs<T>({bulk_.data(), n(), n()}, values.data());  // eigenvectors are rows
  control.check();
  Buffer<double> slopes(n());
  const double nats = entropy_of_eigenvalues(values.data(), n(), trace_, measure, slopes.data());
  for (index_t k = 0; k < n(); ++k) {
    const T slope = static_cast<T>(slopes[k]);
    const T* const vector = bulk_.data() + k * n();
    std::transform(vector, vector + n(), room_.data() + k * n(), [&](T v) { return slope * v; });
  }
  const SingleThreadedBlas one_thread;
  const int order = blas::to_blas(n());
  blas::gemm('N', 'T', order, order, order, T(1), room_.data(), order, bulk_.data(), order, T(0),
             W_.data(), order);
  const auto& kernels = simd::gradient_kernels<T>();
  Buffer<double> b(n());
  for (index_t i = 0; i < n(); ++i) b[i] = kernels.dot(A().row(i), W_.data() + i * n(), n());
  gradient_by_slopes(2.0, b, gradient, threads, control);
  return nats;
}

template <class T>
double EntropyGradient<T>::value(SpectralMeasure measure, int threads, Control& control) {
  Buffer<T> values(n());
  control.check();
  Control unused;  // the caller's memory is written to: nobody may stop waiting for the solver
  eigenvalues<T>({A_.data(), n(), n()}, values.data(), Reduction::automatic, threads, unused, 0.0,
                 1.0);
  return entropy_of_eigenvalues(values.data(), n(), trace_, measure, nullptr);
}

// The gradient from W = dS/dA / factor * 2 and b_i = sum_j (dS/dA)_ij A_ij.
template <class T>
void EntropyGradient<T>::gradient_by_slopes(double factor, const Buffer<double>& b,
                                            MatrixView<T> gradient, int threads, Control& control) {
  slopes_by_distance(factor, through_normalization(b, threads), threads);
  gradient_by_rows(gradient, threads, control);
}

template <class T>
double EntropyGradient<T>::solve_order_two(MatrixView<T> gradient, int threads, Control& control) {
  if (options_.normalized) throw std::invalid_argument("order 2 is of the kernel itself");
  require_room(W_, n() * n());
  const auto& kernels = simd::gradient_kernels<T>();
  Buffer<double> squares(n());
  for_each_row_block(n(), threads, [&](index_t begin, index_t end, index_t) {
    for (index_t i = begin; i < end; ++i) {
      std::copy_n(A().row(i), n(), W_.data() + i * n());
      squares[i] = kernels.dot(A().row(i), A().row(i), n());
    }
  });
  const double frobenius2 = sum_of(squares);
  if (gradient.data != nullptr) {
    slopes_by_distance(-4.0 / frobenius2, Normalization(n()), threads);
    gradient_by_rows(gradient, threads, control);
  }
  return 2.0 * std::log(trace_) - std::log(frobenius2);
}

template class EntropyGradient<float>;
template class EntropyGradient<double>;

}  // namespace eigentropy
