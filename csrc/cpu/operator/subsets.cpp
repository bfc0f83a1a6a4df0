#include "cpu/operator/subsets.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "base/solve_checked.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/operator/diffusion.hpp"

namespace eigentropy {
namespace {

// A subset of at most this many rows is solved by one thread. A larger one keeps all threads busy
// by itself; solving several at once would take a large matrix for each thread.
constexpr index_t small_subset = 1500;

// Numbers of the subsets, the largest subset first, so that no long problem is left for the end.
std::vector<index_t> by_size(const Subsets& subsets) {
  std::vector<index_t> order(static_cast<std::size_t>(subsets.count()));
  std::iota(order.begin(), order.end(), index_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](index_t a, index_t b) { return subsets.size(a) > subsets.size(b); });
  return order;
}

// Proportional to n^3, plus a constant that counts for the smallest subsets.
double solve_cost(index_t n) { return std::pow(static_cast<double>(n), 3.0) + 1e4; }

// Cost of the products and exponentials of n rows, one triangle.
double kernel_cost(index_t n, index_t d) {
  return 0.5 * static_cast<double>(n) * static_cast<double>(n) * (static_cast<double>(d) + 30.0);
}

// A guess: reading a kernel entry at random costs as much as this many columns of a product. This
// guess and the next only decide how the kernels are obtained.
constexpr double gather_columns = 20.0;

// A guess: reading and centring an element of a long row again costs as much as this many products.
constexpr double read_products = 20.0;

// Cost of computing a subset's kernel from its rows. Rows that fit one block of columns are copied
// once for all subsets.
template <class T>
double own_kernel_cost(const CenteredRows<T>& X, index_t n) {
  const double elements = static_cast<double>(n) * static_cast<double>(X.d);
  return kernel_cost(n, X.d) + (X.fit_one_block() ? 0.0 : read_products * elements);
}

struct Plan {
  std::vector<index_t> large;
  std::vector<index_t> small;
  index_t largest_small = 0;
  bool shared_kernel = false;
};

template <class T>
Plan make_plan(const CenteredRows<T>& X, const Subsets& subsets, SubsetKernels kernels,
               double memory_limit) {
  Plan plan;
  plan.small.reserve(static_cast<std::size_t>(subsets.count()));
  double recomputing = 0.0, gathering = own_kernel_cost(X, X.n);
  for (const index_t s : by_size(subsets)) {
    const index_t n = subsets.size(s);
    if (n > small_subset) {
      plan.large.push_back(s);
    } else {
      plan.small.push_back(s);
      plan.largest_small = std::max(plan.largest_small, n);
    }
    recomputing += own_kernel_cost(X, n);
    gathering += 0.5 * gather_columns * static_cast<double>(n) * static_cast<double>(n);
  }
  const double bytes = static_cast<double>(X.n) * static_cast<double>(X.n) * sizeof(T);
  plan.shared_kernel =
      kernels == SubsetKernels::shared ||
      (kernels == SubsetKernels::automatic && gathering < recomputing && bytes <= memory_limit);
  return plan;
}

// sub <- G(indices, indices) for ascending indices: the upper triangle, and the lower half of the
// diagonal tiles, which passes over tiles read. Returns the row sums.
template <class T>
Buffer<double> gather(SymmetricView<T> G, const index_t* indices, SymmetricView<T> sub) {
  Buffer<double> q(sub.n);
  std::fill(q.begin(), q.end(), 0.0);
  for (index_t i = 0; i < sub.n; ++i) {
    const T* source = G.row(indices[i]);
    T* target = sub.row(i);
    target[i] = 1;
    double sum = 1.0;
    for (index_t j = i + 1; j < sub.n; ++j) {
      const T g = source[indices[j]];
      target[j] = g;
      sum += static_cast<double>(g);
      q[j] += static_cast<double>(g);
    }
    q[i] += sum;
    const index_t tile_end = std::min(sub.n, (i / tile_size + 1) * tile_size);
    for (index_t j = i + 1; j < tile_end; ++j) sub.row(j)[i] = target[j];
  }
  return q;
}

// The Gaussian kernel of all rows, if the plan has one.
template <class T>
struct SharedKernel {
  Buffer<T> entries;
  index_t n = 0;

