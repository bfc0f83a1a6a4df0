#include "cuda/operator/diffusion.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/gaussian.hpp"
#include "base/solve_checked.hpp"
#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/handles.hpp"
#include "cuda/kernel/gaussian_kernel.hpp"
#include "cuda/reductions.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {
namespace {

// Share of the progress bar that the matrix takes: 2 n^2 d of 2 n^2 d + (4/3) n^3 flops, where the
// latter run at a fraction of the rate.
double matrix_share(index_t n, index_t d) {
  const auto columns = static_cast<double>(d);
  return columns / (columns + tuned("solve_columns") * static_cast<double>(n));
}

// A_ij <- A_ij - v_i v_j
template <class T>
__global__ void subtract_outer_product(T* A, index_t n, const T* v) {
  const index_t i = row_of_warp();
  if (i >= n) return;
  for (index_t j = lane(); j < n; j += warp_size) A[i * n + j] -= v[i] * v[j];
}

// A <- A - v v^T with v = sqrt(d) / |sqrt(d)|, the eigenvector to the eigenvalue 1 that says
// nothing about the data.
template <class T>
void remove_trivial_pair(const Queue& queue, const DeviceMatrix<T>& A) {
  const double volume = std::accumulate(A.degrees.begin(), A.degrees.end(), 0.0);
  Buffer<T> v(A.n);
  for (index_t i = 0; i < A.n; ++i) v[i] = static_cast<T>(std::sqrt(A.degrees[i] / volume));
  const auto there = to_device(queue, v.data(), A.n);
  launch(queue, subtract_outer_product<T>, blocks_of_warps(A.n), dim3(threads_of_warps), 0,
         A.entries.data(), A.n, there.data());
  queue.synchronize();  // before v is freed
}

// Throws SolverError unless w can be the spectrum of A, after the 0 that remove_trivial_pair has
// put in place of the eigenvalue 1 is set to 1 again. The traces without that eigenvalue would
// suffer from cancellation if the other eigenvalues are small.
template <class T>
void check_remaining(const Buffer<T>& w, const DeviceMatrix<T>& A, const OperatorOptions& options) {
  Buffer<T> whole(w.size());
  std::copy(w.begin(), w.end(), whole.begin());
  *std::min_element(whole.begin(), whole.end(),
                    [](T a, T b) { return std::abs(a) < std::abs(b); }) += T(1);
  check_spectrum(whole.data(), whole.size(), options, A.trace, A.frobenius2);
}

// `k` rows of A, the last one first, as columns.
template <class T>
Buffer<T> last_rows_as_columns(const Queue& queue, const DeviceMatrix<T>& A, index_t k) {
  const index_t n = A.n;
  const Buffer<T> rows = to_host(queue, A.entries.data() + (n - k) * n, k * n);
  Buffer<T> columns(n * k);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < k; ++j) columns[i * k + j] = rows[(k - 1 - j) * n + i];
  }
  return columns;
}

cublasStatus_t gemm(cublasHandle_t handle, index_t m, index_t n, index_t k, const double* a,
                    const double* b, double* c) {
  const double one = 1.0, zero = 0.0;
  return cublasDgemm_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, m, b, k, &zero, c, m);
}
cublasStatus_t gemm(cublasHandle_t handle, index_t m, index_t n, index_t k, const float* a,
                    const float* b, float* c) {
  const float one = 1.0F, zero = 0.0F;
  return cublasSgemm_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, m, b, k, &zero, c, m);
}

}  // namespace

