#include "cuda/operator/subsets.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/gaussian.hpp"
#include "base/solve_checked.hpp"
#include "cuda/eigen/batches.hpp"
#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/eigen/solver.hpp"
#include "cuda/kernel/gaussian_kernel.hpp"
#include "cuda/reductions.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {
namespace {

// A smaller matrix is filled up to the order of its batch with this number on the diagonal and
// zeros elsewhere, which adds this eigenvalue and no other. The operator's eigenvalues are in [0,
// 1], the kernel's in [0, n]; a number of the same size does not increase the rounding errors.
constexpr int filling = -1;

// How many rows may be added to a matrix so that it is solved together with one of order n: a share
// of n, of which a tenth is a third more work, plus a few for matrices so small that the launch
// takes most of the time.
index_t most_filled(index_t n) {
  const double rows = static_cast<double>(n) * tuned("most_filled_share");
  return static_cast<index_t>(std::max(rows, tuned("most_filled_rows")));
}

// Proportional to n^3, plus a constant that counts for the smallest subsets.
double solve_cost(index_t n) { return std::pow(static_cast<double>(n), 3.0) + 1e4; }

// Cost of the products and exponentials of n rows, one triangle, in whole tiles.
double kernel_cost(index_t n, index_t d) {
  const double rows = std::ceil(static_cast<double>(n) / 64.0) * 64.0;
  return 0.5 * rows * rows * (static_cast<double>(d) + 30.0);
}

// Reading a kernel entry at random costs as much as this many columns of a product. It only decides
// how the kernels are obtained.
constexpr double gather_columns = tuned("gather_columns");

// Numbers of the subsets, the largest subset first.
std::vector<index_t> by_size(const Subsets& subsets) {
  std::vector<index_t> order(static_cast<std::size_t>(subsets.count()));
  std::iota(order.begin(), order.end(), index_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](index_t a, index_t b) { return subsets.size(a) > subsets.size(b); });
  return order;
}

// The upper left n x n block of each problem is the operator; the rest of its order x order entries
// is filled.
template <class T>
__global__ void fill_up(const Problem<T>* problems, index_t rows, index_t order) {
  const index_t row = row_of_warp();
  if (row >= rows) return;
  const Problem<T>& problem = problems[row / order];
  const index_t i = row % order;
  T* const entries = problem.entries + i * order;
  for (index_t j = (i < problem.n ? problem.n : 0) + lane(); j < order; j += warp_size) {
    entries[j] = static_cast<T>(i == j ? filling : 0);
  }
}

// w, ascending, of a matrix of n rows filled up to `order`, with eigenvalues up to `norm`; returns
// where its own begin.
template <class T>
const T* without_filling(const T* w, index_t n, index_t order, double norm) {
  const double tolerance = 50.0 * static_cast<double>(std::numeric_limits<T>::epsilon()) *
                           static_cast<double>(order) * norm;
  for (index_t i = 0; i < order - n; ++i) {
    // `!(x <= tolerance)` also rejects NaN.
    if (!(std::abs(static_cast<double>(w[i]) - filling) <= std::min(0.25, tolerance))) {
      throw SolverError("the eigenvalues of a matrix that was filled up to order " +
                        std::to_string(order) + " lack those of the filling");
    }
  }
  return w + (order - n);
}

template <class T>
class SubsetSolver {
 public:
  SubsetSolver(const Queue& queue, const DeviceRows<T>& X, const Subsets& subsets,
               const OperatorOptions& options, Control& control, SubsetSpectra<T>& out)
      : queue_(queue),
        X_(X),
        subsets_(subsets),
        options_(options),
        control_(control),
        out_(out),
        indices_(to_device(queue, subsets.indices.data(), subsets.indices.size())) {
    for (index_t s = 0; s < subsets.count(); ++s) total_cost_ += solve_cost(subsets.size(s));
  }

