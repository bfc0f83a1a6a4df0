// The part of CUDA's driver interface that we use, for the emulated device: tensor maps, which tell
// the copy engine where a matrix lies and which boxes of it are copied.
#pragma once

#include <cstdint>

using cuuint32_t = std::uint32_t;
using cuuint64_t = std::uint64_t;

enum CUresult { CUDA_SUCCESS = 0, CUDA_ERROR_INVALID_VALUE = 1 };
enum CUtensorMapDataType { CU_TENSOR_MAP_DATA_TYPE_FLOAT16 = 6 };
enum CUtensorMapInterleave { CU_TENSOR_MAP_INTERLEAVE_NONE = 0 };
enum CUtensorMapSwizzle { CU_TENSOR_MAP_SWIZZLE_128B = 3 };
enum CUtensorMapL2promotion { CU_TENSOR_MAP_L2_PROMOTION_L2_256B = 3 };
enum CUtensorMapFloatOOBfill { CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE = 0 };

// Of the size of CUDA's. What is in it is ours.
struct CUtensorMap {
  char* data;
  cuuint64_t columns, rows;  // of the matrix
  cuuint64_t row_bytes;      // between rows
  cuuint32_t box_columns, box_rows;
  char rest[128 - 4 * 8 - 2 * 4];
};
static_assert(sizeof(CUtensorMap) == 128);

// Refuses what the copy engine cannot do: here all but matrices of half precision whose boxes have
// rows of 128 bytes. Reached as on a GPU, by cudaGetDriverEntryPointByVersion; there is nothing to
// link with.
CUresult cuTensorMapEncodeTiled(CUtensorMap* map, CUtensorMapDataType type, cuuint32_t rank,
                                void* data, const cuuint64_t* sizes, const cuuint64_t* strides,
                                const cuuint32_t* box, const cuuint32_t* element_strides,
                                CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill);
