// What each bind_<concept>.cpp adds to the module.
#pragma once

#include <pybind11/pybind11.h>

namespace eigentropy::cuda::bindings {

void bind_arrays(pybind11::module_& module);
void bind_devices(pybind11::module_& module);
void bind_products(pybind11::module_& module);
void bind_spectrum(pybind11::module_& module);
void bind_vectors(pybind11::module_& module);

}  // namespace eigentropy::cuda::bindings