  void share_kernel() {
    shared_ = DeviceBuffer<T>(queue_, X_.n * X_.n);
    const Batch<T> all(queue_, {{X_.n, X_.n, shared_.data(), nullptr}});
    gaussian_kernels(queue_, X_, options_.sigma, all);
    queue_.synchronize();  // `all` ends here
  }

  void solve_large(index_t s) {
    solve_checked_by(drivers_of_values(subsets_.size(s)),
                     [&](Driver driver) { solve_alone(s, driver); });
    finish(s);
  }

  // Subsets of nearly the same size, the largest one first.
  void solve_together(const index_t* chosen, index_t count) {
    const index_t order = subsets_.size(chosen[0]);
    std::vector<OperatorSums> sums;
    std::optional<BatchEigenvalues<T>> found;
    std::string reason;
    {
      const DeviceBuffer<T> entries(queue_, count * order * order);
      const Batch<T> batch(queue_, problems_of(chosen, count, order, entries.data()));
      sums = build(batch);
      launch(queue_, fill_up<T>, blocks_of_warps(count * order), dim3(threads_of_warps), 0,
             batch.on_device(), count * order, order);
      try {
        found = batch_eigenvalues(queue_, entries.data(), order, count, control_);
      } catch (const SolverError& error) {
        reason = error.what();
      }
    }
    for (index_t p = 0; p < count; ++p) {
      const index_t s = chosen[p], n = subsets_.size(s);
      const auto take = [&] {
        if (!found) throw SolverError(reason);
        check_info(batch_routine, found->info[p]);
        const double norm = options_.normalized ? 1.0 : static_cast<double>(n);
        const T* const w = without_filling(found->values.data() + p * order, n, order, norm);
        store(s, w, sums[static_cast<std::size_t>(p)]);
      };
      solve_checked(take, [&] { solve_alone(s, Driver::values); });
      finish(s);
    }
  }

 private:
  Problem<T> problem_of(index_t s, index_t stride, T* entries) const {
    return {subsets_.size(s), stride, entries, indices_.data() + subsets_.offsets[s]};
  }
  std::vector<Problem<T>> problems_of(const index_t* chosen, index_t count, index_t order,
                                      T* entries) const {
    std::vector<Problem<T>> problems;
    problems.reserve(static_cast<std::size_t>(count));
    for (index_t p = 0; p < count; ++p) {
      problems.push_back(problem_of(chosen[p], order, entries + p * order * order));
    }
    return problems;
  }

  std::vector<OperatorSums> build(const Batch<T>& batch) const {
    auto q = shared_.size() > 0 ? gather_kernels(queue_, shared_.data(), X_.n, batch)
                                : gaussian_kernels(queue_, X_, options_.sigma, batch);
    auto sums = make_operators(queue_, batch, std::move(q), options_).sums;
    for (index_t p = 0; p < batch.count(); ++p) {
      require_finite_operator<T>(sums[static_cast<std::size_t>(p)].frobenius2, batch[p].n,
                                 options_.alpha);
    }
    return sums;
  }

  void solve_alone(index_t s, Driver driver) {
    const index_t n = subsets_.size(s);
    const DeviceBuffer<T> entries(queue_, n * n);
    const Batch<T> batch(queue_, {problem_of(s, n, entries.data())});
    const OperatorSums sums = build(batch)[0];
    const Buffer<T> w = detached(entries.data(), n, driver);
    store(s, w.data(), sums);
  }

  Buffer<T> detached(T* A, index_t n, Driver driver) const {
    const Control::Detachable owns_its_memory(control_);
    return eigenvalues(queue_, A, n, driver, control_);
  }

  // Throws SolverError unless w, ascending, can be the spectrum of subset s.
  void store(index_t s, const T* w, const OperatorSums& sums) {
    const index_t n = subsets_.size(s);
    check_spectrum(w, n, options_, sums.trace, sums.frobenius2);
    std::reverse_copy(w, w + n, out_.eigenvalues.data() + subsets_.offsets[s]);
    out_.kernel_sums[s] = sums.kernel_sum;
    out_.traces[s] = sums.trace;
  }

