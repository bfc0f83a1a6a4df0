#include <benchmark/benchmark.h>

#include <string>

#include "base/simd/instruction_set.hpp"
#include "base/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"

int main(int argc, char** argv) {
  eigentropy::apply_blas_threads();
  benchmark::AddCustomContext("blas", eigentropy::blas::configuration());
  benchmark::AddCustomContext(
      "instruction_set", eigentropy::simd::name_of(eigentropy::simd::active_instruction_set()));
  benchmark::AddCustomContext("threads", std::to_string(eigentropy::thread_count()));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
