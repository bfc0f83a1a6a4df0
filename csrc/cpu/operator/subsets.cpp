#include "cpu/operator/subsets.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <optional>
#include <vector>

#include "base/gaussian.hpp"
#include "base/solve_checked.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/lane_operators.hpp"
#include "cpu/rows/distances.hpp"

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

// Subsets, the largest of each list first.
struct Plan {
  std::vector<index_t> large;     // one after the other, by all threads
  std::vector<index_t> small;     // one to a thread
  std::vector<index_t> in_lanes;  // side by side
  bool shared_kernel = false;
};

index_t size_of(const std::vector<index_t>& list) { return static_cast<index_t>(list.size()); }

index_t largest_of(const std::vector<index_t>& list, const Subsets& subsets) {
  return list.empty() ? 0 : subsets.size(list[0]);
}

// Whether the subsets from `first` on are to be solved in lanes: not if the first one is so large
// that the lanes beside it would be idle for most of the time.
template <class T>
bool fills_lanes(const std::vector<index_t>& list, std::size_t first, const Subsets& subsets) {
  if (!prefers_lanes<T>(size_of(list) - static_cast<index_t>(first), subsets.size(list[first]))) {
    return false;
  }
  const auto lanes = static_cast<std::size_t>(LaneSolver<T>::lanes());
  const double most = solve_cost(subsets.size(list[first]));
  double work = 0.0;
  for (std::size_t i = first; i < std::min(first + lanes, list.size()); ++i) {
    work += solve_cost(subsets.size(list[i]));
  }
  return work >= 0.5 * most * static_cast<double>(std::min(lanes, list.size() - first));
}

// Moves the smallest subsets to plan.in_lanes.
template <class T>
void choose_lanes(Plan& plan, const Subsets& subsets) {
  std::size_t first = 0;
  while (first < plan.small.size() && !fills_lanes<T>(plan.small, first, subsets)) ++first;
  const auto from = plan.small.begin() + static_cast<std::ptrdiff_t>(first);
  plan.in_lanes.assign(from, plan.small.end());
  plan.small.erase(from, plan.small.end());
}

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
    }
    recomputing += own_kernel_cost(X, n);
    gathering += 0.5 * gather_columns * static_cast<double>(n) * static_cast<double>(n);
  }
  const double bytes = static_cast<double>(X.n) * static_cast<double>(X.n) * sizeof(T);
  plan.shared_kernel =
      kernels == SubsetKernels::shared ||
      (kernels == SubsetKernels::automatic && gathering < recomputing && bytes <= memory_limit);
  choose_lanes<T>(plan, subsets);
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

// One thread's memory for subsets in lanes, the largest of which has max_n rows.
template <class T>
struct LaneWorkspace {
  LaneWorkspace(index_t max_n, const OperatorOptions& options, bool long_rows)
      : operators(max_n, options),
        kernels(long_rows ? LaneSolver<T>::lanes() * max_n * max_n : 0) {}
  LaneOperators<T> operators;
  Buffer<T> kernels;  // of a group, if they are computed from long rows
  Scratch scratch;
};

// Where the kernels of the subsets come from: the kernel of all rows, else rows in memory, else
// rows that are read anew for each subset.
template <class T>
struct KernelSource {
  const CenteredRows<T>& X;
  const SharedKernel<T>& shared;
  double sigma;
  KernelRows<T> in_memory;

  KernelSource(const CenteredRows<T>& rows, const SharedKernel<T>& kernel, double bandwidth)
      : X(rows), shared(kernel), sigma(bandwidth), in_memory{} {
    if (rows.copy == nullptr) return;
    const T scale = exponent_scale(rows, bandwidth);
    const double error = cancellation_error(rows, largest_finite(*rows.norms));
    const bool cancels = refinement_of_kernel<T>(error, static_cast<double>(scale)).below > 0.0;
    in_memory = {rows.copy->data(), rows.d, scale, cancels};
  }
};