  SymmetricView<T> view() const { return {entries.data(), n, n}; }
};

template <class T>
SharedKernel<T> build_shared_kernel(const CenteredRows<T>& X, double sigma, int threads,
                                    Control& control) {
  SharedKernel<T> shared{Buffer<T>(X.n * X.n), X.n};
  Stage stage(control);  // without progress: the bar counts solved subsets
  gaussian_kernel(X, sigma, shared.view(), threads, stage);
  return shared;
}

template <class T>
Buffer<double> subset_kernel(const CenteredRows<T>& X, const SharedKernel<T>& shared,
                             const Subsets& subsets, index_t s, double sigma, SymmetricView<T> G,
                             Control& control) {
  if (shared.n > 0) return gather(shared.view(), subsets.begin(s), G);
  const CenteredRows<T> rows = view_rows(X, subsets.begin(s), subsets.size(s));
  Stage stage(control);
  return gaussian_kernel(rows, sigma, G, 1, stage);
}

struct Traces {
  double trace;
  double squares;
};

// A <- the operator of the kernel A with row sums q; its traces.
template <class T>
Traces normalize(SymmetricView<T> A, const Buffer<double>& q, const OperatorOptions& options,
                 int threads) {
  if (!options.normalized) return {static_cast<double>(A.n), frobenius2(A, threads)};
  const DiffusionScaling scaling = diffusion_operator(A, q, options.alpha, threads);
  return {scaling.trace, scaling.frobenius2};
}

template <class T>
void solve_small(const CenteredRows<T>& X, const SharedKernel<T>& shared, const Subsets& subsets,
                 index_t s, const OperatorOptions& options, Reduction reduction,
                 SmallProblem<T>& workspace, Control& control, SubsetSpectra<T>& out) {
  const index_t n = subsets.size(s);
  const SymmetricView<T> A{workspace.matrix.data(), n, n};
  const Buffer<double> q = subset_kernel(X, shared, subsets, s, options.sigma, A, control);
  out.kernel_sums[s] = std::accumulate(q.begin(), q.end(), 0.0);
  const Traces traces = normalize(A, q, options, 1);
  out.traces[s] = traces.trace;
  T* w = out.eigenvalues.data() + subsets.offsets[s];
  if (reduction == Reduction::automatic) {
    workspace.solver.eigenvalues(A, w);
  } else {
    Control unused;  // the caller reports the progress of all subsets
    eigenvalues(A, w, reduction, 1, unused, 0.0, 1.0);
  }
  check_spectrum(w, n, options, traces.trace, traces.squares);
  std::reverse(w, w + n);
}

// A large subset whose kernel is gathered from that of all rows.
template <class T>
void solve_gathered(const SharedKernel<T>& shared, const Subsets& subsets, index_t s,
                    const OperatorOptions& options, int threads, Control& control, double from,
                    double to, SubsetSpectra<T>& out) {
  const index_t n = subsets.size(s);
  Buffer<T> matrix(n * n);
  const SymmetricView<T> A{matrix.data(), n, n};
  T* w = out.eigenvalues.data() + subsets.offsets[s];
  const auto solve_by = [&](Reduction reduction) {
    const Buffer<double> q = gather(shared.view(), subsets.begin(s), A);
    out.kernel_sums[s] = std::accumulate(q.begin(), q.end(), 0.0);
    const Traces traces = normalize(A, q, options, threads);
    out.traces[s] = traces.trace;
    eigenvalues(A, w, reduction, threads, control, from, to);
    check_spectrum(w, n, options, traces.trace, traces.squares);
  };
  solve_checked([&] { solve_by(Reduction::automatic); }, [&] { solve_by(Reduction::lapack); });
  std::reverse(w, w + n);
}

template <class T>
void solve_large(const CenteredRows<T>& X, const SharedKernel<T>& shared, const Subsets& subsets,
                 index_t s, const OperatorOptions& options, int threads, Control& control,
                 double from, double to, SubsetSpectra<T>& out) {
  if (shared.n > 0) {
    return solve_gathered(shared, subsets, s, options, threads, control, from, to, out);
  }
  const CenteredRows<T> rows = view_rows(X, subsets.begin(s), subsets.size(s));
  const Spectrum<T> spectrum = diffusion_spectrum(rows, options, threads, control, from, to);
  std::copy(spectrum.eigenvalues.begin(), spectrum.eigenvalues.end(),
            out.eigenvalues.data() + subsets.offsets[s]);
  out.kernel_sums[s] = spectrum.kernel_sum;
  out.traces[s] = spectrum.trace;
}

// The progress of all subsets, in units of solve_cost.
class CostProgress {
 public:
  CostProgress(Control& control, const Subsets& subsets) : control_(control) {
    for (index_t s = 0; s < subsets.count(); ++s) total_ += solve_cost(subsets.size(s));
  }
  double done() const { return static_cast<double>(done_.load()) / total_; }
  double after(index_t n) const { return done() + solve_cost(n) / total_; }

