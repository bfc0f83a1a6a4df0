#include "cuda/eigen/eigenvalues.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::by_precision;
using testing::prescribed_spectra;
using testing::sorted;
using testing::with_spectrum;

template <class T>
class Eigenvalues : public ::testing::Test {
 protected:
  const Queue queue{0, nullptr};
  Control control;

  // Descending.
  std::vector<double> spectra(const std::vector<T>& stack, index_t count, index_t n) {
    const auto there = to_device(queue, stack.data(), static_cast<index_t>(stack.size()));
    return doubles(symmetric_spectra(queue, there.data(), count, n, control));
  }
};
TYPED_TEST_SUITE(Eigenvalues, testing::Precisions, testing::PrecisionName);

std::vector<double> descending(std::vector<double> values) {
  values = sorted(std::move(values));
  std::reverse(values.begin(), values.end());
  return values;
}

template <class T>
double tolerance(index_t n) {
  return 10.0 * static_cast<double>(n) * testing::epsilon<T>;
}

TYPED_TEST(Eigenvalues, AreThoseTheMatrixWasMadeOf) {
  using T = TypeParam;
  for (const index_t n : {1, 2, 31, 65, 130}) {
    for (const auto& [name, lambda] : prescribed_spectra(n)) {
      const auto A = with_spectrum<T>(lambda);
      for (const Driver driver : {Driver::values, Driver::vectors, Driver::batched}) {
        const auto there = to_device(this->queue, A.data(), n * n);
        const auto w = eigenvalues(this->queue, there.data(), n, driver);
        EXPECT_TRUE(all_near(w, sorted(lambda), tolerance<T>(n))) << name << ", n = " << n;
      }
    }
  }
}

TYPED_TEST(Eigenvalues, VectorsAreRows) {
  using T = TypeParam;
  const index_t n = 40;
  const auto A = with_spectrum<T>(prescribed_spectra(n)[0].lambda);
  for (const Driver driver : {Driver::vectors, Driver::batched}) {
    const auto there = to_device(this->queue, A.data(), n * n);
    const auto w = eigenvalues(this->queue, there.data(), n, driver);
    const auto v = to_host(this->queue, there.data(), n * n);
    for (index_t a = 0; a < n; ++a) {
      for (index_t i = 0; i < n; ++i) {
        double sum = 0.0;
        for (index_t j = 0; j < n; ++j) {
          sum += static_cast<double>(A(std::min(i, j), std::max(i, j))) *
                 static_cast<double>(v[a * n + j]);
        }
        EXPECT_NEAR(sum, static_cast<double>(w[a]) * static_cast<double>(v[a * n + i]),
                    tolerance<T>(n));
      }
    }
  }
}

// Stacks that are solved together, and matrices that are solved one after the other. Nothing but
// NaN is below the diagonals.
TYPED_TEST(Eigenvalues, OfAStackAreThoseOfEachMatrix) {
  using T = TypeParam;
  for (const index_t n : {1, 2, 31, 65, 530}) {
    std::vector<T> stack;
    std::vector<double> expected;
    for (const auto& [name, lambda] : prescribed_spectra(n)) {
      const auto A = with_spectrum<T>(lambda);
      stack.insert(stack.end(), A.begin(), A.end());
      const auto values = descending(lambda);
      expected.insert(expected.end(), values.begin(), values.end());
    }
    const auto count = static_cast<index_t>(stack.size()) / (n * n);
    EXPECT_TRUE(all_near(this->spectra(stack, count, n), expected, tolerance<T>(n))) << n;
    EXPECT_EQ(this->control.progress(), 1.0);
  }
}

TYPED_TEST(Eigenvalues, OfTinyAndHugeMatricesAreScaled) {
  using T = TypeParam;
  const index_t n = 20;
  const auto lambda = prescribed_spectra(n)[0].lambda;
  const auto A = with_spectrum<T>(lambda);
  for (const double factor :
       {by_precision<T>(0x1p1000, 0x1p120), by_precision<T>(0x1p-1000, 0x1p-100)}) {
    std::vector<T> stack(A.begin(), A.end());
    for (T& entry : stack) entry = static_cast<T>(static_cast<double>(entry) * factor);
    stack.insert(stack.end(), A.begin(), A.end());
    auto found = this->spectra(stack, 2, n);
    for (index_t i = 0; i < n; ++i) found[static_cast<std::size_t>(i)] /= factor;
    std::vector<double> expected = descending(lambda), both = expected;
    both.insert(both.end(), expected.begin(), expected.end());
    EXPECT_TRUE(all_near(found, both, tolerance<T>(n)));
  }
}

template <class Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TYPED_TEST(Eigenvalues, OfWhatIsNotFiniteAreAnError) {
  using T = TypeParam;
  const index_t n = 40;
  const auto A = with_spectrum<T>(prescribed_spectra(n)[0].lambda);
  std::vector<T> stack(A.begin(), A.end());
  stack.insert(stack.end(), A.begin(), A.end());
  stack[static_cast<std::size_t>(n * n + 33 * n + 39)] = std::numeric_limits<T>::infinity();
  EXPECT_EQ(message_of([&] { this->spectra(stack, 2, n); }),
            "matrix 1: A has NaN or infinity in the upper triangle; the first is in row 33");
  stack.erase(stack.begin(), stack.begin() + n * n);
  EXPECT_EQ(message_of([&] { this->spectra(stack, 1, n); }),
            "A has NaN or infinity in the upper triangle; the first is in row 33");
}

TYPED_TEST(Eigenvalues, OfNoMatrixAreNone) {
  EXPECT_EQ(symmetric_spectra<TypeParam>(this->queue, nullptr, 0, 5, this->control).size(), 0);
  EXPECT_EQ(symmetric_spectra<TypeParam>(this->queue, nullptr, 3, 0, this->control).size(), 0);
}

TYPED_TEST(Eigenvalues, StopWhenTheyAreAskedTo) {
  this->control.cancel();
  EXPECT_THROW(this->spectra(std::vector<TypeParam>(4, 1), 1, 2), Interrupted);
}

TEST(BatchSize, IsWhatFitsAndAtLeastOne) {
  EXPECT_EQ(batch_size<double>(8e6, 100), 100);
  EXPECT_EQ(batch_size<float>(8e6, 100), 200);
  EXPECT_EQ(batch_size<double>(1.0, 100), 1);
  EXPECT_EQ(batch_size<float>(1e15, 1024), 1024);  // 2^30 numbers
}

}  // namespace
}  // namespace eigentropy::cuda
