// How often a batch of small problems asks the system for memory: as often for many as for few.
//
// The linker sends each call of routine r to __wrap_r (CMakeLists.txt).
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <vector>

#include "base/subsets.hpp"
#include "cpu/eigen/symmetric_spectra.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "matrices.hpp"

namespace {
std::atomic<int> allocations{0};
}

extern "C" {
// NOLINTBEGIN: the linker wants these names.
void* __real__Znwm(std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);
// Visible, since libc++ as a shared library asks for the first.
__attribute__((visibility("default"))) void* __wrap__Znwm(std::size_t size) {
  ++allocations;
  return __real__Znwm(size);
}
__attribute__((visibility("default"))) void* __wrap_aligned_alloc(std::size_t alignment,
                                                                  std::size_t size) {
  ++allocations;
  return __real_aligned_alloc(alignment, size);
}
// NOLINTEND
}

namespace eigentropy::testing {
namespace {

// Rows of a group that is solved by itself, if there are few, and of one that is solved in lanes.
constexpr index_t alone = 150, in_lanes = 50;

template <class T>
int allocations_of_groups(index_t groups, index_t group, SubsetKernels kernels, double alpha) {
  const Matrix<T> Z = gaussian_rows<T>(group, 40, 1);
  const auto X = center_rows<T, T>(Z.input(), 1);
  Subsets subsets{Buffer<index_t>(groups + 1), Buffer<index_t>(groups * group)};
  for (index_t s = 0; s <= groups; ++s) subsets.offsets[s] = s * group;
  for (index_t i = 0; i < groups * group; ++i) subsets.indices[i] = i % group;
  Control control;
  const int before = allocations;
  subset_spectra(X, subsets, {3.0, alpha, true}, kernels, 1e12, 1, control);
  return allocations - before;
}

template <class T>
class Allocations : public ::testing::Test {};
TYPED_TEST_SUITE(Allocations, Precisions, PrecisionName);

TYPED_TEST(Allocations, OfManyGroupsAreThoseOfFew) {
  using T = TypeParam;
  for (const double alpha : {0.0, 0.5}) {
    for (const auto kernels : {SubsetKernels::recomputed, SubsetKernels::shared}) {
      const int few = allocations_of_groups<T>(2, alone, kernels, alpha);
      EXPECT_GT(few, 0);
      EXPECT_EQ(allocations_of_groups<T>(15, alone, kernels, alpha), few) << "alpha = " << alpha;
      EXPECT_EQ(allocations_of_groups<T>(500, in_lanes, kernels, alpha),
                allocations_of_groups<T>(20, in_lanes, kernels, alpha))
          << "alpha = " << alpha;
    }
  }
}

TYPED_TEST(Allocations, OfManyMatricesAreThoseOfFew) {
  const auto allocations_of = [](index_t count, index_t n) {
    const std::vector<TypeParam> entries(static_cast<std::size_t>(count * n * n), 1);
    Control control;
    const int before = allocations;
    symmetric_spectra(MatrixBatch<TypeParam>{entries.data(), count, n, n * n, n, 1},
                      Reduction::automatic, 1, control);
    return allocations - before;
  };
  EXPECT_EQ(allocations_of(15, alone), allocations_of(2, alone));
  EXPECT_EQ(allocations_of(500, in_lanes), allocations_of(20, in_lanes));
}

}  // namespace
}  // namespace eigentropy::testing
