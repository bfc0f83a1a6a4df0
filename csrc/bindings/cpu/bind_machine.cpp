#include <cstdint>

#include "base/simd/instruction_set.hpp"
#include "base/threads.hpp"
#include "bindings/common/run.hpp"
#include "bindings/cpu/bindings.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"

namespace eigentropy::bindings {

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
  module.def("instruction_set", [] { return simd::name_of(simd::active_instruction_set()); });
  module.def("blas_configuration", &blas::configuration);
  module.def("blas_core", &blas::core_name);
  // The address of a function such as GOMP_parallel, 0 for none.
  module.def("lend_threads", [](std::uintptr_t parallel) {
    lend_threads(reinterpret_cast<OpenMpParallel>(parallel));
  });
  module.def("threads_are_lent", &threads_are_lent);
  module.def("wait_for_abandoned", &wait_for_abandoned);
}

}  // namespace eigentropy::bindings
