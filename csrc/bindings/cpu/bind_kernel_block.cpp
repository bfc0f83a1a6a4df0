#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/operator/kernel_block.hpp"

namespace eigentropy::bindings {
namespace {

using DoubleValues = py::array_t<double, py::array::c_style | py::array::forcecast>;
template <class T>
using Contiguous = py::array_t<T, py::array::c_style>;

std::vector<double> to_vector(const DoubleValues& values) {
  return {values.data(), values.data() + values.size()};
}

template <class T>
Closing closing_for_kernel(double sigma, index_t columns) {
  return {centering_for_kernel<T>(sigma).separation, most_closed_gaps(columns)};
}

// (lowest values, highest values, sums) of the columns of Z
py::tuple ranges_of_columns(const py::array& Z) {
  return with_input(Z, [](auto view) -> py::tuple {
    const auto compute = [view](Control& control) {
      return column_ranges(view, thread_count(), control);
    };
    const ColumnRanges ranges = run_interruptible(compute, py::none());
    const auto shown = [](const std::vector<double>& values) {
      return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
    };
    return py::make_tuple(shown(ranges.low), shown(ranges.high), shown(ranges.sum));
  });
}

// Columns wider than this may have gaps that are closed: see ClosedColumn.
double narrowest_wide_column(double sigma, const std::string& dtype) {
  return with_dtype(dtype, [&](auto type) {
    return narrowest_closed_gap(centering_for_kernel<decltype(type)>(sigma).separation);
  });
}

// (begins, positions) of the segments of a column of all rows, whose gaps are closed; both empty if
// no gap is wide. There are `columns` columns.
std::pair<std::vector<double>, std::vector<double>> closed_column(const DoubleValues& values,
                                                                  index_t columns, double sigma,
                                                                  const std::string& dtype) {
  return with_dtype(dtype, [&](auto type) {
    const Buffer<double> sorted = to_buffer<double>(values);
    std::pair<std::vector<double>, std::vector<double>> found;
    for (const Segment& segment : sort_and_close_gaps(
             sorted.data(), sorted.size(), closing_for_kernel<decltype(type)>(sigma, columns))) {
      found.first.push_back(segment.begin);
      found.second.push_back(segment.position);
    }
    return found;
  });
}

// (number, begins, positions) of columns whose gaps are closed.
using ClosedColumns = std::vector<std::tuple<index_t, std::vector<double>, std::vector<double>>>;

std::vector<ClosedColumn> to_closed(const ClosedColumns& columns) {
  std::vector<ClosedColumn> closed;
  for (const auto& [number, begins, positions] : columns) {
    ClosedColumn column{number, {}};
    for (std::size_t k = 0; k < begins.size(); ++k) {
      column.segments.push_back({begins[k], positions[k]});
    }
    closed.push_back(std::move(column));
  }
  return closed;
}

// (strips, |x|^2, the scale of the exponent, that of the rows): the rows of Z around the centre of
// n rows, of whose columns low, high and total are the ranges and the sums, packed for KernelBlock.
// `closed` has what closed_column has found.
py::tuple packed_rows(const py::array& Z, const DoubleValues& low, const DoubleValues& high,
                      const DoubleValues& total, index_t n, const ClosedColumns& closed,
                      double sigma, const std::string& dtype) {
  return with_dtype(dtype, [&](auto type) {
    using T = decltype(type);
    return with_input(Z, [&](auto view) -> py::tuple {
      ColumnRanges of_all(0);
      of_all.low = to_vector(low);
      of_all.high = to_vector(high);
      of_all.sum = to_vector(total);
      const auto X = center_rows<decltype(view(0, 0)), T>(
          view, common_centers(of_all, n, centering_for_kernel<T>(sigma), to_closed(closed)));
      const auto compute = [&X](Control& control) {
        auto strips = std::make_unique<RowStrips<T>>(X.n, X.d);
        strips->load(X, 0, X.n, thread_count(), control);
        return strips;
      };
      const auto strips = run_interruptible(compute, py::none());
      return py::make_tuple(to_array(strips->take_strips()), to_array(strips->take_norms()),
                            exponent_scale(X, sigma), X.scale);
    });
  });
}

// One block of rows in a product: its packed rows, its vectors, the result for them. `strips` and
// `norms` are empty if the block's matrix is kept.
template <class T>
struct BlockSide {
  BlockSide(const py::tuple& packed, const py::array& V, index_t rows,
            const std::optional<DoubleValues>& s)
      : strips(packed[0].cast<Contiguous<T>>()),
        norms(packed[1].cast<Contiguous<T>>()),
        vectors(V.cast<Contiguous<T>>()),
        scaling(s) {
    const index_t padded = norms.size();
    if (vectors.ndim() != 2 || vectors.shape(0) != rows ||
        (padded != 0 && (padded != padded_rows(rows) || strips.size() % padded != 0)) ||
        (s.has_value() && s->size() != rows)) {
      throw std::invalid_argument("rows, vectors and scaling must be those of the block");
    }
    out = Buffer<double>(rows * vectors.shape(1));
  }

