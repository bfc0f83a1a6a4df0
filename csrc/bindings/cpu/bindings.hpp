// What each bind_<concept>.cpp adds to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace eigentropy::bindings {

void bind_distances(pybind11::module_& module);
void bind_spectrum(pybind11::module_& module);
void bind_symmetric(pybind11::module_& module);
void bind_block_vectors(pybind11::module_& module);
void bind_low_rank(pybind11::module_& module);
void bind_operator(pybind11::module_& module);
void bind_kernel_operator(pybind11::module_& module);
void bind_kernel_block(pybind11::module_& module);
void bind_entropy(pybind11::module_& module);
void bind_entropy_gradient(pybind11::module_& module);
void bind_sequence_gradients(pybind11::module_& module);
void bind_machine(pybind11::module_& module);

}  // namespace eigentropy::bindings
