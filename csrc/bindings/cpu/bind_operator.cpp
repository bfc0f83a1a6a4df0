#include <pybind11/stl.h>

#include <optional>

#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/symmetric_product.hpp"

namespace eigentropy::bindings {
namespace {

// (matrix (n, n), trace, |.|_F^2, degrees (n,)). alpha = None: the Gaussian kernel itself.
py::tuple matrix(const py::array& Z, double sigma, std::optional<double> alpha,
                 const std::string& dtype, const py::object& progress) {
  const OperatorOptions options{sigma, alpha.value_or(0.0), alpha.has_value()};
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    return with_input(Z, [&](auto view) -> py::tuple {
      const auto compute = [view, options](Control& control) {
        const auto X = center_rows<decltype(view(0, 0)), T>(
            view, centering_for_kernel<T>(options.sigma), thread_count(), control);
        auto built = build_matrix(X, options, thread_count(), control, 0.0, 1.0);
        mirror(built.view(), thread_count());
        return built;
      };
      DiffusionMatrix<T> built =
          run_interruptible(compute, progress, spectrum_flops(view.rows, view.cols));
      return py::make_tuple(to_array(std::move(built.entries), {built.n, built.n}), built.trace,
                            built.frobenius2, to_array(std::move(built.degrees)));
    });
  });
}

template <class T>
struct Eigenpairs {
  Buffer<T> values;
  Buffer<T> vectors;
  Buffer<double> degrees;
};

// (the k largest eigenvalues of A after the trivial one, descending; their eigenvectors (n, k);
// degrees (n,))
py::tuple eigenpairs(const py::array& Z, double sigma, double alpha, const std::string& dtype,
                     index_t k, const py::object& progress) {
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    return with_input(Z, [&](auto view) -> py::tuple {
      const auto compute = [view, sigma, alpha, k](Control& control) {
        const auto X = center_rows<decltype(view(0, 0)), T>(view, centering_for_kernel<T>(sigma),
                                                            thread_count(), control);
        auto built = build_matrix(X, {sigma, alpha, true}, thread_count(), control, 0.0, 0.2);
        remove_trivial_pair(built.view(), built.degrees, thread_count());
        Eigenpairs<T> pairs{Buffer<T>(k), Buffer<T>(X.n * k), std::move(built.degrees)};
        top_eigenpairs(built.view(), k, pairs.values.data(),
                       MatrixView<T>{pairs.vectors.data(), X.n, k, k}, control);
        return pairs;
      };
      Eigenpairs<T> pairs = run_interruptible(compute, progress);
      return py::make_tuple(to_array(std::move(pairs.values)),
                            to_array(std::move(pairs.vectors), {view.rows, k}),
                            to_array(std::move(pairs.degrees)));
    });
  });
}

// A V for a symmetric A (n, n) and V (n, m), both contiguous and of one dtype.
template <class T>
py::array_t<T> product(const py::array_t<T, py::array::c_style>& A,
                       const py::array_t<T, py::array::c_style>& V) {
  const index_t n = V.shape(0), m = V.shape(1);
  // A is only read; there is no view of a constant symmetric matrix.
  const SymmetricView<T> a{const_cast<T*>(A.data()), n, n};
  const MatrixView<const T> v{V.data(), n, m, m};
  const auto compute = [=](Control& control) {
    Buffer<T> out(n * m);
    symmetric_product(a, v, MatrixView<T>{out.data(), n, m, m}, thread_count(), control);
    return out;
  };
  const double flops =
      2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(m);
  return to_array(run_interruptible(compute, py::none(), flops), {n, m});
}

}  // namespace

void bind_operator(py::module_& module) {
  module.def("matrix", &matrix, py::arg("Z"), py::arg("sigma"), py::arg("alpha"), py::arg("dtype"),
             py::arg("progress") = py::none());
  module.def("eigenpairs", &eigenpairs, py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
             py::arg("dtype"), py::arg("k"), py::arg("progress") = py::none());
  module.def("symmetric_product", &product<double>, py::arg("A").noconvert(),
             py::arg("V").noconvert());
  module.def("symmetric_product", &product<float>, py::arg("A").noconvert(),
             py::arg("V").noconvert());
}

}  // namespace eigentropy::bindings
