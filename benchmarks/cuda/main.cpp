#include <algorithm>
#include <string>

#include "yardsticks.hpp"

// --tiny: every benchmark once, with sizes for the emulated device.
int main(int argc, char** argv) {
  using namespace eigentropy::cuda;
  char** const end = std::remove_if(
      argv, argv + argc, [](const char* argument) { return std::string(argument) == "--tiny"; });
  bench::tiny() = end != argv + argc;
  argc = static_cast<int>(end - argv);

  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  benchmark::AddCustomContext("device", properties.name);
  benchmark::AddCustomContext("multiprocessors", std::to_string(properties.multiProcessorCount));
  bench::register_yardsticks();
  bench::register_kernel();
  bench::register_kernel_operator();
  bench::register_block_vectors();
  bench::register_eigenvalues();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
