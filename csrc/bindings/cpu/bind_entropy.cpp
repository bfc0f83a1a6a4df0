#include <pybind11/stl.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/entropy/brief_entropies.hpp"
#include "cpu/entropy/entropy_range.hpp"
#include "cpu/entropy/shannon.hpp"

namespace eigentropy::bindings {
namespace {

template <class T>
using Values = py::array_t<T, py::array::c_style | py::array::forcecast>;

// call(array) with eigenvalues in the precision that they have.
template <class Call>
auto with_eigenvalues(const py::array& eigenvalues, const Call& call) {
  if (py::isinstance<py::array_t<float>>(eigenvalues)) return call(Values<float>(eigenvalues));
  return call(Values<double>(eigenvalues));
}

// The entropies of spectra of which spectrum s begins at starts[s]; none is empty.
py::array_t<double> entropies(const py::array& eigenvalues, const Indices& starts, double t) {
  return with_eigenvalues(eigenvalues, [&](const auto& values) {
    py::array_t<double> found(starts.size());
    for (index_t s = 0; s < starts.size(); ++s) {
      const index_t start = starts.data()[s];
      const index_t end = s + 1 < starts.size() ? starts.data()[s + 1] : values.size();
      found.mutable_data()[s] = shannon_nats(values.data() + start, end - start, t);
    }
    return found;
  });
}

// (S(t) in nats, the bound of its error)
std::pair<double, double> with_error(const py::array& eigenvalues, double t, double delta,
                                     double trace, bool has_unit) {
  return with_eigenvalues(eigenvalues, [&](const auto& values) {
    const EntropyWithError found =
        entropy_with_error(values.data(), values.size(), t, {delta, trace, has_unit});
    return std::pair(found.nats, found.error);
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

// sum_y weights_y values_by for each row b of values (m, k)
py::array_t<double> weighted_sums(const Values<double>& values, const Values<double>& weights) {
  if (values.ndim() != 2 || weights.ndim() != 1 || values.shape(1) != weights.size()) {
    throw std::invalid_argument("there must be a weight for each column");
  }
  py::array_t<double> found(values.shape(0));
  for (index_t b = 0; b < found.size(); ++b) {
    const double* const row = values.data() + b * weights.size();
    found.mutable_data()[b] = weighted_sum(row, weights.data(), weights.size());
  }
  return found;
}

// (sigma, S(Z), sum_ij G_ij, [S(Z|Y) of each partition], sum_ij G_ij of the groups of the last
// partition), or None: see brief_entropies. Subset s has the rows
// indices[offsets[s]:offsets[s + 1]].
py::object entropies_in_brief(const py::array& Z, const Indices& offsets, const Indices& indices,
                              const Values<double>& shares, double share_of_median,
                              double narrowest, double alpha, double t, double unit, double tol,
                              bool keeps_distances, double reach_for_single) {
  const index_t groups = std::max<index_t>(offsets.size() - 1, 0);
  if (shares.size() == 0 ? groups > 0 : groups % shares.size() != 0) {
    throw std::invalid_argument("there must be as many groups in each partition as shares");
  }
  BriefOptions options;
  options.share_of_median = share_of_median;
  options.narrowest = narrowest;
  options.alpha = alpha;
  options.t = t;
  options.unit = unit;
  options.tol = tol;
  options.keeps_distances = keeps_distances;
  options.reach_for_single = reach_for_single;
  return with_input(Z, [&](auto view) -> py::object {
    auto compute = [view, options,
                    partitions =
                        Partitions{{to_buffer<index_t>(offsets), to_buffer<index_t>(indices)},
                                   to_buffer<double>(shares)}](Control& control) mutable {
      return brief_entropies(view, partitions, options, thread_count(), control);
    };
    // As of the larger of two calls, one for all rows and one for the groups.
    const double flops =
        std::max(spectrum_flops(view.rows, view.cols), subsets_flops(offsets, view.cols));
    const auto found = run_interruptible(std::move(compute), py::none(), flops);
    if (!found.has_value()) return py::none();
    return py::make_tuple(found->sigma, found->entropy, found->kernel_sum, found->given_partition,
                          found->kernel_sum_of_last);
  });
}

}  // namespace

void bind_entropy(py::module_& module) {
  module.def("shannon_nats", &entropies, py::arg("eigenvalues"), py::arg("starts"), py::arg("t"));
  module.def("eigenvalue_error", &eigenvalue_error, py::arg("n"), py::arg("reach"),
             py::arg("outside"), py::arg("eps"), py::arg("norm"));
  module.def("entropy_with_error", &with_error, py::arg("eigenvalues"), py::arg("t"),
             py::arg("delta"), py::arg("trace"), py::arg("has_unit"));
  module.def("brief_entropies", &entropies_in_brief, py::arg("Z"), py::arg("offsets"),
             py::arg("indices"), py::arg("shares"), py::arg("share_of_median"),
             py::arg("narrowest"), py::arg("alpha"), py::arg("t"), py::arg("unit"), py::arg("tol"),
             py::arg("keeps_distances"), py::arg("reach_for_single"));
  module.def("weighted_sums", &weighted_sums, py::arg("values"), py::arg("weights"));
  module.def("entropy_range", &range, py::arg("eigenvalues"), py::arg("t"), py::arg("delta"),
             py::arg("trace"), py::arg("has_unit"));
}

}  // namespace eigentropy::bindings
