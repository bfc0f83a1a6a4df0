// Many small problems at once: what the null of a mutual information asks for.
#include "base/subsets.hpp"
#include "base/threads.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "yardsticks.hpp"

namespace eigentropy::bench {
namespace {

// 10 groups in each partition, which covers all rows once.
Subsets random_partitions(index_t group, index_t partitions) {
  const index_t rows = 10 * group, groups = partitions * 10;
  Subsets subsets{Buffer<index_t>(groups + 1), Buffer<index_t>(partitions * rows)};
  std::mt19937_64 generator(1);
  for (index_t s = 0; s <= groups; ++s) subsets.offsets[s] = s * group;
  for (index_t p = 0; p < partitions; ++p) {
    index_t* const part = subsets.indices.data() + p * rows;
    for (index_t i = 0; i < rows; ++i) part[i] = i;
    std::shuffle(part, part + rows, generator);
  }
  return subsets;
}

// Flops of the eigenvalues alone, so that the share says what they leave of the whole.
template <class T, SubsetKernels kernels>
void subset_spectra(benchmark::State& state) {
  const index_t group = state.range(0), d = state.range(1);
  const Threads threads(static_cast<int>(state.range(3)));
  const auto X = gaussian_rows<T>(10 * group, d);
  Subsets subsets = random_partitions(group, state.range(2));
  T largest = 0;
  for (auto _ : state) {
    Control control;
    largest = eigentropy::subset_spectra(X, subsets, {bandwidth(d), 0.5, true}, kernels, 1e12,
                                         thread_count(), control)
                  .eigenvalues[0];
  }
  if (!(std::abs(largest - T(1)) < T(1e-4))) state.SkipWithError("wrong result");
  const auto n = static_cast<double>(group), count = static_cast<double>(subsets.count());
  count_flops<T>(state, count * 4.0 / 3.0 * n * n * n, thread_count());
  state.SetItemsProcessed(state.iterations() * subsets.count());
}
// 5 partitions are what a mutual information takes by default where they tell enough.
void axes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"group", "d", "partitions", "threads"})
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
  for (const auto& [group, d, partitions] : {std::tuple<index_t, index_t, index_t>{100, 256, 5},
                                             {100, 64, 20},
                                             {300, 64, 20},
                                             {300, 4096, 20}}) {
    benchmark->Args({group, d, partitions, 1});
    if (thread_count() > 1) benchmark->Args({group, d, partitions, thread_count()});
  }
}
BENCHMARK_TEMPLATE(subset_spectra, double, SubsetKernels::shared)->Apply(axes);
BENCHMARK_TEMPLATE(subset_spectra, double, SubsetKernels::recomputed)->Apply(axes);
BENCHMARK_TEMPLATE(subset_spectra, float, SubsetKernels::shared)->Apply(axes);
BENCHMARK_TEMPLATE(subset_spectra, float, SubsetKernels::recomputed)->Apply(axes);

}  // namespace
}  // namespace eigentropy::bench
