#include "cuda/eigen/eigenvalues.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "cuda/eigen/batches.hpp"
#include "cuda/eigen/given_matrices.hpp"
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
      for (const Driver driver : {Driver::values, Driver::vectors, Driver::batched,
                                  Driver::one_stage, Driver::two_stages}) {
        const auto there = to_device(this->queue, A.data(), n * n);
        const auto w = eigenvalues(this->queue, there.data(), n, driver, this->control);
        EXPECT_TRUE(all_near(w, sorted(lambda), tolerance<T>(n))) << name << ", n = " << n;
      }
    }
  }
}

// No panel, one panel, a last panel with fewer rows than columns, many panels; several blocks of
// rows.
TYPED_TEST(Eigenvalues, InTwoStagesAreTheSameForEveryBand) {
  using T = TypeParam;
  for (const index_t width : {1, 16, 24, 64}) {
    const TunedDrivers tuned(two_stages_first(width));
    for (const index_t n : {width, width + 1, width + 2, width + 3, 2 * width + 1, index_t{300}}) {
      if (n > 200 && width == 1) continue;  // takes long on the emulated device
      for (const auto& [name, lambda] : prescribed_spectra(n)) {
        const auto A = with_spectrum<T>(lambda);
        const auto there = to_device(this->queue, A.data(), n * n);
        const auto w = eigenvalues(this->queue, there.data(), n, Driver::two_stages, this->control);
        EXPECT_TRUE(all_near(w, sorted(lambda), tolerance<T>(n)))
            << name << ", n = " << n << ", width = " << width;
      }
    }
  }
}

TYPED_TEST(Eigenvalues, ReducedTogetherAreThoseOfEachMatrix) {
  using T = TypeParam;
  const TunedDrivers tuned(together_above(0));
  const index_t n = 70;
  std::vector<T> stack;
  std::vector<double> expected;
  for (const auto& [name, lambda] : prescribed_spectra(n)) {
    const auto A = with_spectrum<T>(lambda);
    stack.insert(stack.end(), A.begin(), A.end());
    const auto values = sorted(lambda);
    expected.insert(expected.end(), values.begin(), values.end());
  }
  const auto count = static_cast<index_t>(stack.size()) / (n * n);
  const auto there = to_device(this->queue, stack.data(), count * n * n);
  const auto found = batch_eigenvalues(this->queue, there.data(), n, count, this->control);
  EXPECT_TRUE(all_near(found.values, expected, tolerance<T>(n)));
}

// A NaN anywhere in the upper triangle spoils its own matrix, and no other.
TYPED_TEST(Eigenvalues, InTwoStagesOfWhatIsNotFiniteAreNaN) {
  using T = TypeParam;
  const TunedDrivers tuned(together_above(0));
  const index_t n = 50;
  const auto lambda = prescribed_spectra(n)[0].lambda;
  const auto A = with_spectrum<T>(lambda);
  std::vector<T> stack(A.begin(), A.end());
  stack.insert(stack.end(), A.begin(), A.end());
  stack[20 * n + 41] = std::numeric_limits<T>::quiet_NaN();
  const auto there = to_device(this->queue, stack.data(), 2 * n * n);
  const auto found = batch_eigenvalues(this->queue, there.data(), n, 2, this->control);
  const std::vector<double> all = doubles(found.values);
  EXPECT_TRUE(std::isnan(all[0]) && std::isnan(all[static_cast<std::size_t>(n) - 1]));
  EXPECT_TRUE(
      all_near(std::vector<double>(all.begin() + n, all.end()), sorted(lambda), tolerance<T>(n)));
}

TYPED_TEST(Eigenvalues, VectorsAreRows) {
  using T = TypeParam;
  const index_t n = 40;
  const auto A = with_spectrum<T>(prescribed_spectra(n)[0].lambda);
  for (const Driver driver : {Driver::vectors, Driver::batched}) {
    const auto there = to_device(this->queue, A.data(), n * n);
    const auto w = eigenvalues(this->queue, there.data(), n, driver, this->control);
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
  for (const index_t n : {1, 2, 31, 65, 130, 530}) {
    // The matrices of 65 rows are reduced together in two stages, those of 130 rows alone.
    SolverTuning tuning = two_stages_first();
    tuning.largest_batched = 40;
    tuning.largest_together = 100;
    std::optional<TunedDrivers> tuned;
    if (n == 65 || n == 130) tuned.emplace(tuning);
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
  const index_t n = 70;
  const auto A = with_spectrum<TypeParam>(prescribed_spectra(n)[0].lambda);
  for (const Driver driver : {Driver::one_stage, Driver::two_stages}) {
    const auto there = to_device(this->queue, A.data(), n * n);
    EXPECT_THROW(eigenvalues(this->queue, there.data(), n, driver, this->control), Interrupted);
  }
}

TEST(Drivers, AreChosenByTheOrder) {
  using List = std::vector<Driver>;
  EXPECT_EQ(drivers_of_values(1), List({Driver::values, Driver::vectors}));
  SolverTuning tuning;
  tuning.one_stage_from = 1000;
  tuning.two_stages_from = 2000;
  tuning.largest_batched = 100;
  tuning.largest_together = 0;
  const TunedDrivers tuned(tuning);
  EXPECT_EQ(drivers_of_values(999), List({Driver::values, Driver::vectors}));
  EXPECT_EQ(drivers_of_values(1000), List({Driver::one_stage, Driver::values, Driver::vectors}));
  EXPECT_EQ(drivers_of_values(2000),
            List({Driver::two_stages, Driver::one_stage, Driver::values, Driver::vectors}));
  EXPECT_EQ(drivers_of_values(largest_one_stage + 1),
            List({Driver::two_stages, Driver::values, Driver::vectors}));
  EXPECT_TRUE(are_batched(100));
  EXPECT_FALSE(are_batched(101));
  solver_tuning().largest_together = 500;
  EXPECT_TRUE(are_batched(500));
  EXPECT_FALSE(are_batched(501));
}

// The matrix is not touched.
TEST(Drivers, SaySoIfTheOrderIsBeyondTheirIndices) {
  const Queue queue(0, nullptr);
  Control control;
  EXPECT_THROW(
      eigenvalues<float>(queue, nullptr, largest_one_stage + 1, Driver::one_stage, control),
      SolverError);
}

TEST(BatchSize, IsWhatFitsAndAtLeastOne) {
  EXPECT_EQ(batch_size<double>(8e6, 100), 100);
  EXPECT_EQ(batch_size<float>(8e6, 100), 200);
  EXPECT_EQ(batch_size<double>(1.0, 100), 1);
  EXPECT_EQ(batch_size<float>(1e15, 1024), 1024);  // 2^30 numbers
}

}  // namespace
}  // namespace eigentropy::cuda
