// NumPy arrays as the caller's rows.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <stdexcept>

#include "bindings/common/run.hpp"
#include "cpu/rows/centered_rows.hpp"

namespace eigentropy::bindings {

namespace py = pybind11;

// A two-dimensional array, with any strides that are whole elements.
template <class T>
InputView<T> input_view(const py::array& Z) {
  if (Z.ndim() != 2) throw std::invalid_argument("Z must be two-dimensional");
  constexpr auto size = static_cast<py::ssize_t>(sizeof(T));
  if (Z.strides(0) % size != 0 || Z.strides(1) % size != 0) {
    throw std::invalid_argument("the strides of Z are not multiples of its item size");
  }
  return {static_cast<const T*>(Z.data()), Z.shape(0), Z.shape(1), Z.strides(0) / size,
          Z.strides(1) / size};
}

// call(InputView<S>) with the array's element type.
template <class Call>
auto with_input(const py::array& Z, const Call& call) {
  if (py::isinstance<py::array_t<double>>(Z)) return call(input_view<double>(Z));
  if (py::isinstance<py::array_t<float>>(Z)) return call(input_view<float>(Z));
  throw std::invalid_argument("Z must be float32 or float64");
}

using Indices = py::array_t<index_t, py::array::c_style | py::array::forcecast>;

// Operations for the spectra of subsets, of which subset s has offsets[s + 1] - offsets[s] rows.
inline double subsets_flops(const Indices& offsets, index_t columns) {
  double flops = 0.0;
  for (index_t s = 0; s + 1 < offsets.size(); ++s) {
    flops += spectrum_flops(offsets.data()[s + 1] - offsets.data()[s], columns);
  }
  return flops;
}

}  // namespace eigentropy::bindings
