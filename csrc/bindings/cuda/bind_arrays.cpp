#include <pybind11/stl.h>

#include "base/gaussian.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/cuda/bindings.hpp"
#include "bindings/cuda/device_array.hpp"

namespace eigentropy::cuda::bindings {
namespace {

using eigentropy::bindings::to_array;
using Indices = py::array_t<index_t, py::array::c_style | py::array::forcecast>;

template <class T>
DeviceArray upload_as(const py::array_t<T, py::array::c_style>& array, int device,
                      std::uintptr_t stream) {
  const std::vector<py::ssize_t> shape(array.shape(), array.shape() + array.ndim());
  const T* const data = array.data();
  const index_t size = array.size();
  const Queue queue(device, stream_of(stream));
  DeviceBuffer<T> buffer;
  {
    const py::gil_scoped_release without_gil;
    buffer = to_device(queue, data, size);
    queue.synchronize();  // the caller's memory may change from now on
  }
  return DeviceArray(std::move(buffer), shape, queue);
}

// A copy of a contiguous array of float32 or float64.
DeviceArray upload(const py::array& array, int device, std::uintptr_t stream) {
  if (py::isinstance<py::array_t<double, py::array::c_style>>(array)) {
    return upload_as<double>(array, device, stream);
  }
  if (py::isinstance<py::array_t<float, py::array::c_style>>(array)) {
    return upload_as<float>(array, device, stream);
  }
  throw std::invalid_argument("the array must be contiguous, and float32 or float64");
}

// The chosen rows, (len(rows), d); halves become float32.
template <class T>
py::array take_as(const DeviceArray& array, const Indices& rows, std::uintptr_t stream) {
  const Source source = array.source();
  const index_t count = rows.size();
  const index_t* const chosen = rows.data();
  Buffer<T> taken;
  {
    const py::gil_scoped_release without_gil;
    const Queue queue(array.device(), stream_of(stream));
    taken = take_rows<T>(queue, source, chosen, count);
  }
  return to_array(std::move(taken), {count, source.cols});
}

py::array take(const DeviceArray& array, const Indices& rows, std::uintptr_t stream) {
  if (array.type() == Type::float64) return take_as<double>(array, rows, stream);
  return take_as<float>(array, rows, stream);
}

// A copy on the host; halves become float32.
py::array numpy(const DeviceArray& array, std::uintptr_t stream) {
  const bool is_half = array.type() == Type::float16 || array.type() == Type::bfloat16;
  if (is_half || !array.is_contiguous()) {
    Indices all(array.source().rows);
    for (index_t i = 0; i < all.size(); ++i) all.mutable_data()[i] = i;
    return take(array, all, stream);
  }
  return with_type(array, [&](auto type) -> py::array {
    using T = decltype(type);
    Buffer<T> copy;
    {
      const py::gil_scoped_release without_gil;
      const Queue queue(array.device(), stream_of(stream));
      copy = to_host(queue, static_cast<const T*>(array.data()), array.size());
    }
    return to_array(std::move(copy), array.shape());
  });
}

// (number of rows with NaN or infinity, the first of them or -1)
std::pair<index_t, index_t> nonfinite_rows(const DeviceArray& Z, std::uintptr_t stream) {
  const Source source = Z.source();
  const py::gil_scoped_release without_gil;
  const Queue queue(Z.device(), stream_of(stream));
  const NonFiniteRows rows = find_nonfinite_rows(queue, source);
  return {rows.count, rows.first};
}

// Largest distance of a row from the centre in units of sigma, where gaps across which G is 0 count
// as narrow: see ClosedColumn.
double reach(const DeviceArray& Z, double sigma, std::uintptr_t stream) {
  const Source source = Z.source();
  const py::gil_scoped_release without_gil;
  const Queue queue(Z.device(), stream_of(stream));
  return largest_distance_from_center(queue, source, centering_for_kernel<double>(sigma)) / sigma;
}

}  // namespace

void bind_arrays(py::module_& module) {
  py::class_<DeviceArray>(module, "Array")
      .def(py::init<std::uintptr_t, std::vector<py::ssize_t>, std::vector<py::ssize_t>,
                    const std::string&, int, py::object>(),
           py::arg("pointer"), py::arg("shape"), py::arg("strides"), py::arg("dtype"),
           py::arg("device"), py::arg("owner"))
      .def_property_readonly(
          "pointer",
          [](const DeviceArray& array) { return reinterpret_cast<std::uintptr_t>(array.data()); })
      .def_property_readonly(
          "shape", [](const DeviceArray& array) { return py::tuple(py::cast(array.shape())); })
      .def_property_readonly(
          "strides", [](const DeviceArray& array) { return py::tuple(py::cast(array.strides())); })
      .def_property_readonly("dtype", &DeviceArray::dtype)
      .def_property_readonly("device", &DeviceArray::device)
      .def_property_readonly("__cuda_array_interface__", &DeviceArray::cuda_array_interface)
      .def("keep_stream", &DeviceArray::keep_stream, py::arg("stream"))
      .def("numpy", &numpy, py::arg("stream") = 0)
      .def("take", &take, py::arg("rows"), py::arg("stream") = 0);
  module.def("upload", &upload, py::arg("array"), py::arg("device"), py::arg("stream") = 0);
  module.def("nonfinite_rows", &nonfinite_rows, py::arg("Z"), py::arg("stream") = 0);
  module.def("reach", &reach, py::arg("Z"), py::arg("sigma"), py::arg("stream") = 0);
}

}  // namespace eigentropy::cuda::bindings
