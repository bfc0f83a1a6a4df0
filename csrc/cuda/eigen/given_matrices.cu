#include "cuda/eigen/given_matrices.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/solve_checked.hpp"
#include "base/spectrum.hpp"
#include "cuda/eigen/batches.hpp"
#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/eigen/solver.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

// largest_i <- max |a_ij| over the upper triangle; infinity if an entry is not finite.
template <class T>
__global__ void find_magnitudes(const T* A, index_t rows, index_t n, T* largest) {
  const index_t row = row_of_warp();
  if (row >= rows) return;
  const index_t i = row % n;
  T most = 0;
  int bad = 0;
  for (index_t j = i + lane(); j < n; j += warp_size) {
    const T size = std::abs(A[row * n + j]);
    if (!isfinite(size)) bad = 1;
    most = size > most ? size : most;
  }
  for (int mask = warp_size / 2; mask > 0; mask /= 2) {
    const T other = __shfl_xor_sync(0xffffffffU, most, mask);
    most = other > most ? other : most;
  }
  bad = warp_sum(bad);
  if (lane() == 0) largest[row] = bad == 0 ? most : static_cast<T>(HUGE_VAL);
}

// copy <- A / scale of each matrix, the upper triangle in both, and of each row what it adds to the
// traces: its diagonal entry, and the squares of both triangles.
template <class T>
__global__ void copy_scaled(const T* A, index_t rows, index_t n, const double* factors, T* copy,
                            double* diagonal, double* squares) {
  const index_t row = row_of_warp();
  if (row >= rows) return;
  const index_t b = row / n, i = row % n;
  const T* const matrix = A + b * n * n;
  double sum = 0.0;
  for (index_t j = lane(); j < n; j += warp_size) {
    const T entry = i <= j ? matrix[i * n + j] : matrix[j * n + i];
    const T value = static_cast<T>(static_cast<double>(entry) * factors[b]);
    copy[row * n + j] = value;
    sum += static_cast<double>(value) * static_cast<double>(value);
    if (i == j) diagonal[row] = static_cast<double>(value);
  }
  sum = warp_sum(sum);
  if (lane() == 0) squares[row] = sum;
}

// The same in A's own memory; only the upper triangle is written.
template <class T>
__global__ void scale_in_place(T* A, index_t n, const double* factors, double* diagonal,
                               double* squares) {
  const index_t i = row_of_warp();
  if (i >= n) return;
  double sum = 0.0;
  for (index_t j = i + lane(); j < n; j += warp_size) {
    const T value = static_cast<T>(static_cast<double>(A[i * n + j]) * factors[0]);
    A[i * n + j] = value;
    const double square = static_cast<double>(value) * static_cast<double>(value);
    sum += i == j ? square : 2.0 * square;
    if (i == j) diagonal[i] = static_cast<double>(value);
  }
  sum = warp_sum(sum);
  if (lane() == 0) squares[i] = sum;
}

struct Traces {
  double trace = 0.0, frobenius2 = 0.0;
};

// Of `rows` rows in matrices of order n.
std::vector<Traces> add_up(const Queue& queue, const double* parts, index_t rows, index_t n) {
  const Buffer<double> found = to_host(queue, parts, 2 * rows);
  std::vector<Traces> traces(static_cast<std::size_t>(rows / n));
  for (index_t row = 0; row < rows; ++row) {
    Traces& of_matrix = traces[static_cast<std::size_t>(row / n)];
    of_matrix.trace += found[row];
    of_matrix.frobenius2 += found[rows + row];
  }
  return traces;
}

// Checks the ascending eigenvalues of A / scale and turns them into the descending eigenvalues of
// A.
template <class T>
void finish(const T* w, index_t n, const Traces& expected, double scale, T* out) {
  if (!spectrum_matches(w, n, expected.trace, expected.frobenius2)) {
    throw SolverError("the eigenvalues do not add up to the trace of the matrix");
  }
  for (index_t i = 0; i < n; ++i) {
    out[i] = static_cast<T>(static_cast<double>(w[n - 1 - i]) * scale);
  }
}

// Solves `count` matrices of order n in the caller's memory.
template <class T>
class GivenMatrices {
 public:
  GivenMatrices(const Queue& queue, T* A, index_t count, index_t n, Control& control)
      : queue_(queue), A_(A), n_(n), control_(control), scales_(count), factors_(queue, count) {
    find_scales(count);
  }

