#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/run.hpp"
#include "core/resolvents.hpp"
#include "core/threads.hpp"

namespace eigentropy::bindings {
namespace {

using Doubles = py::array_t<double, py::array::c_style>;

// c0 + c1 A + sum_k w_k (A + s_k)^-1, (n, n), for a symmetric A (n, n), by `threads` threads
template <class T>
py::array function_of_matrix(const py::array_t<T, py::array::c_style>& A, double constant,
                             double linear, const Doubles& shifts, const Doubles& weights,
                             int threads) {
  if (A.ndim() != 2 || A.shape(0) != A.shape(1)) {
    throw std::invalid_argument("A must have shape (n, n)");
  }
  if (shifts.size() != weights.size()) {
    throw std::invalid_argument("there must be as many weights as shifts");
  }
  const index_t n = A.shape(0);
  const auto compute = [=, a = A.data(), s = shifts.data(), w = weights.data(),
                        poles = shifts.size()](Control& control) {
    return eigentropy::function_of_matrix<T>({a, n, n, n}, {constant, linear, s, w, poles}, threads,
                                             control);
  };
  const double flops = static_cast<double>(shifts.size()) * spectrum_flops(n);
  return to_array(run_interruptible(compute, py::none(), flops), {n, n});
}

}  // namespace

void bind_resolvents(py::module_& module) {
  const auto define = [&](auto function) {
    module.def("function_of_matrix", function, py::arg("A").noconvert(), py::arg("constant"),
               py::arg("linear"), py::arg("shifts"), py::arg("weights"), py::arg("threads"));
  };
  define(&function_of_matrix<double>);
  define(&function_of_matrix<float>);
}

}  // namespace eigentropy::bindings
