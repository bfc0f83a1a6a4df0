#include "base/errors.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module) {
  module.doc() =
      "The compiled core of eigentropy: arrays in, arrays out, no defaults, no checks "
      "that the Python layer has made already.";
  // Local: the CUDA plug-in registers an exception of its own for the same C++ type.
  py::register_local_exception<eigentropy::SolverError>(module, "SolverError",
                                                        PyExc_ArithmeticError)
      .attr("__doc__") =
      "An eigenvalue routine of LAPACK failed, or its result does not add up to the traces of "
      "the matrix.";

  eigentropy::bindings::bind_distances(module);
  eigentropy::bindings::bind_spectrum(module);
  eigentropy::bindings::bind_symmetric(module);
  eigentropy::bindings::bind_operator(module);
  eigentropy::bindings::bind_kernel_operator(module);
  eigentropy::bindings::bind_kernel_block(module);
  eigentropy::bindings::bind_block_vectors(module);
  eigentropy::bindings::bind_low_rank(module);
  eigentropy::bindings::bind_entropy(module);
  eigentropy::bindings::bind_entropy_gradient(module);
  eigentropy::bindings::bind_sequence_gradients(module);
  eigentropy::bindings::bind_machine(module);
}
