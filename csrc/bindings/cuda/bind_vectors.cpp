#include <pybind11/stl.h>

#include "bindings/common/arrays.hpp"
#include "bindings/cuda/bindings.hpp"
#include "bindings/cuda/device_array.hpp"
#include "cuda/operator/block_vectors.hpp"

namespace eigentropy::cuda::bindings {
namespace {

using eigentropy::bindings::to_array;
using Arrays = std::vector<const DeviceArray*>;

template <class T>
Blocks<T> views_of(const Arrays& V, index_t n) {
  Blocks<T> views;
  for (const DeviceArray* block : V) {
    const MatrixView<T> view = block->matrix<T>();
    if (view.rows != n) throw std::invalid_argument("all blocks must have as many rows");
    views.push_back({view.data, view.rows, view.cols, view.stride});
  }
  return views;
}

template <class T>
MatrixView<const T> constant(const MatrixView<T>& view) {
  return {view.data, view.rows, view.cols, view.stride};
}

// V^T W (k, m) in float64, for V (n, k) and W (n, m)
py::array inner(const DeviceArray& V, const DeviceArray& W, std::uintptr_t stream) {
  return with_type(W, [&](auto type) -> py::array {
    using T = decltype(type);
    const MatrixView<T> w = W.matrix<T>();
    const Blocks<T> v = views_of<T>({&V}, w.rows);
    Buffer<double> out;
    {
      const py::gil_scoped_release without_gil;
      const Queue queue(W.device(), stream_of(stream));
      out = cuda::inner(queue, v, constant(w));
    }
    return to_array(std::move(out), {v.front().cols, w.cols});
  });
}

// W^T W (m, m) in float64
py::array gram(const DeviceArray& W, std::uintptr_t stream) {
  return with_type(W, [&](auto type) -> py::array {
    using T = decltype(type);
    const MatrixView<T> w = W.matrix<T>();
    Buffer<double> out;
    {
      const py::gil_scoped_release without_gil;
      const Queue queue(W.device(), stream_of(stream));
      out = cuda::gram(queue, constant(w));
    }
    return to_array(std::move(out), {w.cols, w.cols});
  });
}

// W <- W - V V^T W in place, V the blocks side by side
void project_out(const Arrays& V, DeviceArray& W, std::uintptr_t stream) {
  with_type(W, [&](auto type) {
    using T = decltype(type);
    const MatrixView<T> w = W.matrix<T>();
    const Blocks<T> v = views_of<T>(V, w.rows);
    const py::gil_scoped_release without_gil;
    const Queue queue(W.device(), stream_of(stream));
    cuda::project_out(queue, v, w);
  });
}

// V C (n, m), V the blocks side by side, C (k, m) on the host, rounded to the precision of V
DeviceArray combine(const Arrays& V,
                    const py::array_t<double, py::array::c_style | py::array::forcecast>& C,
                    std::uintptr_t stream) {
  if (V.empty()) throw std::invalid_argument("there must be a block");
  return with_type(*V.front(), [&](auto type) {
    using T = decltype(type);
    const index_t n = V.front()->matrix<T>().rows, m = C.shape(1);
    const Blocks<T> v = views_of<T>(V, n);
    index_t columns = 0;
    for (const auto& block : v) columns += block.cols;
    if (columns != C.shape(0)) throw std::invalid_argument("C must have a row for each vector");
    Buffer<T> coefficients(columns * m);
    for (index_t i = 0; i < columns * m; ++i) coefficients[i] = static_cast<T>(C.data()[i]);
    const Queue queue(V.front()->device(), stream_of(stream));
    DeviceBuffer<T> out(queue, n * m);
    cuda::combine(queue, v, coefficients.data(), MatrixView<T>{out.data(), n, m, m});
    queue.synchronize();  // the coefficients are read until then
    return DeviceArray(std::move(out), {n, m}, queue);
  });
}

// The largest Euclidean norm of a column
double largest_column(const DeviceArray& W, std::uintptr_t stream) {
  return with_type(W, [&](auto type) {
    using T = decltype(type);
    const MatrixView<T> w = W.matrix<T>();
    const py::gil_scoped_release without_gil;
    const Queue queue(W.device(), stream_of(stream));
    return cuda::largest_column(queue, constant(w));
  });
}

}  // namespace

void bind_vectors(py::module_& module) {
  const auto stream = py::arg("stream") = 0;
  module.def("inner", &inner, py::arg("V"), py::arg("W"), stream);
  module.def("gram", &gram, py::arg("W"), stream);
  module.def("project_out", &project_out, py::arg("V"), py::arg("W"), stream);
  module.def("combine", &combine, py::arg("V"), py::arg("C"), stream);
  module.def("largest_column", &largest_column, py::arg("W"), stream);
}

}  // namespace eigentropy::cuda::bindings
