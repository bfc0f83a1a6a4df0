#include <pybind11/stl.h>

#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/cpu/bindings.hpp"
#include "cpu/operator/block_vectors.hpp"

namespace eigentropy::bindings {
namespace {

// These calls are short: the GIL is released, and nothing asks whether they were cancelled.

template <class T>
using Block = py::array_t<T, py::array::c_style>;

template <class T>
using Coefficients = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <class T>
MatrixView<const T> view_of(const Block<T>& V) {
  return {V.data(), V.shape(0), V.shape(1), V.shape(1)};
}

template <class T>
Blocks<T> views_of(const std::vector<Block<T>>& V, index_t n) {
  Blocks<T> views;
  for (const auto& block : V) {
    if (block.ndim() != 2 || block.shape(0) != n) {
      throw std::invalid_argument("all blocks must have as many rows");
    }
    views.push_back(view_of(block));
  }
  return views;
}

// V^T W (k, m) in float64, for V (n, k) and W (n, m)
template <class T>
py::array_t<double> inner(const Block<T>& V, const Block<T>& W) {
  const Blocks<T> v = views_of<T>({V}, W.shape(0));
  const MatrixView<const T> w = view_of(W);
  Buffer<double> out;
  {
    const py::gil_scoped_release without_gil;
    out = eigentropy::inner(v, w, thread_count());
  }
  return to_array(std::move(out), {V.shape(1), W.shape(1)});
}

// W^T W (m, m) in float64
template <class T>
py::array_t<double> gram(const Block<T>& W) {
  const MatrixView<const T> w = view_of(W);
  Buffer<double> out;
  {
    const py::gil_scoped_release without_gil;
    out = eigentropy::gram(w, thread_count());
  }
  return to_array(std::move(out), {W.shape(1), W.shape(1)});
}

// W <- W - V V^T W in place, V the blocks side by side
template <class T>
void project_out(const std::vector<Block<T>>& V, Block<T> W) {
  const index_t n = W.shape(0), m = W.shape(1);
  const Blocks<T> v = views_of<T>(V, n);
  const MatrixView<T> w{W.mutable_data(), n, m, m};
  const py::gil_scoped_release without_gil;
  eigentropy::project_out(v, w, thread_count());
}

// V C (n, m), V the blocks side by side, C (k, m) of any precision
template <class T>
py::array_t<T> combine(const std::vector<Block<T>>& V, const Coefficients<T>& C) {
  if (V.empty()) throw std::invalid_argument("there must be a block");
  const index_t n = V.front().shape(0), m = C.shape(1);
  const Blocks<T> v = views_of<T>(V, n);
  index_t columns = 0;
  for (const auto& block : v) columns += block.cols;
  if (columns != C.shape(0)) throw std::invalid_argument("C must have a row for each vector");
  const T* const c = C.data();
  Buffer<T> out(n * m);
  {
    const py::gil_scoped_release without_gil;
    eigentropy::combine(v, c, MatrixView<T>{out.data(), n, m, m}, thread_count());
  }
  return to_array(std::move(out), {n, m});
}

template <class T>
void bind(py::module_& module) {
  module.def("inner", &inner<T>, py::arg("V").noconvert(), py::arg("W").noconvert());
  module.def("gram", &gram<T>, py::arg("W").noconvert());
  module.def("project_out", &project_out<T>, py::arg("V").noconvert(), py::arg("W").noconvert());
  module.def("combine", &combine<T>, py::arg("V").noconvert(), py::arg("C"));
}

}  // namespace

void bind_block_vectors(py::module_& module) {
  bind<double>(module);
  bind<float>(module);
}

}  // namespace eigentropy::bindings
