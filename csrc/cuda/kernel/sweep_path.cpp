#include "cuda/kernel/sweep_path.hpp"

#include "cuda/kernel/sweep_plan.hpp"
#include "cuda/kernel/warpgroup_sweep.hpp"

namespace eigentropy::cuda {
namespace {

bool wide_tiles_fit(const Queue& queue) {
  const int shared = attribute_of(queue, cudaDevAttrMaxSharedMemoryPerBlockOptin);
  return static_cast<std::size_t>(shared) >= bytes_of_wide_tile;
}

}  // namespace

template <>
Path path_for<double>(const Queue&) {
  return Path::threads;
}
template <>
Path path_for<float>(const Queue& queue) {
  if (sweep_override().path) {
    if (*sweep_override().path == Path::warpgroups && !has_warpgroups(queue)) {
      throw DeviceError("this device, or this build, has no warpgroups", cudaErrorInvalidDevice);
    }
    return *sweep_override().path;
  }
  if (warpgroups_pay && has_warpgroups(queue)) return Path::warpgroups;
  const int major = attribute_of(queue, cudaDevAttrComputeCapabilityMajor);
  const int minor = attribute_of(queue, cudaDevAttrComputeCapabilityMinor);
  const bool pays = wide_tiles_fit(queue) && tensor_cores_pay(major, minor);
  return pays ? Path::registers : Path::threads;
}

template <>
Tiling tiling_for<double>(const Queue&) {
  return Tiling::wide;
}
template <>
Tiling tiling_for<float>(const Queue& queue) {
  return wide_tiles_fit(queue) ? Tiling::wide : Tiling::narrow;
}

}  // namespace eigentropy::cuda
