// NumPy arrays in and out.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/buffer.hpp"

namespace eigentropy::bindings {

namespace py = pybind11;

// call(T()) with the type named by `dtype`, in which the computation is done.
template <class Call>
auto with_dtype(const std::string& dtype, const Call& call) {
  if (dtype == "float64") return call(double());
  if (dtype == "float32") return call(float());
  throw std::invalid_argument("dtype must be 'float32' or 'float64'");
}

// Hands the memory to NumPy without a copy.
template <class T>
py::array_t<T> to_array(Buffer<T>&& buffer, std::vector<py::ssize_t> shape) {
  if (buffer.size() == 0) return py::array_t<T>(std::move(shape));  // no memory to hand over
  T* data = buffer.release();
  const py::capsule owner(data, [](void* memory) { platform::release(memory); });
  return py::array_t<T>(std::move(shape), data, owner);
}
template <class T>
py::array_t<T> to_array(Buffer<T>&& buffer) {
  const index_t size = buffer.size();
  return to_array(std::move(buffer), {size});
}

template <class T>
Buffer<T> to_buffer(const py::array_t<T, py::array::c_style | py::array::forcecast>& array) {
  Buffer<T> buffer(array.size());
  std::copy_n(array.data(), array.size(), buffer.begin());
  return buffer;
}

}  // namespace eigentropy::bindings
