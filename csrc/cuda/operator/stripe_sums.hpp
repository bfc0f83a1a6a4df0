// Sums of products of a kept matrix over stripes of its columns.
#pragma once

#include <algorithm>

#include "cuda/kernel/sweep_plan.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// The columns of a stripe. Products are summed over a stripe in single precision, and stripes are
// added in float64. A sum of n products of one sign that is rounded n times has a relative error of
// about sqrt(n / 3) 2^-25: 6e-7 for n = 1024, and 4e-6 for n = 50 000, which is more than the
// estimates allow.
constexpr index_t stripe_columns = 1024;
// The products of this many stripes are computed before they are added: the launch has more work,
// and the sums are read and written less often.
constexpr index_t stripes_at_once = 8;

constexpr int stripe_threads = 256;

// sums <- sums + the sum of `count` arrays of `size` numbers; without the old sums if `first`.
template <class T>
__global__ void add_products(const T* products, index_t count, index_t size, bool first,
                             double* sums) {
  const index_t place = static_cast<index_t>(blockIdx.x) * stripe_threads + threadIdx.x;
  if (place >= size) return;
  double sum = first ? 0.0 : sums[place];
  for (index_t p = 0; p < count; ++p) sum += static_cast<double>(products[p * size + place]);
  sums[place] = sum;
}

// The sum over all stripes of the columns of an n x n matrix, `size` numbers in float64.
// multiply(first, count, columns, to) writes the products of `count` stripes of `columns` columns
// each to `to`, one after the other; the first stripe begins at column `first`.
template <class T, class Multiply>
DeviceBuffer<double> sum_over_stripes(const Queue& queue, index_t n, index_t size,
                                      const Multiply& multiply) {
  const index_t wanted = sweep_override().stripe, stripe = wanted > 0 ? wanted : stripe_columns;
  const index_t stripes = (n + stripe - 1) / stripe, whole = n / stripe;
  const DeviceBuffer<T> products(queue, std::min(stripes, stripes_at_once) * size);
  DeviceBuffer<double> sums(queue, size);
  for (index_t first = 0; first < stripes; first += stripes_at_once) {
    const index_t end = std::min(stripes, first + stripes_at_once);
    const index_t in_full = std::min(whole, end) - first;
    if (in_full > 0) multiply(first * stripe, in_full, stripe, products.data());
    if (end > whole) {
      multiply(whole * stripe, index_t{1}, n - whole * stripe, products.data() + in_full * size);
    }
    launch(queue, add_products<T>, blocks_for(size, stripe_threads), stripe_threads, 0,
           products.data(), end - first, size, first == 0, sums.data());
  }
  return sums;
}

}  // namespace eigentropy::cuda
