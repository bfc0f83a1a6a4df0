// The order in which rows are packed.
#pragma once

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The caller's number of a packed row; null: the same.
struct RowOrder {
  const int* rows = nullptr;
  __device__ index_t operator[](index_t packed) const {
    return rows == nullptr ? packed : index_t{rows[packed]};
  }
};

}  // namespace eigentropy::cuda
