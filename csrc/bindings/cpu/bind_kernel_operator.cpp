#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <variant>

#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/operator/kernel_operator.hpp"

namespace eigentropy::bindings {
namespace {

template <class T>
using Shared = std::shared_ptr<const KernelOperator<T>>;

// A of the rows of Z. dtype is that of its tiles; vectors and results may have the other one.
// explicit: the upper triangle is kept, half of n x n; otherwise each product computes it again.
// memory_limit: the bytes that the rows may take; if they would take more, stretches of rows are
// read from Z when needed. The object is immutable except for values that are computed on first
// use, which are atomic.
class Operator {
 public:
  Operator(const py::array& Z, const KernelOperatorOptions& options, const std::string& dtype,
           const py::object& progress)
      : Z_(Z) {
    with_dtype(dtype, [&](auto type) {
      using T = decltype(type);
      with_input(Z, [&](auto view) {
        const auto compute = [view, options](Control& control) -> Shared<T> {
          auto X = center_rows<decltype(view(0, 0)), T>(
              view, centering_for_kernel<T>(options.sigma), thread_count(), control);
          return std::make_shared<const KernelOperator<T>>(std::move(X), options, thread_count(),
                                                           control);
        };
        A_ = run_interruptible(compute, progress);
      });
    });
  }

  index_t n() const {
    return std::visit([](const auto& A) { return A->n(); }, A_);
  }
  double trace() const {
    return std::visit([](const auto& A) { return A->trace(); }, A_);
  }
  double kernel_sum() const {
    return std::visit([](const auto& A) { return A->kernel_sum(); }, A_);
  }
  py::array_t<double> degrees() const {
    return std::visit(
        [](const auto& A) { return py::array_t<double>(A->n(), A->degrees().data()); }, A_);
  }

  py::array_t<double> scaling() const {
    return std::visit(
        [](const auto& A) { return py::array_t<double>(A->n(), A->scaling().data()); }, A_);
  }

  double frobenius2() const {
    return std::visit(
        [](const auto& A) {
          return run_interruptible(
              [A](Control& control) { return A->frobenius2(thread_count(), control); }, py::none());
        },
        A_);
  }

  py::array_t<double> kernel_sums() const {
    return std::visit(
        [](const auto& A) { return py::array_t<double>(A->n(), A->kernel_sums().data()); }, A_);
  }
  double density_frobenius2() const {
    return std::visit([](const auto& A) { return A->density_frobenius2(); }, A_);
  }
  bool has_matrix() const {
    return std::visit([](const auto& A) { return A->has_matrix(); }, A_);
  }
  double share_in_16_bits() const {
    return std::visit([](const auto& A) { return A->share_in_16_bits(); }, A_);
  }

  template <class S>
  py::array_t<S> matmul(const py::array_t<S, py::array::c_style>& V,
                        const py::object& progress) const {
    return product(V, progress,
                   [](const auto& A, auto&&... arguments) { A.multiply(arguments...); });
  }
  template <class S>
  py::array_t<S> kernel_matmul(const py::array_t<S, py::array::c_style>& V,
                               const py::object& progress) const {
    return product(V, progress,
                   [](const auto& A, auto&&... arguments) { A.multiply_kernel(arguments...); });
  }

 private:
  template <class S, class Multiply>
  py::array_t<S> product(const py::array_t<S, py::array::c_style>& V, const py::object& progress,
                         const Multiply& multiply) const {
    if (V.ndim() != 2 || V.shape(0) != n()) {
      throw std::invalid_argument("V must have as many rows as Z, and two dimensions");
    }
    const index_t m = V.shape(1);
    if (m == 0) return py::array_t<S>({n(), m});
    const MatrixView<const S> v{V.data(), n(), m, m};
    return std::visit(
        [&](const auto& A) {
          auto compute = [A, v, multiply](Control& control) {
            Buffer<S> out(v.rows * v.cols);
            const MatrixView<S> product{out.data(), v.rows, v.cols, v.cols};
            multiply(*A, v, product, thread_count(), control);
            return out;
          };
          return to_array(run_interruptible(compute, progress), {v.rows, v.cols});
        },
        A_);
  }

  py::array Z_;  // is read again where its rows do not fit into memory
  std::variant<Shared<double>, Shared<float>> A_;
};

// alpha = None: the density matrix G / n.
std::unique_ptr<Operator> make_operator(const py::array& Z, double sigma,
                                        std::optional<double> alpha, const std::string& dtype,
                                        bool keeps_matrix, double memory_limit,
                                        const py::object& progress, double limit_of_16_bits,
                                        bool with_density) {
  const KernelOperatorOptions options{sigma,        alpha.value_or(0.0), keeps_matrix,
                                      memory_limit, alpha.has_value(),   limit_of_16_bits,
                                      with_density};
  return std::make_unique<Operator>(Z, options, dtype, progress);
}

}  // namespace

void bind_kernel_operator(py::module_& module) {
  py::class_<Operator>(module, "KernelOperator")
      .def(py::init(&make_operator), py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
           py::arg("dtype"), py::arg("explicit") = false,
           py::arg("memory_limit") = std::numeric_limits<double>::infinity(),
           py::arg("progress") = py::none(), py::arg("limit_of_16_bits") = 0.0,
           py::arg("with_density") = false)
      .def_property_readonly("n", &Operator::n)
      .def_property_readonly("trace", &Operator::trace)
      .def_property_readonly("frobenius2", &Operator::frobenius2)
      .def_property_readonly("kernel_sum", &Operator::kernel_sum)
      .def_property_readonly("degrees", &Operator::degrees)
      .def_property_readonly("scaling", &Operator::scaling)
      .def_property_readonly("kernel_sums", &Operator::kernel_sums)
      .def_property_readonly("density_frobenius2", &Operator::density_frobenius2)
      .def_property_readonly("has_matrix", &Operator::has_matrix)
      .def_property_readonly("share_in_16_bits", &Operator::share_in_16_bits)
      .def("kernel_matmul", &Operator::kernel_matmul<double>, py::arg("V").noconvert(),
           py::arg("progress") = py::none())
      .def("kernel_matmul", &Operator::kernel_matmul<float>, py::arg("V").noconvert(),
           py::arg("progress") = py::none())
      .def("matmul", &Operator::matmul<double>, py::arg("V").noconvert(),
           py::arg("progress") = py::none())
      .def("matmul", &Operator::matmul<float>, py::arg("V").noconvert(),
           py::arg("progress") = py::none());
}

}  // namespace eigentropy::bindings