// Adds a group of subsets to the workspace's operators.
template <class T>
void add_group(const KernelSource<T>& source, const Subsets& subsets, const index_t* group,
               index_t count, LaneWorkspace<T>& workspace, Control& control) {
  if (source.shared.n > 0 || source.in_memory.rows != nullptr) {
    simd::LaneSubset lanes[LaneSolver<T>::most_lanes];
    for (index_t k = 0; k < count; ++k)
      lanes[k] = {subsets.begin(group[k]), subsets.size(group[k])};
    if (source.shared.n > 0) {
      return workspace.operators.gather(source.shared.view(), lanes, count);
    }
    return workspace.operators.compute(source.in_memory, lanes, count);
  }
  simd::LaneSource<T> lanes[LaneSolver<T>::most_lanes];
  T* memory = workspace.kernels.data();
  for (index_t k = 0; k < count; ++k) {
    const Scratch::Scope scope(workspace.scratch);
    const index_t n = subsets.size(group[k]);
    subset_kernel(source.X, source.shared, subsets, group[k], source.sigma,
                  SymmetricView<T>{memory, n, n}, control);
    lanes[k] = {memory, n, n, 1};
    memory += n * n;
  }
  workspace.operators.interleave(lanes, count);
}

// Solves some subsets side by side. refuse(s) is called for each whose solution fails its check.
template <class T, class Refuse>
void solve_in_lanes(const KernelSource<T>& source, const Subsets& subsets, const index_t* chosen,
                    index_t count, const OperatorOptions& options, LaneWorkspace<T>& workspace,
                    Control& control, SubsetSpectra<T>& out, const Refuse& refuse) {
  LaneOperators<T>& operators = workspace.operators;
  const index_t lanes = LaneSolver<T>::lanes();
  operators.start(subsets.size(chosen[0]));
  for (index_t first = 0; first < count; first += lanes) {
    add_group(source, subsets, chosen + first, std::min(lanes, count - first), workspace, control);
  }
  operators.find_eigenvalues();
  for (index_t k = 0; k < count; ++k) {
    const index_t s = chosen[k], n = subsets.size(s);
    T* const w = out.eigenvalues.data() + subsets.offsets[s];
    operators.copy(k, n, w);
    out.kernel_sums[s] = operators.kernel_sum(k);
    out.traces[s] = operators.trace(k);
    solve_checked([&] { check_spectrum(w, n, options, operators.trace(k), operators.squares(k)); },
                  [&] { refuse(s); });
  }
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
  if (plan.small.empty() && plan.in_lanes.empty()) return out;

  CenteredRows<T> rows = X;
  if (!plan.shared_kernel && X.fit_one_block()) rows = in_memory(X, threads);
  std::optional<Control::Detachable>
      owns_its_memory;  // not for long rows, which are read from the caller's memory
  if (plan.shared_kernel || rows.copy != nullptr) owns_its_memory.emplace(control);
  const KernelSource<T> source(rows, shared, options.sigma);
  const SingleThreadedBlas one_thread;
  const index_t step = LaneSolver<T>::task(size_of(plan.in_lanes), threads);
  const index_t alone = size_of(plan.small);
  const index_t tasks = alone + (size_of(plan.in_lanes) + step - 1) / step;
  const int workers = static_cast<int>(std::min<index_t>(threads, tasks));
  std::vector<SmallProblem<T>> workspaces;
  std::vector<LaneWorkspace<T>> lane_workspaces;
  for (int i = 0; i < workers; ++i) {
    if (alone > 0) workspaces.emplace_back(largest_of(plan.small, subsets));
    if (tasks > alone) {
      lane_workspaces.emplace_back(largest_of(plan.in_lanes, subsets), options,
                                   !plan.shared_kernel && rows.copy == nullptr);
    }
  }
  parallel_for(tasks, workers, [&](index_t task, int worker) {
    const auto own = static_cast<std::size_t>(worker);
    if (task < alone) {
      const index_t s = plan.small[static_cast<std::size_t>(task)];
      const auto solve_by = [&](Reduction reduction) {
        const Scratch::Scope scope(workspaces[own].scratch);
        solve_small(rows, shared, subsets, s, options, reduction, workspaces[own], control, out);
      };
      solve_checked([&] { solve_by(Reduction::automatic); }, [&] { solve_by(Reduction::lapack); });
      return progress.finish(subsets.size(s));
    }
    const index_t first = (task - alone) * step;
    const index_t count = std::min(step, size_of(plan.in_lanes) - first);
    const index_t* const chosen = plan.in_lanes.data() + first;
    solve_in_lanes(source, subsets, chosen, count, options, lane_workspaces[own], control, out,
                   [&](index_t s) {
                     SmallProblem<T> workspace(subsets.size(s));
                     solve_small(rows, shared, subsets, s, options, Reduction::lapack, workspace,
                                 control, out);
                   });
    for (index_t k = 0; k < count; ++k) progress.finish(subsets.size(chosen[k]));
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
