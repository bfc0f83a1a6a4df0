// Which matrix of a batch a thread works on.
#pragma once

#include "cuda/kernel/gaussian_kernel.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {

// The problem in whose stretch `number` is; `first` says where the stretches begin. Those of
// problems without rows are empty.
template <class T>
__device__ const Problem<T>& problem_with(const Problem<T>* problems, index_t count,
                                          index_t Problem<T>::* first, index_t number) {
  index_t low = 0, high = count;
  while (high - low > 1) {
    const index_t middle = low + (high - low) / 2;
    if (problems[middle].*first <= number) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return problems[low];
}

}  // namespace eigentropy::cuda
