#include <cstdint>

#include "base/simd/instruction_set.hpp"
#include "base/threads.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"

#define EIGENTROPY_TEXT_OF(number) #number
#define EIGENTROPY_TEXT(number) EIGENTROPY_TEXT_OF(number)
#if defined(__clang__)
#define EIGENTROPY_COMPILER "Clang " __clang_version__
#else
#define EIGENTROPY_COMPILER "GCC " __VERSION__
#endif

namespace eigentropy::bindings {
namespace {

// scripts/write_sbom.py reads this sentence from the compiled file.
constexpr char built_with[] =
    "eigentropy was built with pybind11 " EIGENTROPY_TEXT(PYBIND11_VERSION_MAJOR) "." EIGENTROPY_TEXT(
        PYBIND11_VERSION_MINOR) "." EIGENTROPY_TEXT(PYBIND11_VERSION_PATCH) " by " EIGENTROPY_COMPILER;

}  // namespace

void bind_machine(py::module_& module) {
  apply_blas_threads();

  module.def("thread_count", &thread_count);
  module.def(
      "set_thread_count",
      [](int count) {
        set_thread_count(count);
        apply_blas_threads();
      },
      py::arg("count"));
  // Of the calling thread: how many threads its computations may take, 0 for no limit.
  module.def("thread_limit", &thread_limit);
  module.def("limit_threads", &limit_threads, py::arg("most"));
  module.def("instruction_set", [] { return simd::name_of(simd::active_instruction_set()); });
  module.def("instruction_sets", [] {
    py::list available;
    for (const simd::InstructionSet set : simd::instruction_sets) {
      if (simd::is_available(set)) available.append(simd::name_of(set));
    }
    return available;
  });
  module.def("blas_configuration", &blas::configuration);
  module.def("blas_core", &blas::core_name);
  // The address of a function such as GOMP_parallel, 0 for none.
  module.def("lend_threads", [](std::uintptr_t parallel) {
    lend_threads(reinterpret_cast<OpenMpParallel>(parallel));
  });
  module.def("threads_are_lent", &threads_are_lent);
  module.def("built_with", [] { return built_with; });
  module.def("wait_for_abandoned", &wait_for_abandoned);
}

}  // namespace eigentropy::bindings
