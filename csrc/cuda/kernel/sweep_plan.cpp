#include "cuda/kernel/sweep_plan.hpp"

namespace eigentropy::cuda {
namespace {

// 2 n flops a row for each entry of the rows and each vector.
template <class T>
double flops_of_row_of_tiles(const PackedRows<T>& X, index_t m) {
  return 2.0 * static_cast<double>(X.side) * static_cast<double>(X.stride) *
         static_cast<double>(X.depth + m);
}

// In double, whose rate is between half and a sixty-fourth of single's, launches are smaller.
template <class T>
double flops_of_launch() {
  if (sweep_override().flops_of_launch > 0.0) return sweep_override().flops_of_launch;
  return sizeof(T) == sizeof(float) ? tuned("sweep_launch_float32") : tuned("sweep_launch_float64");
}

// Several times the blocks that run at once, two on a multiprocessor, so that multiprocessors are
// idle only for a small part of the time at the end.
index_t wanted_blocks(const Queue& queue) {
  if (sweep_override().blocks > 0) return sweep_override().blocks;
  constexpr auto waves = static_cast<index_t>(tuned("sweep_waves"));
  return 2 * waves * attribute_of(queue, cudaDevAttrMultiProcessorCount);
}

}  // namespace

SweepOverride& sweep_override() {
  static thread_local SweepOverride values;
  return values;
}

int attribute_of(const Queue& queue, cudaDeviceAttr attribute) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, attribute, queue.device()), "cudaDeviceGetAttribute");
  return value;
}

SweepPlan plan_sweep(index_t tiles, double flops, double flops_of_launch, index_t blocks) {
  const double rows = std::min(flops_of_launch / flops, static_cast<double>(tiles));
  SweepPlan plan{std::max<index_t>(1, static_cast<index_t>(rows)), 1};
  constexpr index_t most_parts = 65'535;  // of a grid's second dimension
  const index_t parts = (blocks + plan.rows_of_tiles - 1) / plan.rows_of_tiles;
  plan.parts = std::max<index_t>(1, std::min({parts, tiles, most_parts}));
  return plan;
}

template <class T>
SweepPlan plan_of(const Queue& queue, const PackedRows<T>& X, index_t m) {
  return plan_sweep(X.tiles(), flops_of_row_of_tiles(X, m), flops_of_launch<T>(),
                    wanted_blocks(queue));
}
template SweepPlan plan_of(const Queue&, const PackedRows<float>&, index_t);
template SweepPlan plan_of(const Queue&, const PackedRows<double>&, index_t);

Pace::~Pace() {
  for (cudaEvent_t event : events_) {
    if (event != nullptr) cudaEventDestroy(event);
  }
}

void Pace::launched() {
  cudaEvent_t& event = events_[launches_++ % events_.size()];
  if (event == nullptr) event = make_event();
  check(cudaEventRecord(event, queue_.stream()), "cudaEventRecord");
  cudaEvent_t const earlier = events_[launches_ % events_.size()];
  if (earlier != nullptr) check(cudaEventSynchronize(earlier), "cudaEventSynchronize");
}

}  // namespace eigentropy::cuda
