#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/eigen/symmetric_spectra.hpp"

namespace eigentropy::bindings {
namespace {

// Below this order a copy is cheap. From this order on, every matrix is solved by the two-stage
// reduction, which stops when it is asked to. LAPACK's does not stop: left behind by Ctrl-C, it
// would go on writing to the caller's memory.
constexpr index_t in_place_from = 1000;

Reduction parse_reduction(const std::string& name) {
  if (name == "auto") return Reduction::automatic;
  if (name == "one-stage") return Reduction::one_stage;
  if (name == "two-stage") return Reduction::two_stage;
  if (name == "lapack") return Reduction::lapack;
  throw std::invalid_argument("reduction must be 'auto', 'one-stage', 'two-stage' or 'lapack'");
}

template <class T>
MatrixBatch<T> batch_view(const py::array& A) {
  if (A.ndim() != 3 || A.shape(1) != A.shape(2)) {
    throw std::invalid_argument("A must have shape (count, n, n)");
  }
  constexpr auto size = static_cast<py::ssize_t>(sizeof(T));
  for (const int axis : {0, 1, 2}) {
    if (A.strides(axis) % size != 0) {
      throw std::invalid_argument("the strides of A are not multiples of its item size");
    }
  }
  return {static_cast<const T*>(A.data()),
          A.shape(0),
          A.shape(1),
          A.strides(0) / size,
          A.strides(1) / size,
          A.strides(2) / size};
}

template <class T>
bool usable_as_workspace(const MatrixBatch<T>& A, const py::array& array, Reduction reduction) {
  return array.writeable() && A.count == 1 && A.n >= in_place_from && A.col_stride == 1 &&
         A.row_stride >= A.n &&
         (reduction == Reduction::automatic || reduction == Reduction::two_stage);
}

template <class T>
py::array spectra_of(py::array& array, Reduction reduction, bool overwrite,
                     const py::object& progress) {
  const MatrixBatch<T> A = batch_view<T>(array);
  const double flops = static_cast<double>(A.count) * spectrum_flops(A.n);
  if (overwrite && usable_as_workspace(A, array, reduction)) {
    const SymmetricView<T> matrix{static_cast<T*>(array.mutable_data()), A.n, A.row_stride};
    const auto compute = [matrix](Control& control) {
      return symmetric_spectrum_in_place(matrix, thread_count(), control);
    };
    return to_array(run_interruptible(compute, progress, flops), {1, A.n});
  }
  const auto compute = [A, reduction](Control& control) {
    return symmetric_spectra(A, reduction, thread_count(), control);
  };
  return to_array(run_interruptible(compute, progress, flops), {A.count, A.n});
}

// Eigenvalues, descending, (count, n), of the upper triangles of A (count, n, n). With `overwrite`,
// A may be destroyed to save a copy.
py::array symmetric_eigenvalues(py::array A, const std::string& reduction, bool overwrite,
                                const py::object& progress) {
  const Reduction parsed = parse_reduction(reduction);
  if (py::isinstance<py::array_t<double>>(A)) {
    return spectra_of<double>(A, parsed, overwrite, progress);
  }
  if (py::isinstance<py::array_t<float>>(A)) {
    return spectra_of<float>(A, parsed, overwrite, progress);
  }
  throw std::invalid_argument("A must be float32 or float64");
}

// Eigenvalues (n,), ascending, and eigenvectors (n, n), one a column, of the upper triangle of A.
// For small matrices: the GIL is released, and nothing asks whether it was cancelled.
py::tuple symmetric_eigenpairs(const py::array_t<double, py::array::c_style>& A) {
  if (A.ndim() != 2 || A.shape(0) != A.shape(1)) {
    throw std::invalid_argument("A must have shape (n, n)");
  }
  const index_t n = A.shape(0);
  Buffer<double> values(n), vectors = to_buffer<double>(A);
  if (n > 0) {
    const py::gil_scoped_release without_gil;
    small_eigenpairs<double>({vectors.data(), n, n}, values.data());
  }
  const py::array rows = to_array(std::move(vectors), {n, n});
  return py::make_tuple(to_array(std::move(values)), rows.attr("T"));
}

}  // namespace

void bind_symmetric(py::module_& module) {
  module.def("symmetric_eigenpairs", &symmetric_eigenpairs, py::arg("A").noconvert());
  module.def("symmetric_eigenvalues", &symmetric_eigenvalues, py::arg("A"),
             py::arg("reduction") = "auto", py::arg("overwrite") = false,
             py::arg("progress") = py::none());
}

}  // namespace eigentropy::bindings
