#include <cmath>
#include <limits>
#include <optional>
#include <variant>

#include "base/gaussian.hpp"
#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/gradient/entropy_gradient.hpp"

namespace eigentropy::bindings {
namespace {

// How many inverses a logarithm takes, for the guess of how long it takes.
constexpr double likely_poles = 4.0;

using Doubles = py::array_t<double, py::array::c_style>;

template <class T>
py::array_t<T> copy_of(const T* data, std::vector<py::ssize_t> shape) {
  py::array_t<T> copied(std::move(shape));
  std::copy_n(data, copied.size(), copied.mutable_data());
  return copied;
}

// Computes one batch after the other in memory that is reused.
class Gradients {
 public:
  explicit Gradients(const std::string& dtype) {
    with_dtype(dtype, [&](auto type) { batch_.emplace<EntropyGradient<decltype(type)>>(); });
  }

  // Without alpha of the kernel itself. Returns sum_ij G_ij. The rows are needed until the gradient
  // has been computed.
  double build(py::array Z, double sigma, std::optional<double> alpha, int threads) {
    Z_ = py::none();
    const OperatorOptions options{sigma, alpha.value_or(0.0), alpha.has_value()};
    const double sum = std::visit(
        [&](auto& batch) {
          using T = std::decay_t<decltype(*batch.A().data)>;
          return with_input(Z, [&](auto view) {
            const auto compute = [&batch, view, options, threads](Control& control) {
              const auto X = center_rows<decltype(view(0, 0)), T>(
                  view, centering_for_kernel<T>(options.sigma), threads, control);
              batch.build(X, options, threads, control);
              return batch.kernel_sum();
            };
            return run_interruptible(compute, py::none(), spectrum_flops(view.rows, view.cols));
          });
        },
        batch_);
    Z_ = std::move(Z);
    return sum;
  }

  // Drops the reference to the caller's array and keeps the memory of the batch.
  void forget_rows() { Z_ = py::none(); }

  // (A (n, n), q (n,), d (n,)), copied
  py::tuple matrices() {
    require_built();
    return std::visit(
        [&](auto& batch) -> py::tuple {
          const index_t n = batch.n();
          return py::make_tuple(copy_of(batch.A().data, {n, n}),
                                copy_of<double>(batch.densities().data(), {n}),
                                copy_of<double>(batch.degrees().data(), {n}));
        },
        batch_);
  }

  // (lower, upper): an interval of all eigenvalues except the known one
  std::pair<double, double> bulk_interval(int steps, int threads) {
    require_built();
    return std::visit(
        [&](auto& batch) {
          const auto compute = [&batch, steps, threads](Control&) {
            const Interval found = batch.bulk_interval(steps, threads);
            return std::pair(found.lower, found.upper);
          };
          return run_interruptible(compute, py::none(), spectrum_flops(batch.n()));
        },
        batch_);
  }

  // (S(1) in nats, dS/dZ (n, d)) with c0 + c1 x + sum_k w_k / (x + s_k) for log x, x >= lowest
  py::tuple solve(double constant, double linear, const Doubles& shifts, const Doubles& weights,
                  double lowest, int threads) {
    require_built();
    if (shifts.size() != weights.size() || shifts.size() == 0) {
      throw std::invalid_argument("there must be as many weights as shifts");
    }
    const RationalFunction log{constant, linear, shifts.data(), weights.data(), shifts.size()};
    return solved(static_cast<double>(log.poles),
                  [log, lowest, threads](auto& batch, auto gradient, Control& control) {
                    return batch.solve(log, lowest, gradient, threads, control);
                  });
  }

  // (S(1) in nats, dS/dZ (n, d)), or None where no function reaches over all eigenvalues
  py::object solve_by_logarithm(const LogFunctions& functions, int threads) {
    require_built();
    py::tuple found =
        solved(likely_poles, [&functions, threads](auto& batch, auto gradient, Control& control) {
          const auto nats = batch.solve_by_logarithm(functions, gradient, threads, control);
          return nats.value_or(std::numeric_limits<double>::quiet_NaN());
        });
    return std::isnan(found[0].cast<double>()) ? py::object(py::none()) : found;
  }

  // (the entropy of order 2 in nats, its gradient (n, d))
  py::tuple solve_order_two(int threads) {
    require_built();
    return solved(0.0, [threads](auto& batch, auto gradient, Control& control) {
      return batch.solve_order_two(gradient, threads, control);
    });
  }

 private:
  // What solve(batch, gradient, control) returns, and the gradient that it writes. `inverses`: how
  // many inverse matrices it computes.
  template <class Solve>
  py::tuple solved(double inverses, const Solve& solve) {
    return std::visit(
        [&](auto& batch) -> py::tuple {
          using T = std::decay_t<decltype(*batch.A().data)>;
          const index_t n = batch.n(), d = batch.d();
          py::array_t<T> gradient({n, d});
          const MatrixView<T> out{gradient.mutable_data(), n, d, d};
          const auto compute = [&batch, &solve, out](Control& control) {
            return solve(batch, out, control);
          };
          const double flops = std::max(1.0, inverses) * spectrum_flops(n, d);
          const double nats = run_interruptible(compute, py::none(), flops);
          return py::make_tuple(nats, std::move(gradient));
        },
        batch_);
  }

  void require_built() const {
    if (Z_.is_none()) throw std::invalid_argument("the operator has not been built");
  }

  std::variant<EntropyGradient<double>, EntropyGradient<float>> batch_;
  py::object Z_ = py::none();
};

}  // namespace

void bind_entropy_gradient(py::module_& module) {
  py::class_<Gradients>(module, "EntropyGradient")
      .def(py::init<const std::string&>(), py::arg("dtype"))
      .def("build", &Gradients::build, py::arg("Z"), py::arg("sigma"), py::arg("alpha"),
           py::arg("threads"))
      .def("forget_rows", &Gradients::forget_rows)
      .def("matrices", &Gradients::matrices)
      .def("bulk_interval", &Gradients::bulk_interval, py::arg("steps"), py::arg("threads"))
      .def("solve", &Gradients::solve, py::arg("constant"), py::arg("linear"), py::arg("shifts"),
           py::arg("weights"), py::arg("lowest"), py::arg("threads"))
      .def("solve_by_logarithm", &Gradients::solve_by_logarithm, py::arg("functions"),
           py::arg("threads"))
      .def("solve_order_two", &Gradients::solve_order_two, py::arg("threads"));
}

}  // namespace eigentropy::bindings
