#include <pybind11/stl.h>

#include <memory>
#include <optional>

#include "base/gaussian.hpp"
#include "base/subsets.hpp"
#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "cpu/rows/kept_distances.hpp"

namespace eigentropy::bindings {
namespace {

// alpha = None: the Gaussian kernel itself.
OperatorOptions make_options(double sigma, std::optional<double> alpha) {
  return {sigma, alpha.value_or(0.0), alpha.has_value()};
}

template <class T>
py::tuple to_tuple(Spectrum<T> result) {
  return py::make_tuple(to_array(std::move(result.eigenvalues)), result.trace, result.frobenius2,
                        result.kernel_sum, result.reach);
}

// (eigenvalues descending, tr A, |A|_F^2, sum_ij G_ij, largest distance of a row from the centre in
// units of sigma). In float32 they are made of distances that were kept, if these serve.
py::tuple spectrum(const py::array& Z, double sigma, std::optional<double> alpha,
                   const std::string& dtype, const py::object& progress, KeptDistances* kept) {
  const OperatorOptions options = make_options(sigma, alpha);
  std::unique_ptr<SingleDistances> distances = kept == nullptr ? nullptr : kept->take_for(sigma);
  if (distances != nullptr && dtype == "float32") {
    const double flops = spectrum_flops(distances->rows().n);
    auto compute = [options, distances = std::move(distances)](Control& control) {
      return diffusion_spectrum(*distances, options, thread_count(), control);
    };
    return to_tuple(run_interruptible(std::move(compute), progress, flops));
  }
  distances.reset();
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    return with_input(Z, [&](auto view) -> py::tuple {
      const auto compute = [view, options](Control& control) {
        return diffusion_spectrum<T>(view, options, thread_count(), control);
      };
      return to_tuple(run_interruptible(compute, progress, spectrum_flops(view.rows, view.cols)));
    });
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
py::tuple spectra_of_subsets(const py::array& Z, const Indices& offsets, const Indices& indices,
                             double sigma, std::optional<double> alpha, const std::string& dtype,
                             const std::string& kernels, double memory_limit,
                             const py::object& progress) {
  const OperatorOptions options = make_options(sigma, alpha);
  const SubsetKernels choice = parse_kernels(kernels);
  return with_dtype(dtype, [&](auto type) -> py::tuple {
    using T = decltype(type);
    return with_input(Z, [&](auto view) -> py::tuple {
      const double flops = subsets_flops(offsets, view.cols);
      auto compute = [view, options, choice, memory_limit,
                      subsets = Subsets{to_buffer<index_t>(offsets), to_buffer<index_t>(indices)}](
                         Control& control) mutable {
        const auto X = center_rows<decltype(view(0, 0)), T>(
            view, centering_for_kernel<T>(options.sigma), thread_count(), control);
        return subset_spectra(X, subsets, options, choice, memory_limit, thread_count(), control);
      };
      SubsetSpectra<T> result = run_interruptible(std::move(compute), progress, flops);
      return py::make_tuple(to_array(std::move(result.eigenvalues)),
                            to_array(std::move(result.kernel_sums)),
                            to_array(std::move(result.traces)));
    });
  });
}

}  // namespace

void bind_spectrum(py::module_& module) {
  module.def("spectrum", &spectrum, py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
             py::arg("dtype"), py::arg("progress") = py::none(), py::arg("kept") = nullptr);
  module.def("subset_spectra", &spectra_of_subsets, py::arg("Z"), py::arg("offsets"),
             py::arg("indices"), py::arg("sigma"), py::arg("alpha"), py::arg("dtype"),
             py::arg("kernels") = "auto", py::arg("memory_limit") = 0.0,
             py::arg("progress") = py::none());
}

}  // namespace eigentropy::bindings
