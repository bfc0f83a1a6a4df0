#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <tuple>
#include <variant>

#include "base/gaussian.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cuda/bindings.hpp"
#include "bindings/cuda/device_array.hpp"
#include "cuda/operator/diffusion.hpp"
#include "cuda/operator/kernel_operator.hpp"

namespace eigentropy::cuda::bindings {
namespace {

using eigentropy::bindings::run_interruptible;
using eigentropy::bindings::to_buffer;
using eigentropy::bindings::with_dtype;
using Indices = py::array_t<index_t, py::array::c_style | py::array::forcecast>;

template <class T>
using Shared = std::shared_ptr<KernelOperator<T>>;

// A of some rows of Z, or of all; dtype is that of its tiles and of its vectors.
class Operator {
 public:
  Operator(const DeviceArray& Z, const KernelOperatorOptions& options, const std::string& dtype,
           const std::optional<Indices>& rows, std::uintptr_t stream, const py::object& progress)
      : device_(Z.device()), stream_(stream) {
    auto chosen = std::make_shared<Buffer<index_t>>();
    if (rows.has_value()) *chosen = to_buffer<index_t>(*rows);
    with_dtype(dtype, [&](auto type) {
      using T = decltype(type);
      const auto compute = [=, source = Z.source(), device = device_](Control& control) {
        const Queue queue(device, stream_of(stream));
        const auto on_device = to_device(queue, chosen->data(), chosen->size());
        Source some = source;
        if (chosen->size() > 0) {
          some.chosen = on_device.data();
          some.rows = chosen->size();
        }
        return std::make_shared<KernelOperator<T>>(
            queue, center_rows<T>(queue, some, centering_for_kernel<T>(options.sigma)), options,
            control);
      };
      A_ = run_interruptible(compute, progress);
    });
  }

  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;

  template <class Get>
  auto get(const Get& member) const {
    return std::visit([&](const auto& A) { return member(*A); }, A_);
  }

  double frobenius2() const {
    return std::visit(
        [&](const auto& A) {
          return run_interruptible(
              [A, device = device_, stream = stream_](Control& control) {
                const Queue queue(device, stream_of(stream));
                return A->frobenius2(queue, control);
              },
              py::none());
        },
        A_);
  }

  // Pairs of tiles that are computed from products, from differences, and not at all.
  std::tuple<index_t, index_t, index_t> tile_ways() const {
    return get([&](const auto& A) {
      const Queue queue(device_, stream_of(stream_));
      const TileWays ways = A.tile_ways(queue);
      return std::tuple{ways.products, ways.differences, ways.nothing};
    });
  }

  // Keeps G in half precision for the products that follow.
  void keep_in_half(const py::object& progress) {
    std::visit(
        [&](const auto& A) {
          const auto compute = [A, device = device_, stream = stream_](Control& control) {
            const Queue queue(device, stream_of(stream));
            A->keep_in_half(queue, control);
            return true;
          };
          run_interruptible(compute, progress);
        },
        A_);
  }

  DeviceArray matmul(const DeviceArray& V, const py::object& progress) const {
    return std::visit([&](const auto& A) { return product(A, V, progress); }, A_);
  }

 private:
  template <class T>
  DeviceArray product(const Shared<T>& A, const DeviceArray& V, const py::object& progress) const {
    const MatrixView<T> v = V.matrix<T>();
    if (v.rows != A->n()) throw std::invalid_argument("V must have as many rows as Z");
    const auto compute = [A, v, device = device_, stream = stream_](Control& control) {
      const Queue queue(device, stream_of(stream));
      DeviceBuffer<T> out(queue, v.rows * v.cols);
      A->multiply(queue, v.data, out.data(), v.cols, control);
      return out;
    };
    DeviceBuffer<T> out = run_interruptible(compute, progress);
    const Queue queue(device_, stream_of(stream_));
    return DeviceArray(std::move(out), {v.rows, v.cols}, queue);
  }

  int device_;
  std::uintptr_t stream_;
  std::variant<Shared<double>, Shared<float>> A_;
};

// alpha = None: the density matrix G / n.
std::unique_ptr<Operator> make_operator(const DeviceArray& Z, double sigma,
                                        std::optional<double> alpha, const std::string& dtype,
                                        bool keeps_matrix, double memory_limit,
                                        const py::object& progress, std::uintptr_t stream,
                                        const std::optional<Indices>& rows) {
  const KernelOperatorOptions options{sigma, alpha.value_or(0.0), keeps_matrix, memory_limit,
                                      alpha.has_value()};
  return std::make_unique<Operator>(Z, options, dtype, rows, stream, progress);
}

py::array_t<double> copy_of(const Buffer<double>& values) {
  return py::array_t<double>(values.size(), values.data());
}

// A V for a symmetric A (n, n) and V (n, m), both contiguous and of one dtype.
DeviceArray symmetric_product(const DeviceArray& A, const DeviceArray& V, std::uintptr_t stream) {
  return with_type(A, [&](auto type) {
    using T = decltype(type);
    const MatrixView<T> a = A.matrix<T>(), v = V.matrix<T>();
    if (a.rows != a.cols || v.rows != a.rows) {
      throw std::invalid_argument("A must be square, and V have as many rows");
    }
    const Queue queue(A.device(), stream_of(stream));
    auto out = cuda::symmetric_product(queue, a.data, a.rows, v.data, v.cols);
    // The caller may drop them before they are read.
    if (A.goes_back_elsewhere(queue.stream()) || V.goes_back_elsewhere(queue.stream())) {
      queue.synchronize();
    }
    return DeviceArray(std::move(out), {v.rows, v.cols}, queue);
  });
}

}  // namespace

void bind_products(py::module_& module) {
  py::class_<Operator>(module, "KernelOperator")
      .def(py::init(&make_operator), py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
           py::arg("dtype"), py::arg("explicit") = false,
           py::arg("memory_limit") = std::numeric_limits<double>::infinity(),
           py::arg("progress") = py::none(), py::arg("stream") = 0, py::arg("rows") = py::none())
      .def_property_readonly(
          "n", [](const Operator& A) { return A.get([](const auto& a) { return a.n(); }); })
      .def_property_readonly(
          "trace", [](const Operator& A) { return A.get([](const auto& a) { return a.trace(); }); })
      .def_property_readonly("frobenius2", &Operator::frobenius2)
      .def_property_readonly(
          "kernel_sum",
          [](const Operator& A) { return A.get([](const auto& a) { return a.kernel_sum(); }); })
      .def_property_readonly("degrees",
                             [](const Operator& A) {
                               return A.get([](const auto& a) { return copy_of(a.degrees()); });
                             })
      .def_property_readonly("scaling",
                             [](const Operator& A) {
                               return A.get([](const auto& a) { return copy_of(a.scaling()); });
                             })
      .def_property_readonly("tile_ways", &Operator::tile_ways,
                             "How many pairs of tiles are computed from products of rows, how many "
                             "from differences, and how many are left out because G is 0 there.")
      .def("keep_in_half", &Operator::keep_in_half, py::arg("progress") = py::none())
      .def("matmul", &Operator::matmul, py::arg("V"), py::arg("progress") = py::none());
  module.def("symmetric_product", &symmetric_product, py::arg("A"), py::arg("V"),
             py::arg("stream") = 0);
}

}  // namespace eigentropy::cuda::bindings