  void finish(index_t n) {
    done_.fetch_add(static_cast<std::int64_t>(solve_cost(n)));
    control_.set_progress(done());
    control_.check();
  }

 private:
  Control& control_;
  double total_ = 0.0;
  std::atomic<std::int64_t> done_{0};
};

}  // namespace

template <class T>
SubsetSpectra<T> subset_spectra(const CenteredRows<T>& X, Subsets& subsets,
                                const OperatorOptions& options, SubsetKernels kernels,
                                double memory_limit, int threads, Control& control) {
  for (index_t s = 0; s < subsets.count(); ++s) {
    std::sort(subsets.begin(s),
              subsets.begin(s) + subsets.size(s));  // gather reads the upper triangle only
  }
  SubsetSpectra<T> out(subsets);
  const Plan plan = make_plan(X, subsets, kernels, memory_limit);
  CostProgress progress(control, subsets);
  SharedKernel<T> shared;
  if (plan.shared_kernel) shared = build_shared_kernel(X, options.sigma, threads, control);
  for (const index_t s : plan.large) {
    const index_t n = subsets.size(s);
    solve_large(X, shared, subsets, s, options, threads, control, progress.done(),
                progress.after(n), out);
    progress.finish(subsets.size(s));
  }
  if (plan.small.empty()) return out;

  CenteredRows<T> rows = X;
  if (!plan.shared_kernel && X.fit_one_block()) rows = in_memory(X, threads);
  std::optional<Control::Detachable>
      owns_its_memory;  // not for long rows, which are read from the caller's memory
  if (plan.shared_kernel || rows.copy != nullptr) owns_its_memory.emplace(control);
  const SingleThreadedBlas one_thread;
  const int workers =
      static_cast<int>(std::min<index_t>(threads, static_cast<index_t>(plan.small.size())));
  std::vector<SmallProblem<T>> workspaces;
  for (int i = 0; i < workers; ++i) workspaces.emplace_back(plan.largest_small);
  parallel_for(static_cast<index_t>(plan.small.size()), workers, [&](index_t i, int worker) {
    const index_t s = plan.small[static_cast<std::size_t>(i)];
    auto& workspace = workspaces[static_cast<std::size_t>(worker)];
    const auto solve_by = [&](Reduction reduction) {
      const Scratch::Scope scope(workspace.scratch);
      solve_small(rows, shared, subsets, s, options, reduction, workspace, control, out);
    };
    solve_checked([&] { solve_by(Reduction::automatic); }, [&] { solve_by(Reduction::lapack); });
    progress.finish(subsets.size(s));
  });
  return out;
}

#define EIGENTROPY_INSTANTIATE(T)                                                              \
  template SubsetSpectra<T> subset_spectra(const CenteredRows<T>&, Subsets&,                   \
                                           const OperatorOptions&, SubsetKernels, double, int, \
                                           Control&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
