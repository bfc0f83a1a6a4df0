#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/operator/low_rank.hpp"

namespace eigentropy::bindings {
namespace {

using Doubles = py::array_t<double, py::array::c_style>;

MatrixView<const double> matrix_view(const Doubles& F) {
  return {F.data(), F.shape(0), F.shape(1), F.shape(1)};
}

// A = diag(s) G diag(s), whose rows are computed on demand: see cpu/operator/low_rank.hpp.
class BoundKernel {
 public:
  // Reads Z. Every call of a method reads Z again.
  BoundKernel(py::array Z, double sigma, const Doubles& scaling)
      : Z_(std::move(Z)), kernel_(with_input(Z_, [&](auto view) {
          const auto compute = [view, sigma](Control& control) {
            return center_rows<decltype(view(0, 0)), double>(
                view, centering_for_kernel<double>(sigma), thread_count(), control);
          };
          return ScaledKernel{run_interruptible(compute, py::none()), sigma,
                              to_buffer<double>(scaling)};
        })) {}

  // R_pp' (count, count)
  py::array residual_block(const Doubles& F, const Indices& pivots) const {
    const index_t count = pivots.size();
    const auto compute = [&, f = matrix_view(F), rows = pivots.data()](Control& control) {
      Buffer<double> out(count * count);
      eigentropy::residual_block(kernel_, f, rows, count, {out.data(), count, count, count},
                                 thread_count(), control);
      return out;
    };
    return to_array(run_interruptible(compute, py::none()), {count, count});
  }

  // L^-1 R_p,: (count, n)
  py::array factor_rows(const Doubles& F, const Indices& pivots, const Doubles& L) const {
    const index_t count = pivots.size(), n = kernel_.rows.n;
    const auto compute = [&, f = matrix_view(F), rows = pivots.data(),
                          l = L.data()](Control& control) {
      Buffer<double> out(count * n);
      eigentropy::factor_rows(kernel_, f, rows, count, l, {out.data(), count, n, n}, thread_count(),
                              control);
      return out;
    };
    return to_array(run_interruptible(compute, py::none()), {count, n});
  }

 private:
  py::array Z_;  // kept alive, because it is read again
  ScaledKernel kernel_;
};

// F_l . F_(first + i) (rank, rank - first)
py::array gram_columns(const Doubles& F, index_t first) {
  const index_t rank = F.shape(0), count = rank - first;
  const auto compute = [f = matrix_view(F), first, rank, count](Control& control) {
    Buffer<double> out(rank * count);
    eigentropy::gram_columns(f, first, {out.data(), rank, count, count}, thread_count(), control);
    return out;
  };
  return to_array(run_interruptible(compute, py::none()), {rank, count});
}

}  // namespace

void bind_low_rank(py::module_& module) {
  py::class_<BoundKernel>(module, "ScaledKernel")
      .def(py::init<py::array, double, const Doubles&>(), py::arg("Z"), py::arg("sigma"),
           py::arg("scaling"))
      .def("residual_block", &BoundKernel::residual_block, py::arg("F").noconvert(),
           py::arg("pivots"))
      .def("factor_rows", &BoundKernel::factor_rows, py::arg("F").noconvert(), py::arg("pivots"),
           py::arg("L").noconvert());
  module.def("gram_columns", &gram_columns, py::arg("F").noconvert(), py::arg("first"));
}

}  // namespace eigentropy::bindings