template <class T>
DeviceMatrix<T> build_matrix(const Queue& queue, const DeviceRows<T>& X,
                             const OperatorOptions& options, Control& control) {
  const Range range("build_matrix");
  control.check();
  DeviceMatrix<T> matrix;
  matrix.n = X.n;
  matrix.entries = DeviceBuffer<T>(queue, X.n * X.n);
  const Batch<T> batch(queue, {{X.n, X.n, matrix.entries.data(), nullptr}});
  Operators<T> operators =
      make_operators(queue, batch, gaussian_kernels(queue, X, options.sigma, batch), options);
  matrix.trace = operators.sums[0].trace;
  matrix.frobenius2 = operators.sums[0].frobenius2;
  matrix.kernel_sum = operators.sums[0].kernel_sum;
  matrix.degrees = std::move(operators.degrees);
  require_finite_operator<T>(matrix.frobenius2, X.n, options.alpha);
  control.check();
  return matrix;
}

template <class T>
Spectrum<T> diffusion_spectrum(const Queue& queue, const DeviceRows<T>& X,
                               const OperatorOptions& options, Control& control) {
  const Range range("diffusion_spectrum");
  const auto solve_by = [&](Driver driver) {
    const DeviceMatrix<T> matrix = build_matrix(queue, X, options, control);
    control.set_progress(matrix_share(X.n, X.d));
    const double reach = X.scale / options.sigma * std::sqrt(static_cast<double>(X.max_norm));
    Spectrum<T> spectrum{{}, matrix.trace, matrix.frobenius2, matrix.kernel_sum, reach};
    {
      const Control::Detachable owns_its_memory(control);
      spectrum.eigenvalues = eigenvalues(queue, matrix.entries.data(), X.n, driver, control);
    }
    control.check();
    T* const w = spectrum.eigenvalues.data();
    check_spectrum(w, X.n, options, matrix.trace, matrix.frobenius2);
    std::reverse(w, w + X.n);
    control.set_progress(1.0);
    return spectrum;
  };
  return solve_checked_by(drivers_of_values(X.n), solve_by);
}

template <class T>
Eigenpairs<T> diffusion_eigenpairs(const Queue& queue, const DeviceRows<T>& X,
                                   const OperatorOptions& options, index_t k, Control& control) {
  const Range range("diffusion_eigenpairs");
  const auto solve_by = [&](Driver driver) {
    DeviceMatrix<T> A = build_matrix(queue, X, options, control);
    control.set_progress(matrix_share(X.n, X.d));
    remove_trivial_pair(queue, A);
    Buffer<T> w;
    {
      const Control::Detachable owns_its_memory(control);
      w = eigenvalues(queue, A.entries.data(), X.n, driver, control);
    }
    control.check();
    check_remaining(w, A, options);
    Eigenpairs<T> pairs{Buffer<T>(k), last_rows_as_columns(queue, A, k), std::move(A.degrees)};
    std::reverse_copy(w.end() - k, w.end(), pairs.values.begin());
    control.set_progress(1.0);
    return pairs;
  };
  return solve_checked([&] { return solve_by(Driver::vectors); },
                       [&] { return solve_by(Driver::batched); });
}

// In column-major order: out^T (m x n) = V^T A.
template <class T>
DeviceBuffer<T> symmetric_product(const Queue& queue, const T* A, index_t n, const T* V,
                                  index_t m) {
  const Range range("symmetric_product");
  DeviceBuffer<T> out(queue, n * m);
  if (out.size() == 0) return out;
  const BlasHandle handle(queue);
  check(gemm(handle, m, n, n, V, A, out.data()), "cublasXgemm_64");
  return out;
}

#define EIGENTROPY_INSTANTIATE(T)                                                         \
  template DeviceMatrix<T> build_matrix(const Queue&, const DeviceRows<T>&,               \
                                        const OperatorOptions&, Control&);                \
  template Spectrum<T> diffusion_spectrum(const Queue&, const DeviceRows<T>&,             \
                                          const OperatorOptions&, Control&);              \
  template Eigenpairs<T> diffusion_eigenpairs(const Queue&, const DeviceRows<T>&,         \
                                              const OperatorOptions&, index_t, Control&); \
  template DeviceBuffer<T> symmetric_product(const Queue&, const T*, index_t, const T*, index_t);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
