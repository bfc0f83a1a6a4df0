#include "cpu/gradient/sequence_gradients.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/rows/median_distance.hpp"

namespace eigentropy {
namespace {

// A median distance below this, in units of the largest offset from the centre, is computed again
// in float64: beside rows that are far away the others have lost digits.
constexpr double reliable_median = 0.1;

template <class T>
double median_in(InputView<T> rows, int threads, Control& control) {
  const auto X = center_rows<T, T>(rows, {}, threads, control);
  const double median = median_distance(X, threads, control);
  if (sizeof(T) == sizeof(double) || median >= reliable_median) return X.scale * median;
  const auto exact = center_rows<T, double>(rows, centering_for_distances(), threads, control);
  return exact.scale * median_distance(exact, threads, control);
}

// The share of the median distance; 1 where all rows are equal.
template <class T>
double width_of(InputView<T> rows, double share, int threads, Control& control) {
  const double width = share * median_in(rows, threads, control);
  return width > 0.0 ? width : 1.0;
}

template <class T>
double solve_one(EntropyGradient<T>& batch, const SequenceOptions& options,
                 const LogFunctions& functions, MatrixView<T> gradient, int threads,
                 Control& control) {
  const SpectralMeasure& measure = options.measure;
  if (!measure.normalized && measure.exponent == 2.0) {
    return batch.solve_order_two(gradient, threads, control);
  }
  if (gradient.data == nullptr) return batch.value(measure, threads, control);
  if (options.may_approximate && measure.exponent == 1.0) {
    const auto found = batch.solve_by_logarithm(functions, gradient, threads, control);
    if (found.has_value()) return *found;
  }
  return batch.solve_by_eigenvectors(measure, gradient, threads, control);
}

// One row has entropy 0, whatever it is.
template <class T>
void solve_single_row(index_t k, const SequenceResults<T>& results, MatrixView<T> gradient) {
  results.nats[k] = 0.0;
  results.kernel_sums[k] = 1.0;
  results.solved[k] = true;
  if (std::isnan(results.sigmas[k])) results.sigmas[k] = 1.0;
  if (gradient.data != nullptr) std::fill_n(gradient.data, gradient.cols, T(0));
}

// Numbers of the sequences, the longest first, so that no long one is left for the end.
std::vector<std::size_t> by_length(const std::vector<Sequence>& sequences) {
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sequences[a].rows > sequences[b].rows;
  });
  return order;
}

}  // namespace

template <class T>
void SequenceGradients<T>::solve(InputView<T> rows, const std::vector<Sequence>& sequences,
                                 const SequenceOptions& options, const LogFunctions& functions,
                                 const SequenceResults<T>& results, int threads, Control& control) {
  const auto count = static_cast<index_t>(sequences.size());
  const int workers = static_cast<int>(std::min<index_t>(threads, count));
  const int within = count == 1 ? threads : 1;
  while (static_cast<int>(workers_.size()) < workers) {
    workers_.push_back(std::make_unique<EntropyGradient<T>>());
  }
  const std::vector<std::size_t> order = by_length(sequences);
  const SingleThreadedBlas one_thread;
  Stage stage(control, 0.0, 1.0, std::max<index_t>(1, count));
  parallel_for(count, workers, [&](index_t number, int worker) {
    const std::size_t s = order[static_cast<std::size_t>(number)];
    const auto k = static_cast<index_t>(s);
    const Sequence sequence = sequences[s];
    EntropyGradient<T>& batch = *workers_[static_cast<std::size_t>(worker)];
    InputView<T> part = rows;
    part.data = rows.row(sequence.first);
    part.rows = sequence.rows;
    MatrixView<T> gradient = results.gradient;
    if (gradient.data != nullptr) gradient.data = gradient.row(sequence.first);
    gradient.rows = sequence.rows;
    if (sequence.rows == 1) {
      solve_single_row(k, results, gradient);
      return stage.finish_task();
    }
    double& sigma = results.sigmas[k];
    if (std::isnan(sigma)) sigma = width_of(part, options.share_of_median, within, control);
    const auto X = center_rows<T, T>(part, centering_for_kernel<T>(sigma), within, control);
    batch.build(X, {sigma, options.alpha, options.measure.normalized}, within, control);
    results.kernel_sums[k] = batch.kernel_sum();
    try {
      results.nats[k] = solve_one(batch, options, functions, gradient, within, control);
      results.solved[k] = true;
    } catch (const SolverError&) {
      results.nats[k] = std::numeric_limits<double>::quiet_NaN();
      results.solved[k] = false;
    }
    stage.finish_task();
  });
}

template class SequenceGradients<float>;
template class SequenceGradients<double>;

}  // namespace eigentropy