  // out <- the spectra of `count` matrices.
  void solve_together(index_t first, index_t count, T* out) const {
    std::optional<BatchEigenvalues<T>> found;
    std::string reason;
    std::vector<Traces> traces;
    {
      const DeviceBuffer<T> copy(queue_, count * n_ * n_);
      traces = copy_to(copy.data(), first, count);
      try {
        found = batch_eigenvalues(queue_, copy.data(), n_, count, control_);
      } catch (const SolverError& error) {
        reason = error.what();
      }
    }
    for (index_t b = 0; b < count; ++b) {
      const auto take = [&] {
        if (!found) throw SolverError(reason);
        check_info(batch_routine, found->info[b]);
        finish(found->values.data() + b * n_, n_, traces[static_cast<std::size_t>(b)],
               scales_[first + b], out + b * n_);
      };
      solve_checked(take, [&] { solve_copy(first + b, Driver::values, out + b * n_); });
    }
  }

  void solve_alone(index_t b, T* out) const {
    try {
      solve_checked_by(drivers_of_values(n_), [&](Driver driver) { solve_copy(b, driver, out); });
    } catch (const OutOfDeviceMemory&) {
      solve_in_place(b, out);
    }
  }

 private:
  void find_scales(index_t count) {
    const index_t rows = count * n_;
    const DeviceBuffer<T> there(queue_, rows);
    launch(queue_, find_magnitudes<T>, blocks_of_warps(rows), dim3(threads_of_warps), 0, A_, rows,
           n_, there.data());
    const Buffer<T> largest = to_host(queue_, there.data(), rows);
    Buffer<double> inverses(count);
    for (index_t b = 0; b < count; ++b) {
      const T* const begin = largest.data() + b * n_;
      for (index_t i = 0; i < n_; ++i) {
        if (!std::isfinite(begin[i])) throw_not_finite(b, count, i);
      }
      const T most = n_ == 0 ? T(0) : *std::max_element(begin, begin + n_);
      scales_[b] = scale_of<T>(static_cast<double>(most));
      inverses[b] = 1.0 / scales_[b];
    }
    copy(queue_, factors_.data(), inverses.data(), count);
    queue_.synchronize();  // before the host's numbers are freed
  }

  [[noreturn]] static void throw_not_finite(index_t b, index_t count, index_t row) {
    const std::string which = count == 1 ? "" : "matrix " + std::to_string(b) + ": ";
    throw std::invalid_argument(
        which + "A has NaN or infinity in the upper triangle; the first is in row " +
        std::to_string(row));
  }

  std::vector<Traces> copy_to(T* to, index_t first, index_t count) const {
    const index_t rows = count * n_;
    const DeviceBuffer<double> parts(queue_, 2 * rows);
    launch(queue_, copy_scaled<T>, blocks_of_warps(rows), dim3(threads_of_warps), 0,
           A_ + first * n_ * n_, rows, n_, factors_.data() + first, to, parts.data(),
           parts.data() + rows);
    return add_up(queue_, parts.data(), rows, n_);
  }

  void solve_copy(index_t b, Driver driver, T* out) const {
    const DeviceBuffer<T> copy(queue_, n_ * n_);
    const Traces expected = copy_to(copy.data(), b, 1)[0];
    const Buffer<T> w = eigenvalues(queue_, copy.data(), n_, driver, control_);
    finish(w.data(), n_, expected, scales_[b], out);
  }

  void solve_in_place(index_t b, T* out) const {
    T* const A = A_ + b * n_ * n_;
    const DeviceBuffer<double> parts(queue_, 2 * n_);
    launch(queue_, scale_in_place<T>, blocks_of_warps(n_), dim3(threads_of_warps), 0, A, n_,
           factors_.data() + b, parts.data(), parts.data() + n_);
    const Traces expected = add_up(queue_, parts.data(), n_, n_)[0];
    const Buffer<T> w = eigenvalues(queue_, A, n_, Driver::values, control_);
    finish(w.data(), n_, expected, scales_[b], out);
  }

  const Queue& queue_;
  T* A_;
  index_t n_;
  Control& control_;
  Buffer<double> scales_;
  DeviceBuffer<double> factors_;  // 1 / scale
};

}  // namespace

template <class T>
Buffer<T> symmetric_spectra(const Queue& queue, T* A, index_t count, index_t n, Control& control) {
  const Range range("symmetric_spectra");
  Buffer<T> spectra(count * n);
  if (spectra.size() == 0) return spectra;
  const GivenMatrices<T> matrices(queue, A, count, n, control);
  const bool together = are_batched(n) && count > 1;
  const index_t at_a_time = together ? batch_size<T>(memory_for_matrices(queue), n) : 1;
  for (index_t first = 0; first < count; first += at_a_time) {
    control.check();
    T* const out = spectra.data() + first * n;
    const index_t number = std::min(at_a_time, count - first);
    if (together) {
      matrices.solve_together(first, number, out);
    } else {
      matrices.solve_alone(first, out);
    }
    control.set_progress(static_cast<double>(first + number) / static_cast<double>(count));
  }
  return spectra;
}

template Buffer<float> symmetric_spectra(const Queue&, float*, index_t, index_t, Control&);
template Buffer<double> symmetric_spectra(const Queue&, double*, index_t, index_t, Control&);

}  // namespace eigentropy::cuda
