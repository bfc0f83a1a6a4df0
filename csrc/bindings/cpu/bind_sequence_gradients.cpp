#include <optional>
#include <variant>

#include "bindings/common/arrays.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "bindings/cpu/inputs.hpp"
#include "cpu/gradient/sequence_gradients.hpp"

namespace eigentropy::bindings {
namespace {

using Doubles = py::array_t<double, py::array::c_style>;
using Numbers = py::array_t<index_t, py::array::c_style>;

LogFunction log_function(double kappa, double constant, double linear, const Doubles& shifts,
                         const Doubles& weights) {
  return {kappa,
          constant,
          linear,
          {shifts.data(), shifts.data() + shifts.size()},
          {weights.data(), weights.data() + weights.size()}};
}

// Sequences that begin at these rows of a matrix.
std::vector<Sequence> sequences_of(const Numbers& firsts, const Numbers& lengths, index_t rows) {
  if (firsts.size() != lengths.size())
    throw std::invalid_argument("firsts and lengths must have one entry a sequence");
  std::vector<Sequence> sequences;
  for (index_t k = 0; k < lengths.size(); ++k) {
    const Sequence sequence{firsts.data()[k], lengths.data()[k]};
    if (sequence.first < 0 || sequence.rows < 1 || sequence.rows > rows - sequence.first) {
      throw std::invalid_argument("a sequence has rows that Z has not, or none");
    }
    sequences.push_back(sequence);
  }
  return sequences;
}

double flops_of(const std::vector<Sequence>& sequences, index_t d) {
  double flops = 0.0;
  for (const Sequence& sequence : sequences) flops += spectrum_flops(sequence.rows, d);
  return flops;
}

// The gradient as the core writes it; without one, a view of nothing.
template <class T>
MatrixView<T> gradient_view(std::optional<py::array>& gradient, InputView<T> Z) {
  if (!gradient.has_value()) return {nullptr, Z.rows, Z.cols, Z.cols};
  auto array = py::cast<py::array_t<T, py::array::c_style>>(*gradient);
  if (array.ptr() != gradient->ptr() || array.ndim() != 2 || array.shape(0) != Z.rows ||
      array.shape(1) != Z.cols) {
    throw std::invalid_argument("the gradient must be contiguous, with the shape and dtype of Z");
  }
  return {array.mutable_data(), Z.rows, Z.cols, Z.cols};
}

// Solves the sequences of one batch after the other in memory that is reused.
class Sequences {
 public:
  explicit Sequences(const std::string& dtype) {
    with_dtype(dtype, [&](auto type) { batch_.emplace<SequenceGradients<decltype(type)>>(); });
  }

  // (S in nats, sigmas, sum_ij G_ij, solved), (count,) each. dS/dZ goes to the rows of `gradient`,
  // if it is given. Z is in the precision of the computation. Without alpha of the kernel itself;
  // without functions always by eigenvectors. A sigma of NaN stands for a share of the median
  // distance.
  py::tuple solve(const py::array& Z, const Numbers& firsts, const Numbers& lengths,
                  const Doubles& sigmas, std::optional<double> alpha, double exponent,
                  double share_of_median, const LogFunctions* functions,
                  std::optional<py::array> gradient, int threads) {
    const SequenceOptions options{
        {alpha.has_value(), exponent}, alpha.value_or(0.0), functions != nullptr, share_of_median};
    return std::visit(
        [&](auto& batch) -> py::tuple {
          using T = typename std::decay_t<decltype(batch)>::Real;
          if (!py::isinstance<py::array_t<T>>(Z)) {
            throw std::invalid_argument("Z must have the dtype that the sequences were made for");
          }
          const InputView<T> view = input_view<T>(Z);
          const std::vector<Sequence> sequences = sequences_of(firsts, lengths, view.rows);
          const auto count = static_cast<index_t>(sequences.size());
          if (sigmas.size() != count)
            throw std::invalid_argument("sigmas must have one entry a sequence");
          Buffer<double> nats(count), widths = to_buffer<double>(sigmas), sums(count);
          Buffer<bool> solved(count);
          const SequenceResults<T> results{nats.data(), widths.data(), sums.data(), solved.data(),
                                           gradient_view<T>(gradient, view)};
          const LogFunctions none;
          const auto compute = [&](Control& control) {
            batch.solve(view, sequences, options, functions == nullptr ? none : *functions, results,
                        threads, control);
            return true;
          };
          run_interruptible(compute, py::none(), flops_of(sequences, view.cols));
          return py::make_tuple(to_array(std::move(nats)), to_array(std::move(widths)),
                                to_array(std::move(sums)), to_array(std::move(solved)));
        },
        batch_);
  }

 private:
  std::variant<SequenceGradients<double>, SequenceGradients<float>> batch_;
};

}  // namespace

void bind_sequence_gradients(py::module_& module) {
  py::class_<LogFunctions>(module, "LogFunctions")
      .def(py::init<>())
      .def(
          "add",
          [](LogFunctions& functions, double kappa, double constant, double linear,
             const Doubles& shifts, const Doubles& weights) {
            functions.add(log_function(kappa, constant, linear, shifts, weights));
          },
          py::arg("kappa"), py::arg("constant"), py::arg("linear"), py::arg("shifts"),
          py::arg("weights"));
  py::class_<Sequences>(module, "SequenceGradients")
      .def(py::init<const std::string&>(), py::arg("dtype"))
      .def("solve", &Sequences::solve, py::arg("Z"), py::arg("firsts"), py::arg("lengths"),
           py::arg("sigmas"), py::arg("alpha"), py::arg("exponent"), py::arg("share_of_median"),
           py::arg("functions"), py::arg("gradient"), py::arg("threads"));
}

}  // namespace eigentropy::bindings
