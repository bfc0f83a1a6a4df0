#include <pybind11/stl.h>

#include <optional>

#include "base/gaussian.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cuda/bindings.hpp"
#include "bindings/cuda/device_array.hpp"
#include "cuda/eigen/given_matrices.hpp"
#include "cuda/operator/diffusion.hpp"
#include "cuda/operator/subsets.hpp"

namespace eigentropy::cuda::bindings {
namespace {

using eigentropy::bindings::run_interruptible;
using eigentropy::bindings::to_array;
using eigentropy::bindings::to_buffer;
using eigentropy::bindings::with_dtype;
using Indices = py::array_t<index_t, py::array::c_style | py::array::forcecast>;

// alpha = None: the Gaussian kernel itself.
OperatorOptions make_options(double sigma, std::optional<double> alpha) {
  return {sigma, alpha.value_or(0.0), alpha.has_value()};
}

// compute(queue, rows for a kernel of this sigma, control) on a thread of its own, which makes the
// device its current one.
template <class T, class Compute>
auto run_on(const DeviceArray& Z, double sigma, std::uintptr_t stream, const py::object& progress,
            Compute compute) {
  auto run = [source = Z.source(), device = Z.device(), sigma, stream,
              compute = std::move(compute)](Control& control) {
    const Queue queue(device, stream_of(stream));
    const DeviceRows<T> X = center_rows<T>(queue, source, centering_for_kernel<T>(sigma));
    return compute(queue, X, control);
  };
  return run_interruptible(std::move(run), progress);
}

// As on the host.
py::tuple spectrum(const DeviceArray& Z, double sigma, std::optional<double> alpha,
                   const std::string& dtype, const py::object& progress, std::uintptr_t stream) {
  const OperatorOptions options = make_options(sigma, alpha);
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    Spectrum<T> result =
        run_on<T>(Z, options.sigma, stream, progress,
                  [options](const Queue& queue, const DeviceRows<T>& X, Control& control) {
                    return diffusion_spectrum(queue, X, options, control);
                  });
    return py::make_tuple(to_array(std::move(result.eigenvalues)), result.trace, result.frobenius2,
                          result.kernel_sum, result.reach);
  });
}

// (matrix (n, n) on the device, trace, |.|_F^2, degrees (n,))
py::tuple matrix(const DeviceArray& Z, double sigma, std::optional<double> alpha,
                 const std::string& dtype, const py::object& progress, std::uintptr_t stream) {
  const OperatorOptions options = make_options(sigma, alpha);
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    DeviceMatrix<T> built =
        run_on<T>(Z, options.sigma, stream, progress,
                  [options](const Queue& queue, const DeviceRows<T>& X, Control& control) {
                    return build_matrix(queue, X, options, control);
                  });
    const Queue queue(Z.device(), stream_of(stream));
    return py::make_tuple(DeviceArray(std::move(built.entries), {built.n, built.n}, queue),
                          built.trace, built.frobenius2, to_array(std::move(built.degrees)));
  });
}

// (the k largest eigenvalues of A after the trivial one, descending; their eigenvectors (n, k);
// degrees (n,))
py::tuple eigenpairs(const DeviceArray& Z, double sigma, double alpha, const std::string& dtype,
                     index_t k, const py::object& progress, std::uintptr_t stream) {
  const OperatorOptions options{sigma, alpha, true};
  const index_t n = Z.source().rows;
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    Eigenpairs<T> pairs =
        run_on<T>(Z, options.sigma, stream, progress,
                  [options, k](const Queue& queue, const DeviceRows<T>& X, Control& control) {
                    return diffusion_eigenpairs(queue, X, options, k, control);
                  });
    return py::make_tuple(to_array(std::move(pairs.values)),
                          to_array(std::move(pairs.vectors), {n, k}),
                          to_array(std::move(pairs.degrees)));
  });
}

SubsetKernels parse_kernels(const std::string& name) {
  if (name == "auto") return SubsetKernels::automatic;
  if (name == "shared") return SubsetKernels::shared;
  if (name == "recomputed") return SubsetKernels::recomputed;
  throw std::invalid_argument("kernels must be 'auto', 'shared' or 'recomputed'");
}

// (eigenvalues of subset s at offsets[s]:offsets[s + 1], descending; sum_ij G_ij and tr A of each
// subset)
py::tuple spectra_of_subsets(const DeviceArray& Z, const Indices& offsets, const Indices& indices,
                             double sigma, std::optional<double> alpha, const std::string& dtype,
                             const std::string& kernels, double memory_limit,
                             const py::object& progress, std::uintptr_t stream) {
  const OperatorOptions options = make_options(sigma, alpha);
  const SubsetKernels choice = parse_kernels(kernels);
  auto subsets =
      std::make_shared<Subsets>(Subsets{to_buffer<index_t>(offsets), to_buffer<index_t>(indices)});
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    SubsetSpectra<T> result = run_on<T>(
        Z, options.sigma, stream, progress,
        [=](const Queue& queue, const DeviceRows<T>& X, Control& control) {
          return subset_spectra(queue, X, *subsets, options, choice, memory_limit, control);
        });
    return py::make_tuple(to_array(std::move(result.eigenvalues)),
                          to_array(std::move(result.kernel_sums)),
                          to_array(std::move(result.traces)));
  });
}

// Eigenvalues, descending, (count, n), of the symmetric matrices A (count, n, n), which stay.
py::array symmetric_eigenvalues(const DeviceArray& A, const py::object& progress,
                                std::uintptr_t stream) {
  const auto& shape = A.shape();
  if (shape.size() != 3 || shape[1] != shape[2] || !A.is_contiguous()) {
    throw std::invalid_argument("A must have shape (count, n, n) and be contiguous");
  }
  return with_type(A, [&](auto type) -> py::array {
    using T = decltype(type);
    const auto compute = [data = static_cast<const T*>(A.data()), size = A.size(), count = shape[0],
                          n = shape[1], device = A.device(), stream](Control& control) {
      const Queue queue(device, stream_of(stream));
      const DeviceBuffer<T> work(queue, size);
      copy(queue, work.data(), data, size);
      return symmetric_spectra(queue, work.data(), count, n, control);
    };
    return to_array(run_interruptible(compute, progress), {shape[0], shape[1]});
  });
}

}  // namespace

void bind_spectrum(py::module_& module) {
  const auto progress = py::arg("progress") = py::none();
  const auto stream = py::arg("stream") = 0;
  module.def("spectrum", &spectrum, py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
             py::arg("dtype"), progress, stream);
  module.def("matrix", &matrix, py::arg("Z"), py::arg("sigma"), py::arg("alpha"), py::arg("dtype"),
             progress, stream);
  module.def("eigenpairs", &eigenpairs, py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
             py::arg("dtype"), py::arg("k"), progress, stream);
  module.def("subset_spectra", &spectra_of_subsets, py::arg("Z"), py::arg("offsets"),
             py::arg("indices"), py::arg("sigma"), py::arg("alpha"), py::arg("dtype"),
             py::arg("kernels") = "auto", py::arg("memory_limit") = 0.0, progress, stream);
  module.def("symmetric_eigenvalues", &symmetric_eigenvalues, py::arg("A"), progress, stream);
}

}  // namespace eigentropy::cuda::bindings