  PackedRows<T> rows() const {
    if (norms.size() == 0) return {};
    return {strips.data(), norms.data(), strips.size() / norms.size(), 0};
  }
  MatrixView<const T> input() const {
    return {vectors.data(), vectors.shape(0), vectors.shape(1), vectors.shape(1)};
  }
  MatrixView<double> output() const {
    return {out.data(), vectors.shape(0), vectors.shape(1), vectors.shape(1)};
  }
  const double* s() const { return scaling.has_value() ? scaling->data() : nullptr; }
  py::array result() { return to_array(std::move(out), {vectors.shape(0), vectors.shape(1)}); }

  Contiguous<T> strips, norms, vectors;
  std::optional<DoubleValues> scaling;
  Buffer<double> out;
};

// B between two blocks of rows, or of one with itself: see cpu/operator/kernel_block.hpp.
class BoundBlock {
 public:
  BoundBlock(index_t rows, std::optional<index_t> cols, const std::string& dtype, bool keeps)
      : rows_(rows), cols_(cols) {
    with_dtype(dtype, [&](auto type) {
      using T = decltype(type);
      block_ = std::make_shared<KernelBlock<T>>(rows, cols.value_or(rows), !cols, keeps);
    });
  }

  bool is_kept() const {
    return std::visit([](const auto& block) { return block->is_kept(); }, block_);
  }

  // (B V, B^T W or None, |diag(s) B diag(s)|_F^2 or 0). A side is ((strips, norms), vectors, s).
  py::tuple multiply(const py::tuple& rows, const std::optional<py::tuple>& cols, double scale,
                     const py::object& progress) {
    if (cols.has_value() != cols_.has_value()) {
      throw std::invalid_argument("a block with itself has one side, others have two");
    }
    return std::visit([&](auto& block) { return product(*block, rows, cols, scale, progress); },
                      block_);
  }

 private:
  template <class T>
  static BlockSide<T> side(const py::tuple& given, index_t rows) {
    return {given[0].cast<py::tuple>(), given[1].cast<py::array>(), rows,
            given[2].cast<std::optional<DoubleValues>>()};
  }

  template <class T>
  py::tuple product(KernelBlock<T>& block, const py::tuple& rows,
                    const std::optional<py::tuple>& cols, double scale,
                    const py::object& progress) {
    BlockSide<T> first = side<T>(rows, rows_);
    std::optional<BlockSide<T>> second;
    if (cols.has_value()) second.emplace(side<T>(*cols, *cols_));
    const BlockSide<T>& other = second.has_value() ? *second : first;
    const auto compute = [&](Control& control) {
      return block.multiply(first.rows(), other.rows(), static_cast<T>(scale),
                            {first.input(), other.input(), first.output(), other.output()},
                            first.s(), other.s(), thread_count(), control);
    };
    const double frobenius2 = run_interruptible(compute, progress);
    const py::object of_cols = second.has_value() ? py::object(second->result()) : py::none();
    return py::make_tuple(first.result(), of_cols, frobenius2);
  }

  index_t rows_;
  std::optional<index_t> cols_;
  std::variant<std::shared_ptr<KernelBlock<double>>, std::shared_ptr<KernelBlock<float>>> block_;
};

}  // namespace

void bind_kernel_block(py::module_& module) {
  module.def("column_ranges", &ranges_of_columns, py::arg("Z"));
  module.def("narrowest_wide_column", &narrowest_wide_column, py::arg("sigma"), py::arg("dtype"));
  module.def("closed_column", &closed_column, py::arg("values"), py::arg("columns"),
             py::arg("sigma"), py::arg("dtype"));
  module.def("packed_rows", &packed_rows, py::arg("Z"), py::arg("low"), py::arg("high"),
             py::arg("total"), py::arg("n"), py::arg("closed"), py::arg("sigma"), py::arg("dtype"));
  py::class_<BoundBlock>(module, "KernelBlock")
      .def(py::init<index_t, std::optional<index_t>, const std::string&, bool>(), py::arg("rows"),
           py::arg("cols"), py::arg("dtype"), py::arg("keeps") = false)
      .def_property_readonly("is_kept", &BoundBlock::is_kept)
      .def("multiply", &BoundBlock::multiply, py::arg("rows"), py::arg("cols"), py::arg("scale"),
           py::arg("progress") = py::none());
}

}  // namespace eigentropy::bindings
