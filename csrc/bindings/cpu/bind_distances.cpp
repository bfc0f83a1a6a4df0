#include <pybind11/stl.h>

#include <memory>
#include <optional>

#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/kernel/knn_adjacency.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/rows/kept_distances.hpp"
#include "cpu/rows/max_norm.hpp"
#include "cpu/rows/median_distance.hpp"
#include "cpu/rows/nearest_rows.hpp"

namespace eigentropy::bindings {
namespace {

// Guesses on the safe side, so that what counts as brief is: an entry that is read may lie on a
// disk, and a pair is compared, sorted or written besides being multiplied.
double reading_flops(index_t rows, index_t columns) {
  constexpr double each = 100.0;
  return each * static_cast<double>(rows) * static_cast<double>(columns);
}

double distances_flops(index_t from, index_t to, index_t columns) {
  const double pairs = static_cast<double>(from) * static_cast<double>(to);
  return 2.0 * pairs * static_cast<double>(columns) + 200.0 * pairs + reading_flops(to, columns);
}

// (number of rows with NaN or infinity, the first of them or -1)
std::pair<index_t, index_t> nonfinite_rows(const py::array& Z) {
  return with_input(Z, [](auto view) {
    const auto compute = [view](Control& control) {
      return find_nonfinite_rows(view, thread_count(), control);
    };
    const NonFiniteRows rows =
        run_interruptible(compute, py::none(), reading_flops(view.rows, view.cols));
    return std::pair(rows.count, rows.first);
  });
}

// Squared distances in units of scale^2.
struct ScaledDistances {
  Buffer<double> r2;
  double scale;
};

// (r2 between the chosen rows, (len(rows), len(rows)); scale): distances are scale * sqrt(r2)
py::tuple distances(const py::array& Z, const std::optional<Indices>& rows,
                    const py::object& progress) {
  return with_input(Z, [&](auto view) -> py::tuple {
    if (rows.has_value()) {
      view.chosen = rows->data();
      view.rows = rows->size();
    }
    const auto compute = [view](Control& control) {
      const auto X = center_rows<decltype(view(0, 0)), double>(view, centering_for_distances(),
                                                               thread_count(), control);
      Buffer<double> r2(X.n * X.n);
      squared_distances(X, MatrixView<double>{r2.data(), X.n, X.n, X.n}, thread_count(), control);
      return ScaledDistances{std::move(r2), X.scale};
    };
    ScaledDistances result =
        run_interruptible(compute, progress, distances_flops(view.rows, view.rows, view.cols));
    return py::make_tuple(to_array(std::move(result.r2), {view.rows, view.rows}), result.scale);
  });
}

// As reach_of.
double reach(const py::array& Z, double sigma, const KeptDistances* kept) {
  return with_input(Z, [&](auto view) {
    const auto compute = [view, sigma, kept](Control& control) {
      return reach_of(view, sigma, kept, thread_count(), control);
    };
    return run_interruptible(compute, py::none(), reading_flops(view.rows, view.cols));
  });
}

// (median distance between the chosen rows, in units of scale; scale)
std::pair<double, double> median_of_distances(const py::array& Z,
                                              const std::optional<Indices>& rows) {
  return with_input(Z, [&](auto view) {
    if (rows.has_value()) {
      view.chosen = rows->data();
      view.rows = rows->size();
    }
    const auto compute = [view](Control& control) {
      const auto X = center_rows<decltype(view(0, 0)), double>(view, centering_for_distances(),
                                                               thread_count(), control);
      return std::pair(median_distance(X, thread_count(), control), X.scale);
    };
    return run_interruptible(compute, py::none(), distances_flops(view.rows, view.rows, view.cols));
  });
}

std::unique_ptr<KeptDistances> kept_distances(const py::array& Z) {
  return with_input(Z, [](auto view) {
    const auto compute = [view](Control& control) {
      return std::make_unique<KeptDistances>(view, thread_count(), control);
    };
    return run_interruptible(compute, py::none(), distances_flops(view.rows, view.rows, view.cols));
  });
}

// (r2 from the chosen rows to all rows, (len(query), n); scale)
py::tuple distances_from(const py::array& Z, const Indices& query) {
  return with_input(Z, [&](auto view) -> py::tuple {
    const index_t count = query.size();
    auto compute = [view, count, rows = to_buffer<index_t>(query)](Control& control) {
      const auto X = center_rows<decltype(view(0, 0)), double>(view, centering_for_distances(),
                                                               thread_count(), control);
      Buffer<double> r2(count * X.n);
      squared_distances_from(X, rows.data(), count, MatrixView<double>{r2.data(), count, X.n, X.n},
                             thread_count(), control);
      return ScaledDistances{std::move(r2), X.scale};
    };
    ScaledDistances result = run_interruptible(std::move(compute), py::none(),
                                               distances_flops(count, view.rows, view.cols));
    return py::make_tuple(to_array(std::move(result.r2), {count, view.rows}), result.scale);
  });
}

// The k nearest other rows of each of the chosen rows among the chosen ones: their positions
// (n, k), and r2 (n, k) in units of scale^2; scale
py::tuple nearest(const py::array& Z, index_t k, const std::optional<Indices>& rows,
                  const py::object& progress) {
  return with_input(Z, [&](auto view) -> py::tuple {
    if (rows.has_value()) {
      view.chosen = rows->data();
      view.rows = rows->size();
    }
    const index_t n = view.rows;
    if (k < 1 || k >= n) throw std::invalid_argument("k must be at least 1 and below the rows");
    const auto compute = [view, k](Control& control) {
      const auto X = center_rows<decltype(view(0, 0)), double>(view, centering_for_distances(),
                                                               thread_count(), control);
      return std::pair(nearest_rows(X, k, thread_count(), control), X.scale);
    };
    auto found = run_interruptible(compute, progress, distances_flops(n, n, view.cols));
    return py::make_tuple(to_array(std::move(found.first.rows), {n, k}),
                          to_array(std::move(found.first.r2), {n, k}), found.second);
  });
}

// Binary adjacency matrix, (n, n)
py::array knn_matrix(const py::array& Z, index_t k, const py::object& progress) {
  return with_input(Z, [&](auto view) -> py::array {
    const auto compute = [view, k](Control& control) {
      const auto X = center_rows<decltype(view(0, 0)), double>(view, centering_for_distances(),
                                                               thread_count(), control);
      Buffer<double> adjacency(X.n * X.n);
      knn_adjacency(X, k, MatrixView<double>{adjacency.data(), X.n, X.n, X.n}, thread_count(),
                    control);
      return adjacency;
    };
    const double flops = distances_flops(view.rows, view.rows, view.cols);
    return to_array(run_interruptible(compute, progress, flops), {view.rows, view.rows});
  });
}

using Doubles = py::array_t<double, py::array::c_style>;

// D_ij <- max(D_ij, max_c |X_(first + i),c - X_jc|) in place, for D (rows, len(X))
void raise_to_max_distances(Doubles D, const Doubles& X, index_t first) {
  if (D.ndim() != 2 || X.ndim() != 2 || D.shape(1) != X.shape(0) || first < 0 ||
      first + D.shape(0) > X.shape(0)) {
    throw std::invalid_argument("D must have a column for each row of X, and rows that X has");
  }
  const MatrixView<double> d{D.mutable_data(), D.shape(0), D.shape(1), D.shape(1)};
  const MatrixView<const double> x{X.data(), X.shape(0), X.shape(1), X.shape(1)};
  const auto compute = [d, x, first](Control& control) {
    eigentropy::raise_to_max_distances(x, first, d, thread_count(), control);
    return true;
  };
  run_interruptible(compute, py::none(), distances_flops(d.rows, x.rows, x.cols));
}

}  // namespace

void bind_distances(py::module_& module) {
  module.def("nonfinite_rows", &nonfinite_rows, py::arg("Z"));
  module.attr("widest_block") = widest_block;
  module.def("squared_distances", &distances, py::arg("Z"), py::arg("rows") = py::none(),
             py::arg("progress") = py::none());
  py::class_<KeptDistances>(module, "KeptDistances")
      .def_property_readonly("median", &KeptDistances::median)
      .def_property_readonly("scale", &KeptDistances::scale);
  module.def("kept_distances", &kept_distances, py::arg("Z"));
  module.def("reach", &reach, py::arg("Z"), py::arg("sigma"), py::arg("kept") = nullptr);
  module.def("median_distance", &median_of_distances, py::arg("Z"), py::arg("rows") = py::none());
  module.def("squared_distances_from", &distances_from, py::arg("Z"), py::arg("query"));
  module.def("raise_to_max_distances", &raise_to_max_distances, py::arg("D").noconvert(),
             py::arg("X").noconvert(), py::arg("first"));
  module.def("nearest_rows", &nearest, py::arg("Z"), py::arg("k"), py::arg("rows") = py::none(),
             py::arg("progress") = py::none());
  module.def("knn_adjacency", &knn_matrix, py::arg("Z"), py::arg("k"),
             py::arg("progress") = py::none());
}

}  // namespace eigentropy::bindings
