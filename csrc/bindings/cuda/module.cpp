#include "base/errors.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cuda/bindings.hpp"
#include "cuda/runtime.hpp"

namespace py = pybind11;

namespace {

// RuntimeError with CUDA's number as its `code`.
void register_device_error(py::module_& module) {
  static py::exception<eigentropy::cuda::DeviceError> error(module, "DeviceError",
                                                            PyExc_RuntimeError);
  error.attr("__doc__") = "A call of CUDA, cuBLAS or cuSOLVER failed; `code` is its status.";
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const eigentropy::cuda::DeviceError& device_error) {
      py::object instance = py::reinterpret_borrow<py::object>(error)(device_error.what());
      instance.attr("code") = device_error.code;
      PyErr_SetObject(error.ptr(), instance.ptr());
    }
  });
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  module.doc() = "The CUDA back end of eigentropy: as its compiled core, on a device.";
  module.attr("__version__") = EIGENTROPY_VERSION;
#ifdef EIGENTROPY_CUDA_EMULATED
  module.attr("emulated") = true;
#else
  module.attr("emulated") = false;
#endif
  register_device_error(module);
  // Local: the CPU's module registers an exception of its own for the same C++ type.
  py::register_local_exception<eigentropy::SolverError>(module, "SolverError",
                                                        PyExc_ArithmeticError)
      .attr("__doc__") =
      "An eigenvalue routine of cuSOLVER failed, or its result does not add up to the traces of "
      "the matrix.";

  eigentropy::cuda::bindings::bind_arrays(module);
  eigentropy::cuda::bindings::bind_devices(module);
  eigentropy::cuda::bindings::bind_spectrum(module);
  eigentropy::cuda::bindings::bind_products(module);
  eigentropy::cuda::bindings::bind_vectors(module);
}
