#include <algorithm>
#include <utility>

#include "bindings/common/arrays.hpp"
#include "bindings/cpu/bindings.hpp"
#include "cpu/entropy/entropy_range.hpp"
#include "cpu/entropy/shannon.hpp"

namespace eigentropy::bindings {
namespace {

template <class T>
using Values = py::array_t<T, py::array::c_style | py::array::forcecast>;
using Indices = Values<index_t>;

// call(array) with eigenvalues in the precision that they have.
template <class Call>
auto with_eigenvalues(const py::array& eigenvalues, const Call& call) {
  if (py::isinstance<py::array_t<float>>(eigenvalues)) return call(Values<float>(eigenvalues));
  return call(Values<double>(eigenvalues));
}

// The entropies of spectra of which spectrum s begins at starts[s]; none is empty. With `clip` the
// eigenvalues outside of [0, 1] are brought to its ends first, in the array itself.
py::array_t<double> entropies(const py::array& eigenvalues, const Indices& starts, double t,
                              bool clip) {
  return with_eigenvalues(eigenvalues, [&](auto values) {
    using T = typename decltype(values)::value_type;
    if (clip) {
      T* const first = values.mutable_data();
      std::transform(first, first + values.size(), first,
                     [](T value) { return std::clamp(value, T(0), T(1)); });
    }
    py::array_t<double> found(starts.size());
    for (index_t s = 0; s < starts.size(); ++s) {
      const index_t start = starts.data()[s];
      const index_t end = s + 1 < starts.size() ? starts.data()[s + 1] : values.size();
      found.mutable_data()[s] = shannon_nats(values.data() + start, end - start, t);
    }
    return found;
  });
}

// (smallest, largest)
std::pair<double, double> range(const py::array& eigenvalues, double t, double delta, double trace,
                                bool has_unit) {
  return with_eigenvalues(eigenvalues, [&](const auto& values) {
    const Range found = entropy_range(values.data(), values.size(), t, {delta, trace, has_unit});
    return std::pair(found.low, found.high);
  });
}

}  // namespace

void bind_entropy(py::module_& module) {
  module.def("shannon_nats", &entropies, py::arg("eigenvalues"), py::arg("starts"), py::arg("t"),
             py::arg("clip") = false);
  module.def("entropy_range", &range, py::arg("eigenvalues"), py::arg("t"), py::arg("delta"),
             py::arg("trace"), py::arg("has_unit"));
}

}  // namespace eigentropy::bindings
