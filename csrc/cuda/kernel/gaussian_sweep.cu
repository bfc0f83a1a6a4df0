#include "cuda/kernel/gaussian_sweep.hpp"

#include <algorithm>

#include "cuda/kernel/register_sweep.hpp"
#include "cuda/kernel/sweep_plan.hpp"
#include "cuda/kernel/thread_sweep.hpp"
#include "cuda/kernel/warpgroup_sweep.hpp"

namespace eigentropy::cuda {
namespace {

template <class T, class Out>
void sweep_by_path(const Queue& queue, const PackedRows<T>& X, const SweepPlan& plan, index_t m,
                   const Operands<T, Out>& operands, Stage& stage) {
  if constexpr (sizeof(T) == sizeof(float)) {
    switch (X.path) {
      case Path::registers:
        return register_sweep(queue, X, plan, m, operands, stage);
      case Path::warpgroups:
        return warpgroup_sweep(queue, X, plan, m, operands, stage);
      case Path::threads:
        break;
    }
  }
  thread_sweep(queue, X, plan, m, operands, stage);
}

}  // namespace

template <class T>
index_t sweep_launches(const Queue& queue, const PackedRows<T>& X, index_t m) {
  if (m == 0) return plan_of(queue, X, 0).launches(X.tiles());
  const Stripes stripes(m);
  index_t launches = 0;
  for (index_t stripe = 0; stripe < stripes.count; ++stripe) {
    launches += plan_of(queue, X, stripes.width(stripe)).launches(X.tiles());
  }
  return launches;
}

template <class T, class Out>
void gaussian_sweep(const Queue& queue, const PackedRows<T>& X, Entries entries,
                    const double* factors, const T* V, index_t m, Out* out, Stage& stage) {
  const Stripes stripes(m);
  for (index_t stripe = 0; stripe < stripes.count; ++stripe) {
    const index_t first = stripes.begin(stripe), width = stripes.width(stripe);
    const index_t count = std::min(width, m - first);
    const DeviceBuffer<T> scaled(queue, X.stride * width);
    scale_vectors<T>(queue, {V, X.n, m, first, count, factors, X.row_order()}, scaled.data(),
                     X.stride, width);
    const Operands<T, Out> operands{entries,     factors, X.row_order(), scaled.data(),
                                    out + first, m,       count};
    sweep_by_path(queue, X, plan_of(queue, X, width), width, operands, stage);
  }
}

#define EIGENTROPY_INSTANTIATE(T, Out)                                                     \
  template void gaussian_sweep(const Queue&, const PackedRows<T>&, Entries, const double*, \
                               const T*, index_t, Out*, Stage&);
EIGENTROPY_INSTANTIATE(float, float)
EIGENTROPY_INSTANTIATE(float, double)
EIGENTROPY_INSTANTIATE(double, double)
#undef EIGENTROPY_INSTANTIATE
template index_t sweep_launches(const Queue&, const PackedRows<float>&, index_t);
template index_t sweep_launches(const Queue&, const PackedRows<double>&, index_t);

}  // namespace eigentropy::cuda