  void finish(index_t s) {
    done_cost_ += solve_cost(subsets_.size(s));
    control_.set_progress(done_cost_ / total_cost_);
    control_.check();
  }

  const Queue& queue_;
  const DeviceRows<T>& X_;
  const Subsets& subsets_;
  const OperatorOptions& options_;
  Control& control_;
  SubsetSpectra<T>& out_;
  DeviceBuffer<index_t> indices_;
  DeviceBuffer<T> shared_;  // the kernel of all rows, if it is shared
  double total_cost_ = 0.0, done_cost_ = 0.0;
};

// Whether the small subsets gather their kernels from the kernel of all rows.
template <class T>
bool shares_kernel(const Queue& queue, const DeviceRows<T>& X, const Subsets& subsets,
                   const std::vector<index_t>& small, SubsetKernels kernels, double memory_limit) {
  if (small.empty() || kernels == SubsetKernels::recomputed) return false;
  if (kernels == SubsetKernels::shared) return true;
  double recomputing = 0.0, gathering = kernel_cost(X.n, X.d);
  for (const index_t s : small) {
    const auto n = static_cast<double>(subsets.size(s));
    recomputing += kernel_cost(subsets.size(s), X.d);
    gathering += gather_columns * n * n;
  }
  const double bytes = static_cast<double>(X.n) * static_cast<double>(X.n) * sizeof(T);
  return gathering < recomputing && bytes <= std::min(memory_limit, memory_for_matrices(queue));
}

// How many of the subsets from `first` on, sorted by size, are solved together.
template <class T>
index_t batch_length(const Subsets& subsets, const std::vector<index_t>& sorted, index_t first,
                     double bytes) {
  const auto size = [&](index_t i) { return subsets.size(sorted[static_cast<std::size_t>(i)]); };
  const index_t order = size(first), smallest = order - most_filled(order);
  const index_t end =
      std::min(static_cast<index_t>(sorted.size()), first + batch_size<T>(bytes, order));
  index_t last = first + 1;
  while (last < end && size(last) >= smallest) ++last;
  return last - first;
}

}  // namespace

template <class T>
SubsetSpectra<T> subset_spectra(const Queue& queue, const DeviceRows<T>& X, Subsets& subsets,
                                const OperatorOptions& options, SubsetKernels kernels,
                                double memory_limit, Control& control) {
  const Range range("subset_spectra");
  for (index_t s = 0; s < subsets.count(); ++s) {
    std::sort(
        subsets.begin(s),
        subsets.begin(s) + subsets.size(s));  // threads then read neighbouring entries together
  }
  SubsetSpectra<T> out(subsets);
  SubsetSolver<T> solver(queue, X, subsets, options, control, out);
  std::vector<index_t> small;
  for (const index_t s : by_size(subsets)) {
    control.check();
    const index_t n = subsets.size(s);
    if (!are_batched(n)) {
      solver.solve_large(s);
    } else if (n > 0) {
      small.push_back(s);
    } else {
      out.kernel_sums[s] = 0.0;
    }
  }
  if (shares_kernel(queue, X, subsets, small, kernels, memory_limit)) solver.share_kernel();
  double bytes = memory_for_matrices(queue);
  if (memory_limit > 0.0) bytes = std::min(bytes, memory_limit);
  for (index_t first = 0; first < static_cast<index_t>(small.size());) {
    control.check();
    const index_t count = batch_length<T>(subsets, small, first, bytes);
    solver.solve_together(small.data() + first, count);
    first += count;
  }
  control.set_progress(1.0);
  return out;
}

#define EIGENTROPY_INSTANTIATE(T)                                                         \
  template SubsetSpectra<T> subset_spectra(const Queue&, const DeviceRows<T>&, Subsets&,  \
                                           const OperatorOptions&, SubsetKernels, double, \
                                           Control&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
