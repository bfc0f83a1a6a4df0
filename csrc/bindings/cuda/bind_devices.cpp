#include <pybind11/stl.h>

#include "bindings/cuda/bindings.hpp"
#include "bindings/cuda/device_array.hpp"
#include "cuda/runtime.hpp"
#include "cuda/tuning.hpp"

namespace py = pybind11;

namespace eigentropy::cuda::bindings {
namespace {

// 0: there is no driver.
int driver_version() {
  int version = 0;
  return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

int runtime_version() {
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "cudaRuntimeGetVersion");
  return version;
}

py::dict description(int device) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  py::dict found;
  found["name"] = std::string(properties.name);
  found["compute_capability"] =
      std::to_string(properties.major) + "." + std::to_string(properties.minor);
  found["multiprocessors"] = properties.multiProcessorCount;
  found["memory"] = properties.totalGlobalMem;
  return found;
}

py::list devices() {
  int count = 0;
  check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  py::list found;
  for (int device = 0; device < count; ++device) found.append(description(device));
  return found;
}

// (free, total) bytes
std::pair<std::size_t, std::size_t> memory(int device) {
  const DeviceMemory there = device_memory(device);
  return {there.free, there.total};
}

// Waits for all work that is in the stream.
void synchronize(int device, std::uintptr_t stream) {
  const py::gil_scoped_release without_gil;
  Queue(device, stream_of(stream)).synchronize();
}

#ifdef EIGENTROPY_CUDA_EMULATED
// What tests do to the emulated device.
void bind_emulation(py::module_& module) {
  py::module_ emulation = module.def_submodule("emulation");
  emulation.def("fail_once",
                [](int status) { emulated::fail_once(static_cast<cudaError_t>(status)); });
  emulation.def("set_memory", &emulated::set_memory, py::arg("bytes"));
  emulation.def("set_compute_capability", &emulated::set_compute_capability);
  emulation.def("set_shared_memory", &emulated::set_shared_memory, py::arg("bytes"));
  emulation.def("set_driver_version", &emulated::set_driver_version);
  emulation.def("contexts", &emulated::contexts);
  emulation.def("forget_contexts", &emulated::forget_contexts);
  emulation.def("make_stream", [] {
    cudaStream_t stream;
    check(cudaStreamCreate(&stream), "cudaStreamCreate");
    return reinterpret_cast<std::uintptr_t>(stream);
  });
  emulation.def("begin_capture", [](std::uintptr_t stream) {
    emulated::begin_capture(reinterpret_cast<cudaStream_t>(stream));
  });
  emulation.def("end_capture", [](std::uintptr_t stream) {
    return emulated::end_capture(reinterpret_cast<cudaStream_t>(stream));
  });
  emulation.def("destroy_stream", [](std::uintptr_t stream) {
    check(cudaStreamDestroy(reinterpret_cast<cudaStream_t>(stream)), "cudaStreamDestroy");
  });
}
#endif

}  // namespace

namespace {

// The table of tuning.hpp.
py::list tuning() {
  py::list rows;
  for (const Tuned& entry : tuning_table) {
    py::dict row;
    row["name"] = std::string(entry.name);
    row["value"] = entry.value;
    row["unit"] = std::string(entry.unit);
    row["source"] = std::string(entry.source);
    row["meaning"] = std::string(entry.meaning);
    rows.append(row);
  }
  return rows;
}

}  // namespace

void bind_devices(py::module_& module) {
  module.attr("runtime_version") = runtime_version();
  module.attr("tuning") = tuning();
  module.def("driver_version", &driver_version);
  module.def("devices", &devices);
  module.def("memory", &memory, py::arg("device"));
  module.def("synchronize", &synchronize, py::arg("device"), py::arg("stream"));
#ifdef EIGENTROPY_CUDA_EMULATED
  bind_emulation(module);
#endif
}

}  // namespace eigentropy::cuda::bindings
