// Finds the matrix of a batch that a thread works on.
#pragma once

#include "cuda/kernel/gaussian_kernel.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {

// Returns the problem whose stretch contains `number`. `first` is the member that says where a
// problem's stretch begins; a problem without rows has an empty stretch.
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
