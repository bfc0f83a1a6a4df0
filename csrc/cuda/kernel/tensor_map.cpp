#include "cuda/kernel/tensor_map.hpp"

namespace eigentropy::cuda {
namespace {

// The driver's function, which is asked for at run time: the package also starts where no driver is
// installed, and does not link with it.
decltype(&cuTensorMapEncodeTiled) encoder() {
  constexpr unsigned since = 12'000;  // the version of CUDA that has it
  void* function = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
  check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, since,
                                         cudaEnableDefault, &result),
        "cudaGetDriverEntryPointByVersion");
  if (result != cudaDriverEntryPointSuccess || function == nullptr) {
    throw DeviceError("the driver has no cuTensorMapEncodeTiled: it is older than CUDA 12",
                      cudaErrorInsufficientDriver);
  }
  return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
}

}  // namespace

CUtensorMap tensor_map(const __half* data, index_t rows, index_t columns, int box_rows) {
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const cuuint64_t row_bytes[] = {static_cast<cuuint64_t>(columns) * sizeof(__half)};
  const cuuint32_t box[] = {64, static_cast<cuuint32_t>(box_rows)}, steps[] = {1, 1};
  CUtensorMap map;
  const CUresult result =
      encoder()(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, const_cast<__half*>(data), sizes,
                row_bytes, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    throw DeviceError("cuTensorMapEncodeTiled failed with " + std::to_string(result),
                      cudaErrorInvalidValue);
  }
  return map;
}

}  // namespace eigentropy::cuda
