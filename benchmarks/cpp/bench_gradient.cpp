// The parts of a gradient of the entropy, as a training loop asks for it: batch after batch.
#include "cpu/gradient/entropy_gradient.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

constexpr index_t d = 256;

// A batch in memory that earlier ones have left, as all but the first of a loop are.
template <class T>
struct Batch {
  explicit Batch(index_t n) : X(gaussian_rows<T>(n, d)) { build(); }

  void build() {
    Control control;
    gradient.build(X, {bandwidth(d), 0.5}, thread_count(), control);
  }

  CenteredRows<T> X;
  EntropyGradient<T> gradient;
};

template <class T>
void gradient_operator(benchmark::State& state) {
  const index_t n = state.range(0);
  const Threads threads(static_cast<int>(state.range(1)));
  Batch<T> batch(n);
  for (auto _ : state) batch.build();
  if (!(batch.gradient.kernel_sum() >= static_cast<double>(n))) state.SkipWithError("wrong result");
  const auto rows = static_cast<double>(n);
  count_flops<T>(state, rows * rows * static_cast<double>(d), thread_count());
}

template <class T>
void gradient_interval(benchmark::State& state) {
  constexpr int steps = 10;
  const index_t n = state.range(0);
  const Threads threads(static_cast<int>(state.range(1)));
  Batch<T> batch(n);
  Interval found{};
  for (auto _ : state) found = batch.gradient.bulk_interval(steps, thread_count());
  if (!(found.lower < found.upper && found.upper < 1.0)) state.SkipWithError("wrong result");
  const auto rows = static_cast<double>(n);
  count_bytes(state, steps * rows * rows * sizeof(T));
}

// One pole for each thread of two.
template <class T>
void gradient_solution(benchmark::State& state) {
  const std::vector<double> shifts{0.5, 0.05}, weights{-1.0, -0.1};
  const RationalFunction log{0.5, 1.0, shifts.data(), weights.data(), 2};
  const index_t n = state.range(0);
  const Threads threads(static_cast<int>(state.range(1)));
  Batch<T> batch(n);
  const Buffer<T> slope(n * d);
  double nats = 0.0;
  for (auto _ : state) {
    Control control;
    nats = batch.gradient.solve(log, 0.0, MatrixView<T>{slope.data(), n, d, d}, thread_count(),
                                control);
  }
  if (!std::isfinite(nats + static_cast<double>(slope[n * d - 1]))) {
    state.SkipWithError("wrong result");
  }
  const auto rows = static_cast<double>(n);
  count_flops<T>(state, 2.0 * rows * rows * (rows + static_cast<double>(d)), thread_count());
}

void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"n", "threads"})->UseRealTime()->Unit(benchmark::kMillisecond);
  benchmark->ArgsProduct({{128, 512, 2048}, thread_counts()});
}
BENCHMARK_TEMPLATE(gradient_operator, double)->Apply(axes);
BENCHMARK_TEMPLATE(gradient_operator, float)->Apply(axes);
BENCHMARK_TEMPLATE(gradient_interval, double)->Apply(axes);
BENCHMARK_TEMPLATE(gradient_interval, float)->Apply(axes);
BENCHMARK_TEMPLATE(gradient_solution, double)->Apply(axes);
BENCHMARK_TEMPLATE(gradient_solution, float)->Apply(axes);

}  // namespace
}  // namespace eigentropy::bench
