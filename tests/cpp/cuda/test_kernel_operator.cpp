#include "cuda/operator/kernel_operator.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "checkers.hpp"
#include "cpu/operator/kernel_operator.hpp"
#include "cuda/kernel/sweep_plan.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::bitwise_equal;
using testing::by_precision;
using testing::gaussian_rows;
using testing::near;

struct Options {
  double sigma = 1.5, alpha = 0.5;
  bool keeps_matrix = false;
  bool normalized = true;
  double memory_limit = std::numeric_limits<double>::infinity();

  KernelOperatorOptions of(double own_sigma) const {
    return {own_sigma, alpha, keeps_matrix, memory_limit, normalized};
  }
};

// The density matrix.
constexpr Options density{1.5, 0.0, false, false};

// A V and all that comes with it.
template <class T>
struct Product {
  Matrix<T> values;
  double trace, frobenius2, kernel_sum;
  std::vector<double> degrees, scaling;
};

template <class T>
Product<T> product(const Matrix<T>& Z, const Options& options, const Matrix<T>& V) {
  const Queue queue(0, nullptr);
  Control control;
  const KernelOperator<T> A(queue, rows_on_device(queue, Z), options.of(options.sigma), control);
  EXPECT_EQ(A.n(), Z.rows());
  EXPECT_EQ(control.progress(), 1.0);
  const auto v = to_device(queue, V.data(), static_cast<index_t>(V.size()));
  const DeviceBuffer<T> out(queue, v.size());
  A.multiply(queue, v.data(), out.data(), V.cols(), control);
  const auto values = to_host(queue, out.data(), out.size());
  Product<T> result{Matrix<T>(V.rows(), V.cols()), A.trace(),
                    A.frobenius2(queue, control),  A.kernel_sum(),
                    doubles(A.degrees()),          doubles(A.scaling())};
  std::copy(values.begin(), values.end(), result.values.data());
  return result;
}

// The host's, in double, of the rows as they are once they are rounded to T.
template <class T>
Product<double> expected_product(const Matrix<T>& Z, const Options& options, const Matrix<T>& V) {
  const auto X = testing::centered(Z);
  const auto rounded = testing::rows_of(X);
  Matrix<double> rows(Z.rows(), Z.cols()), vectors(V.rows(), V.cols());
  std::copy(rounded.begin(), rounded.end(), rows.data());
  std::copy(V.begin(), V.end(), vectors.data());
  Control control;
  Options plain = options;
  plain.keeps_matrix = false;
  const eigentropy::KernelOperator<double> A(testing::centered(rows),
                                             plain.of(options.sigma / X.scale), 2, control);
  Product<double> result{Matrix<double>(V.rows(), V.cols()),
                         A.trace(),
                         A.frobenius2(2, control),
                         A.kernel_sum(),
                         doubles(A.degrees()),
                         doubles(A.scaling())};
  A.multiply(vectors.const_view(), result.values.view(), 2, control);
  return result;
}

// Each within the tolerance of the expected one, relative to it.
::testing::AssertionResult all_close(const std::vector<double>& actual,
                                     const std::vector<double>& expected, double tolerance) {
  if (actual.size() != expected.size()) return ::testing::AssertionFailure() << "other size";
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto result = near(actual[i], expected[i], tolerance * std::abs(expected[i]));
    if (!result) return ::testing::AssertionFailure() << "at " << i << ": " << result.message();
  }
  return ::testing::AssertionSuccess();
}

template <class T>
void expect_as_on_the_host(const Matrix<T>& Z, const Options& options, const Matrix<T>& V) {
  const double tolerance = by_precision<T>(1e-12, 1e-5);
  const auto actual = product(Z, options, V);
  const auto expected = expected_product(Z, options, V);
  double largest = 0.0;
  for (const T v : V) largest = std::max(largest, std::abs(static_cast<double>(v)));
  EXPECT_TRUE(all_near(actual.values, expected.values, tolerance * largest));
  EXPECT_TRUE(near(actual.trace, expected.trace, tolerance * expected.trace));
  EXPECT_TRUE(near(actual.frobenius2, expected.frobenius2, tolerance * expected.frobenius2));
  EXPECT_TRUE(near(actual.kernel_sum, expected.kernel_sum, tolerance * expected.kernel_sum));
  EXPECT_TRUE(all_close(actual.degrees, expected.degrees, tolerance));
  EXPECT_TRUE(all_close(actual.scaling, expected.scaling, tolerance));
}

template <class T>
void expect_as_on_the_host(const Matrix<T>& Z, Options options, index_t m) {
  const auto V = gaussian_rows<T>(Z.rows(), m, 5);
  for (const bool keeps_matrix : {false, true}) {
    SCOPED_TRACE(keeps_matrix ? "matrix" : "no matrix");
    options.keeps_matrix = keeps_matrix;
    expect_as_on_the_host(Z, options, V);
  }
}

template <class T>
void expect_same(const Product<T>& actual, const Product<T>& expected) {
  EXPECT_TRUE(bitwise_equal(actual.values, expected.values));
  EXPECT_TRUE(bitwise_equal(actual.degrees, expected.degrees));
  EXPECT_TRUE(bitwise_equal(actual.scaling, expected.scaling));
  EXPECT_EQ(actual.trace, expected.trace);
  EXPECT_EQ(actual.frobenius2, expected.frobenius2);
  EXPECT_EQ(actual.kernel_sum, expected.kernel_sum);
}

// As if the device wanted other launches.
class Override {
 public:
  Override(index_t blocks, double flops) { sweep_override() = {blocks, flops}; }
  ~Override() { sweep_override() = {}; }
  Override(const Override&) = delete;
  Override& operator=(const Override&) = delete;
};

// With the threads of a block in the other order, where that can be chosen.
template <class Body>
void emulated_descending(const Body& body) {
#ifdef EIGENTROPY_CUDA_EMULATED
  emulated::set_order(emulated::Order::descending);
  body();
  emulated::set_order(emulated::Order::ascending);
#else
  body();
#endif
}

template <class T>
class DeviceOperator : public ::testing::Test {};
TYPED_TEST_SUITE(DeviceOperator, testing::Precisions, testing::PrecisionName);

TYPED_TEST(DeviceOperator, IsThatOfTheHostForEverySize) {
  for (const index_t n : {1, 2, 63, 64, 65, 127, 128, 129, 300}) {
    SCOPED_TRACE(n);
    expect_as_on_the_host(gaussian_rows<TypeParam>(n, 6, 1), {}, 5);
  }
}

TYPED_TEST(DeviceOperator, IsTheDensityMatrixOfTheHost) {
  for (const index_t n : {1, 2, 63, 64, 65, 127, 128, 129, 300}) {
    SCOPED_TRACE(n);
    expect_as_on_the_host(gaussian_rows<TypeParam>(n, 6, 1), density, 5);
  }
}

TYPED_TEST(DeviceOperator, IsTheDensityMatrixWithTraceOne) {
  Matrix<TypeParam> Z(130, 1);
  for (index_t i = 0; i < 130; ++i) Z(i, 0) = static_cast<TypeParam>(i * i * 100);
  const auto actual = product(Z, density, gaussian_rows<TypeParam>(130, 2, 2));
  EXPECT_EQ(actual.trace, 1.0);
  EXPECT_EQ(actual.kernel_sum, 130.0);
  EXPECT_TRUE(near(actual.frobenius2, 1.0 / 130.0, 1e-9));
  for (const double q : actual.degrees) EXPECT_EQ(q, 1.0);
}

// Both sides of a slice, and of what is summed in registers.
TYPED_TEST(DeviceOperator, IsThatOfTheHostForEveryDimension) {
  for (const index_t d : {1, 3, 7, 8, 9, 31, 32, 33, 129, 1024, 1025}) {
    SCOPED_TRACE(d);
    const double sigma = 0.7 * std::sqrt(static_cast<double>(d));
    expect_as_on_the_host(gaussian_rows<TypeParam>(70, d, 1), {sigma}, 2);
  }
}

TYPED_TEST(DeviceOperator, TakesAnyNumberOfVectors) {
  for (const index_t m : {1, 15, 16, 17, 32, 33, 64, 65, 80, 81, 170}) {
    SCOPED_TRACE(m);
    expect_as_on_the_host(gaussian_rows<TypeParam>(135, 6, 1), {}, m);
  }
}

TYPED_TEST(DeviceOperator, IsThatOfTheHostForEveryAlpha) {
  for (const double alpha : {0.0, 0.5, 1.0, 3.0}) {
    SCOPED_TRACE(alpha);
    expect_as_on_the_host(gaussian_rows<TypeParam>(205, 6, 1), {1.5, alpha}, 3);
  }
}

TYPED_TEST(DeviceOperator, IsThatOfTheHostForRowsWhereAKernelMayGoWrong) {
  for (const auto& [name, Z, sigma] : cases<TypeParam>()) {
    SCOPED_TRACE(name);
    expect_as_on_the_host(Z, {sigma}, 3);
  }
}

// Whole stripes, with a rest, of its own or behind others, and more of them than at once.
TYPED_TEST(DeviceOperator, ThatIsKeptSumsOverStripesOfItsColumns) {
  const auto Z = gaussian_rows<TypeParam>(300, 3, 1);
  const auto V = gaussian_rows<TypeParam>(300, 17, 5);
  for (const index_t stripe : {20, 30, 37, 38, 150, 299, 300, 301}) {
    SCOPED_TRACE(stripe);
    const Override plan(0, 0.0);
    sweep_override().stripe = stripe;
    expect_as_on_the_host(Z, {1.5, 0.5, true}, V);
  }
}

TYPED_TEST(DeviceOperator, OfRowsThatNoOtherIsNearIsTheIdentity) {
  Matrix<TypeParam> Z(300, 1);
  for (index_t i = 0; i < 300; ++i) Z(i, 0) = static_cast<TypeParam>(i * i);
  const auto V = gaussian_rows<TypeParam>(300, 6, 2);
  for (const bool keeps_matrix : {false, true}) {
    for (const double alpha : {0.0, 0.5, 1.0}) {
      const auto actual = product(Z, {0.01, alpha, keeps_matrix}, V);
      // Tensor cores multiply with V to an eps.
      const double rest = by_precision<TypeParam>(0.0, keeps_matrix ? 0.0 : 1.2e-7);
      EXPECT_TRUE(all_near(actual.values, V, 4.0 * rest));
      EXPECT_EQ(actual.trace, 300.0);
      EXPECT_EQ(actual.frobenius2, 300.0);
      EXPECT_EQ(actual.kernel_sum, 300.0);
    }
  }
}

TYPED_TEST(DeviceOperator, OfEqualRowsIsTheMean) {
  const Matrix<TypeParam> Z(200, 5, TypeParam(3.7));
  const auto V = gaussian_rows<TypeParam>(200, 1, 2);
  double mean = 0.0;
  for (const TypeParam v : V) mean += static_cast<double>(v) / 200.0;
  const auto actual = product(Z, {1e-3}, V);
  EXPECT_TRUE(
      all_near(actual.values, std::vector<double>(200, mean), 20 * testing::epsilon<TypeParam>));
  EXPECT_TRUE(near(actual.trace, 1.0, 1e-6));
  EXPECT_TRUE(near(actual.frobenius2, 1.0, 1e-6));
}

// Where |x|^2 + |y|^2 - 2 x.y has no correct digit.
TYPED_TEST(DeviceOperator, OfRowsTwiceKeepsDistancesOfZero) {
  auto Z = gaussian_rows<TypeParam>(200, 40, 1, 1e4);
  for (index_t i = 0; i < 100; ++i) {
    for (index_t k = 0; k < 40; ++k) Z(100 + i, k) = Z(i, k);
  }
  expect_as_on_the_host(Z, {1e-3}, 2);
}

TYPED_TEST(DeviceOperator, OfCloudsThatAreFarApartIsThatOfTheHost) {
  expect_as_on_the_host(testing::clusters<TypeParam>(300, 20, 3, 1e5, 1), {4.0}, 3);
}

// Rows whose order by length is not theirs: some pairs of tiles are products, some differences, and
// some 0. V has a column for each row, so that a row in the wrong place is seen.
TYPED_TEST(DeviceOperator, OfRowsOfAllLengthsIsThatOfTheHost) {
  auto Z = gaussian_rows<TypeParam>(400, 3, 1);
  for (index_t i = 0; i < 400; ++i) {
    const auto length = static_cast<double>(i * 37 % 400) / 400.0;
    const auto factor = static_cast<TypeParam>(std::pow(by_precision<TypeParam>(1e5, 1e3), length));
    for (index_t k = 0; k < 3; ++k) Z(i, k) *= factor;
  }
  const Queue queue(0, nullptr);
  Control control;
  const KernelOperator<TypeParam> A(queue, rows_on_device(queue, Z), {5.0}, control);
  EXPECT_GT(A.tile_ways(queue).products, 0);
  EXPECT_GT(A.tile_ways(queue).differences, 0);
  EXPECT_GT(A.tile_ways(queue).nothing, 0);
  expect_as_on_the_host(Z, {5.0}, 20);
  expect_as_on_the_host(Z, density, 5);
}

// All rounding errors of a sum have one direction.
TYPED_TEST(DeviceOperator, OfRowsOfOneNumberRepeatedIsThatOfTheHost) {
  for (const index_t d : {64, 300, 1024, 2000}) {
    SCOPED_TRACE(d);
    const double sigma = 2.0 * std::sqrt(static_cast<double>(d));
    expect_as_on_the_host(repeated_numbers<TypeParam>(70, d), {sigma}, 2);
  }
}

TYPED_TEST(DeviceOperator, IsBitwiseTheSameInEveryRun) {
  const auto Z = gaussian_rows<TypeParam>(300, 5, 1);
  const auto V = gaussian_rows<TypeParam>(300, 70, 2);
  for (const bool keeps_matrix : {false, true}) {
    const Options options{1.0, 0.5, keeps_matrix};
    expect_same(product(Z, options, V), product(Z, options, V));
  }
}

// With blocks of one tile, and of several, the first of which may be in use when the next begins.
TYPED_TEST(DeviceOperator, IsBitwiseTheSameForEveryOrderOfThreads) {
  const auto Z = testing::clusters<TypeParam>(260, 300, 2, 1e3, 1);
  const auto V = gaussian_rows<TypeParam>(260, 70, 2);
  for (const index_t blocks : {1, 100}) {
    const Override plan(blocks, 1e30);
    for (const bool keeps_matrix : {false, true}) {
      const Options options{20.0, 0.5, keeps_matrix};
      const auto ascending = product(Z, options, V);
      emulated_descending([&] { expect_same(product(Z, options, V), ascending); });
    }
  }
}

// Parts of a row of tiles are added in float64: only its rounding may differ.
TYPED_TEST(DeviceOperator, DoesNotDependOnHowItIsSharedOut) {
  const auto Z = gaussian_rows<TypeParam>(300, 5, 1);
  const auto V = gaussian_rows<TypeParam>(300, 20, 2);
  const Override one_part(1, 1e30);
  const auto expected = product(Z, {1.0}, V);
  const double rounding = by_precision<TypeParam>(1e-14, 1e-6);
  for (const index_t blocks : {2, 17, 1000}) {
    for (const double flops : {1.0, 3e6, 1e30}) {
      const Override plan(blocks, flops);
      const auto actual = product(Z, {1.0}, V);
      EXPECT_TRUE(all_near(actual.values, expected.values, rounding));
      EXPECT_TRUE(all_close(actual.degrees, expected.degrees, 1e-14));
      EXPECT_TRUE(near(actual.frobenius2, expected.frobenius2, 1e-13 * expected.frobenius2));
      const auto kept = product(Z, {1.0, 0.5, true}, V);
      EXPECT_TRUE(all_near(kept.values, expected.values, by_precision<TypeParam>(1e-13, 1e-5)));
    }
  }
}

// More rows than the tiles have that are summed in float32 together: parts end where these end.
TEST(DeviceOperatorOfFloats, DoNotDependOnHowGroupsOfTilesAreSharedOut) {
  const auto Z = gaussian_rows<float>(1100, 2, 1);
  const auto V = gaussian_rows<float>(1100, 1, 2);
  const Override one_part(1, 1e30);
  const auto expected = product(Z, {1.0}, V);
  const Override several_parts(40, 1e30);
  const auto actual = product(Z, {1.0}, V);
  EXPECT_TRUE(all_near(actual.values, expected.values, 1e-6));
  EXPECT_TRUE(all_close(actual.degrees, expected.degrees, 1e-14));
}

// Largest errors of A V and of the degrees, relative to V and to each degree.
struct Errors {
  double values = 0.0, degrees = 0.0;
};
Errors errors(const Product<float>& actual, const Product<double>& expected) {
  Errors found;
  for (std::size_t i = 0; i < expected.values.size(); ++i) {
    const double error = static_cast<double>(actual.values.data()[i]) - expected.values.data()[i];
    found.values = std::max(found.values, std::abs(error));
  }
  for (std::size_t i = 0; i < expected.degrees.size(); ++i) {
    const double error = actual.degrees[i] / expected.degrees[i] - 1.0;
    found.degrees = std::max(found.degrees, std::abs(error));
  }
  return found;
}

bool has_tensor_cores() {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  return properties.major >= 8;
}

// As good as in float32: to a factor of 4, and to 8 eps where that has no error.
void expect_tensor_cores_as_good(const Matrix<float>& Z, double sigma, index_t m) {
  const auto V = gaussian_rows<float>(Z.rows(), m, 5);
  const Options options{sigma};
  const auto expected = expected_product(Z, options, V);
  const Override plan(0, 0.0);
  sweep_override().path = Path::threads;
  const Errors wide = errors(product(Z, options, V), expected);
  sweep_override().path = Path::registers;
  const Errors tensor = errors(product(Z, options, V), expected);
  const double least = 8.0 * testing::epsilon<float>;
  EXPECT_LE(tensor.values, 4.0 * wide.values + least) << wide.values;
  EXPECT_LE(tensor.degrees, 4.0 * wide.degrees + least) << wide.degrees;
}

TEST(DeviceOperatorOfFloats, ByTensorCoresIsAsGoodAsByThreads) {
  if (!has_tensor_cores()) GTEST_SKIP() << "compute capability below 8.0";
  for (const auto& [name, Z, sigma] : cases<float>()) {
    SCOPED_TRACE(name);
    expect_tensor_cores_as_good(Z, sigma, 3);
  }
}

TEST(DeviceOperatorOfFloats, ByTensorCoresIsAsGoodForRowsFarFromEachOther) {
  if (!has_tensor_cores()) GTEST_SKIP() << "compute capability below 8.0";
  expect_tensor_cores_as_good(shifted(gaussian_rows<float>(200, 20, 1), 1e5), 4.0, 90);
  expect_tensor_cores_as_good(testing::clusters<float>(300, 20, 3, 1e5, 1), 4.0, 17);
  // Norms just small enough for products: their errors are the largest that are let through.
  for (const double scale : {1.0, 3.0, 10.0, 30.0}) {
    SCOPED_TRACE(scale);
    expect_tensor_cores_as_good(gaussian_rows<float>(150, 33, 1, scale), 3.0, 3);
    expect_tensor_cores_as_good(repeated_numbers<float>(150, 100), 10.0 * scale, 3);
  }
}

#ifdef EIGENTROPY_CUDA_EMULATED
// The device that a test asks for, which is that of all tests afterwards.
class Device {
 public:
  Device(int major, int minor, std::size_t shared) {
    emulated::set_compute_capability(major, minor);
    emulated::set_shared_memory(shared);
  }
  ~Device() {
    emulated::set_compute_capability(9, 0);
    emulated::set_shared_memory(227 << 10);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
};

struct Chosen {
  Path path;
  Tiling tiling;
};
bool operator==(Chosen a, Chosen b) { return a.path == b.path && a.tiling == b.tiling; }

template <class T>
Chosen chosen_on(int major, int minor, std::size_t shared) {
  const Device device(major, minor, shared);
  const Queue queue(0, nullptr);
  const auto X = pack_rows(queue, rows_on_device(queue, gaussian_rows<T>(5, 2, 1)), 1.0);
  return {X.path, X.tiling};
}

TEST(Path, IsThatOfTensorCoresWhereThesePayAndFitsTheSharedMemory) {
  const Chosen tensor{Path::registers, Tiling::wide}, threads{Path::threads, Tiling::wide};
  EXPECT_EQ(chosen_on<float>(8, 0, 163 << 10), tensor);
  EXPECT_EQ(chosen_on<float>(9, 0, 227 << 10), tensor);
  EXPECT_EQ(chosen_on<float>(10, 0, 227 << 10), tensor);
  EXPECT_EQ(chosen_on<float>(8, 6, 99 << 10), threads);
  EXPECT_EQ(chosen_on<float>(8, 9, 99 << 10), threads);
  EXPECT_EQ(chosen_on<float>(12, 0, 99 << 10), threads);
  EXPECT_EQ(chosen_on<float>(7, 5, 64 << 10), (Chosen{Path::threads, Tiling::narrow}));
  EXPECT_EQ(chosen_on<double>(9, 0, 227 << 10), threads);
  EXPECT_EQ(chosen_on<double>(7, 5, 64 << 10), threads);
}

// Its blocks have 64 KB of shared memory: a launch that needs more is an error.
TYPED_TEST(DeviceOperator, FitsComputeCapability75) {
  const Device device(7, 5, 64 << 10);
  expect_as_on_the_host(gaussian_rows<TypeParam>(130, 20, 1), {3.0}, 81);
}
#endif

TEST(SweepPlan, CoversAllRowsOfTilesInLaunchesThatAreNotTooLong) {
  for (const index_t tiles : {1, 2, 7, 391, 7813}) {
    for (const double flops : {1e3, 1e9, 1e15}) {
      const auto plan = plan_sweep(tiles, flops, 4e12, 1056);
      EXPECT_GE(plan.rows_of_tiles, 1);
      EXPECT_LE(plan.rows_of_tiles, tiles);
      EXPECT_LE(plan.parts, tiles);
      EXPECT_GE(plan.launches(tiles) * plan.rows_of_tiles, tiles);
      if (plan.rows_of_tiles > 1) {
        EXPECT_LE(flops * static_cast<double>(plan.rows_of_tiles), 4e12);
      }
      EXPECT_GE(plan.rows_of_tiles * plan.parts, std::min(index_t{1056}, tiles));
    }
  }
}

TYPED_TEST(DeviceOperator, StopsBetweenLaunchesAndCanBeUsedAgain) {
  const auto Z = gaussian_rows<TypeParam>(300, 5, 1);
  const Queue queue(0, nullptr);
  Control control;
  const Override launches(1, 1.0);
  const KernelOperator<TypeParam> A(queue, rows_on_device(queue, Z), {1.0}, control);
  const auto V = gaussian_rows<TypeParam>(300, 4, 2);
  const auto v = to_device(queue, V.data(), static_cast<index_t>(V.size()));
  const DeviceBuffer<TypeParam> out(queue, v.size());
  Control cancelled;
  cancelled.cancel();
  EXPECT_THROW(A.multiply(queue, v.data(), out.data(), 4, cancelled), Interrupted);
  EXPECT_THROW(A.frobenius2(queue, cancelled), Interrupted);
  EXPECT_THROW(KernelOperator<TypeParam>(queue, rows_on_device(queue, Z), {1.0}, cancelled),
               Interrupted);
  A.multiply(queue, v.data(), out.data(), 4, control);
  EXPECT_TRUE(bitwise_equal(to_host(queue, out.data(), out.size()), product(Z, {1.0}, V).values));
}

// The user comes at a time when some launches are done and others are not: as often as that takes.
TYPED_TEST(DeviceOperator, StopsInTheMiddle) {
  const auto Z = gaussian_rows<TypeParam>(600, 5, 1);
  const Queue queue(0, nullptr);
  const Override launches(1, 1.0);
  Control control;
  const KernelOperator<TypeParam> A(queue, rows_on_device(queue, Z), {1.0}, control);
  const auto V = gaussian_rows<TypeParam>(600, 4, 2);
  const auto v = to_device(queue, V.data(), static_cast<index_t>(V.size()));
  const DeviceBuffer<TypeParam> out(queue, v.size());
  double progress = 1.0;
  for (int attempt = 0; attempt < 100 && progress == 1.0; ++attempt) {
    Control own;
    std::thread user([&] {
      while (own.progress() == 0.0) std::this_thread::yield();
      own.cancel();
    });
    try {
      A.multiply(queue, v.data(), out.data(), 4, own);
    } catch (const Interrupted&) {
      progress = own.progress();
    }
    user.join();
  }
  EXPECT_GT(progress, 0.0);
  EXPECT_LT(progress, 1.0);
}

// The weights of float32 vectors are 0 where q is 1e3 times the smallest, for alpha = 16.
TEST(DeviceOperatorOfFloats, ThatIsNotFiniteSaysSo) {
  Matrix<float> Z(1001, 1);
  Z(1000, 0) = 100;
  const Queue queue(0, nullptr);
  Control control;
  EXPECT_THROW(KernelOperator<float>(queue, rows_on_device(queue, Z), {1.0, 16.0}, control),
               std::invalid_argument);
}

// G with all entries but its diagonal rounded to half, times diag(s) on both sides, in double.
Matrix<double> with_rounded_entries(const Matrix<float>& Z, double sigma,
                                    const std::vector<double>& s, const Matrix<float>& V) {
  Matrix<double> out(V.rows(), V.cols());
  for (index_t i = 0; i < Z.rows(); ++i) {
    for (index_t j = 0; j < Z.rows(); ++j) {
      double r2 = 0.0;
      for (index_t k = 0; k < Z.cols(); ++k) {
        const double difference = static_cast<double>(Z(i, k)) - static_cast<double>(Z(j, k));
        r2 += difference * difference;
      }
      const auto G = static_cast<float>(std::exp(-r2 / (2.0 * sigma * sigma)));
      const auto entry = static_cast<double>(__half2float(__float2half_rn(G)));
      for (index_t c = 0; c < V.cols(); ++c) {
        out(i, c) += s[static_cast<std::size_t>(i)] * entry * s[static_cast<std::size_t>(j)] *
                     static_cast<double>(V(j, c));
      }
    }
  }
  return out;
}

// Products with G in half precision, and what is known of A beside them.
Product<float> product_in_half(const Matrix<float>& Z, double sigma, const Matrix<float>& V) {
  const Queue queue(0, nullptr);
  Control control;
  KernelOperator<float> A(queue, rows_on_device(queue, Z), {sigma}, control);
  A.keep_in_half(queue, control);
  const auto v = to_device(queue, V.data(), static_cast<index_t>(V.size()));
  const DeviceBuffer<float> out(queue, v.size());
  A.multiply(queue, v.data(), out.data(), V.cols(), control);
  const auto values = to_host(queue, out.data(), out.size());
  Product<float> result{Matrix<float>(V.rows(), V.cols()),
                        A.trace(),
                        A.frobenius2(queue, control),
                        A.kernel_sum(),
                        doubles(A.degrees()),
                        doubles(A.scaling())};
  std::copy(values.begin(), values.end(), result.values.data());
  return result;
}

double root_mean_square(const Matrix<float>& a, const Matrix<double>& b) {
  double sum = 0.0;
  for (index_t i = 0; i < a.rows(); ++i) {
    for (index_t c = 0; c < a.cols(); ++c) {
      const double difference = static_cast<double>(a(i, c)) - b(i, c);
      sum += difference * difference;
    }
  }
  return std::sqrt(sum / static_cast<double>(a.size()));
}

// An entry in the middle of two halves may go to either: its own rounding in float decides. All
// of them without their rounding are further away.
TEST(DeviceOperatorInHalf, IsThatOfRoundedEntries) {
  for (const index_t n : {1, 2, 127, 128, 129, 260}) {
    for (const index_t m : {1, 3, 33}) {
      SCOPED_TRACE(std::to_string(n) + " rows, " + std::to_string(m) + " vectors");
      const auto Z = gaussian_rows<float>(n, 6, 1), V = gaussian_rows<float>(n, m, 5);
      const auto actual = product_in_half(Z, 1.5, V);
      const auto expected = with_rounded_entries(Z, 1.5, actual.scaling, V);
      EXPECT_TRUE(all_near(actual.values, expected, 5e-5));
      EXPECT_LE(root_mean_square(actual.values, expected), 3e-6);
      if (n > 100) {
        EXPECT_GE(root_mean_square(product(Z, {1.5}, V).values, expected), 6e-6);
      }
    }
  }
}

TEST(DeviceOperatorInHalf, IsOffByTheRoundingOfItsEntriesAtMost) {
  for (const auto& [name, Z, sigma] : cases<float>()) {
    SCOPED_TRACE(name);
    const Matrix<float> ones(Z.rows(), 1, 1.0F);
    const auto actual = product_in_half(Z, sigma, ones), exact = product(Z, {sigma}, ones);
    std::vector<double> expected(exact.values.begin(), exact.values.end());
    EXPECT_TRUE(all_close({actual.values.begin(), actual.values.end()}, expected,
                          std::ldexp(1.0, -11) + 1e-5));
  }
}

// Degrees, trace and |A|_F^2 are known from the exact G.
TEST(DeviceOperatorInHalf, KeepsWhatIsKnownOfTheExactOperator) {
  const auto Z = gaussian_rows<float>(300, 6, 1), V = gaussian_rows<float>(300, 3, 5);
  const auto actual = product_in_half(Z, 1.5, V), expected = product(Z, {1.5}, V);
  EXPECT_EQ(actual.trace, expected.trace);
  EXPECT_EQ(actual.frobenius2, expected.frobenius2);
  EXPECT_EQ(actual.kernel_sum, expected.kernel_sum);
  EXPECT_TRUE(bitwise_equal(actual.degrees, expected.degrees));
  EXPECT_TRUE(bitwise_equal(actual.scaling, expected.scaling));
}

TEST(DeviceOperatorInHalf, OfRowsOfAllLengthsHasThemInTheirOrder) {
  auto Z = gaussian_rows<float>(300, 3, 1);
  for (index_t i = 0; i < 300; ++i) {
    for (index_t k = 0; k < 3; ++k) Z(i, k) *= std::exp(static_cast<float>(i * 37 % 300) / 40.0F);
  }
  const auto V = gaussian_rows<float>(300, 7, 5);
  const auto actual = product_in_half(Z, 2.0, V);
  EXPECT_TRUE(all_near(actual.values, with_rounded_entries(Z, 2.0, actual.scaling, V), 5e-5));
}

// What is below the smallest half that is not 0 goes; a diagonal of ones stays.
TEST(DeviceOperatorInHalf, OfRowsThatAreFarFromEachOtherIsTheIdentity) {
  Matrix<float> Z(130, 1);
  for (index_t i = 0; i < 130; ++i) Z(i, 0) = static_cast<float>(6 * i);  // exp(-18) = 1.5e-8
  const auto V = gaussian_rows<float>(130, 4, 2);
  const auto actual = product_in_half(Z, 1.0, V);
  Matrix<double> expected(130, 4);
  for (index_t i = 0; i < 130; ++i) {
    const double s = actual.scaling[static_cast<std::size_t>(i)];
    for (index_t c = 0; c < 4; ++c) expected(i, c) = s * s * static_cast<double>(V(i, c));
  }
  EXPECT_TRUE(all_near(actual.values, expected, 1e-6));
}

Matrix<float> times_power_of_two(const Matrix<float>& V, int exponent) {
  Matrix<float> product(V.rows(), V.cols());
  for (index_t i = 0; i < V.rows(); ++i) {
    for (index_t c = 0; c < V.cols(); ++c) product(i, c) = std::ldexp(V(i, c), exponent);
  }
  return product;
}

// Vectors of any length: both halves of each are taken to where halves have all their digits.
TEST(DeviceOperatorInHalf, TakesVectorsOfEverySize) {
  const auto Z = gaussian_rows<float>(200, 3, 1);
  const auto V = gaussian_rows<float>(200, 5, 2);
  const auto unit = product_in_half(Z, 1.0, V).values;
  for (const int exponent : {-100, -20, 20, 100}) {
    SCOPED_TRACE(exponent);
    const auto values = product_in_half(Z, 1.0, times_power_of_two(V, exponent)).values;
    EXPECT_TRUE(bitwise_equal(times_power_of_two(values, -exponent), unit));
  }
  const auto none = product_in_half(Z, 1.0, Matrix<float>(200, 5)).values;
  EXPECT_TRUE(bitwise_equal(none, Matrix<float>(200, 5)));
}

TEST(DeviceOperatorInHalf, SumsOverStripesOfItsColumns) {
  const auto Z = gaussian_rows<float>(300, 3, 1), V = gaussian_rows<float>(300, 7, 5);
  const auto expected = product_in_half(Z, 1.5, V).values;
  for (const index_t stripe : {20, 37, 150, 299, 300}) {
    SCOPED_TRACE(stripe);
    const Override plan(0, 0.0);
    sweep_override().stripe = stripe;
    EXPECT_TRUE(all_near(product_in_half(Z, 1.5, V).values, expected, 2e-6));
  }
}

TEST(DeviceOperatorInHalf, IsBitwiseTheSameForEveryOrderOfThreads) {
  const auto Z = gaussian_rows<float>(260, 30, 1), V = gaussian_rows<float>(260, 20, 2);
  const auto ascending = product_in_half(Z, 5.0, V);
  emulated_descending([&] { expect_same(product_in_half(Z, 5.0, V), ascending); });
}

TEST(DeviceOperatorInHalf, IsForSinglePrecisionOnly) {
  const Queue queue(0, nullptr);
  Control control;
  KernelOperator<double> A(queue, rows_on_device(queue, gaussian_rows<double>(10, 5, 1)), {1.0},
                           control);
  EXPECT_THROW(A.keep_in_half(queue, control), std::invalid_argument);
}

TEST(DeviceOperatorInHalf, StaysAsItWasAfterAnInterruption) {
  const Queue queue(0, nullptr);
  Control control, cancelled;
  const auto Z = gaussian_rows<float>(300, 5, 1), V = gaussian_rows<float>(300, 4, 2);
  KernelOperator<float> A(queue, rows_on_device(queue, Z), {1.0}, control);
  cancelled.cancel();
  EXPECT_THROW(A.keep_in_half(queue, cancelled), Interrupted);
  const auto v = to_device(queue, V.data(), static_cast<index_t>(V.size()));
  const DeviceBuffer<float> out(queue, v.size());
  A.multiply(queue, v.data(), out.data(), 4, control);
  EXPECT_TRUE(bitwise_equal(to_host(queue, out.data(), out.size()), product(Z, {1.0}, V).values));
}

TYPED_TEST(DeviceOperator, OfNoVectorsIsNoWork) {
  const Queue queue(0, nullptr);
  Control control;
  const auto Z = gaussian_rows<TypeParam>(10, 5, 1);
  const KernelOperator<TypeParam> A(queue, rows_on_device(queue, Z), {1.0}, control);
  A.multiply(queue, nullptr, nullptr, 0, control);
}

// Rows that do not fit say so, and give back what they took.
#ifdef EIGENTROPY_CUDA_EMULATED
TYPED_TEST(DeviceOperator, ThatDoesNotFitSaysSo) {
  const Queue queue(0, nullptr);
  Control control;
  const std::size_t before = device_memory(0).free;
  emulated::set_memory(std::size_t{1} << 20);
  EXPECT_THROW(
      KernelOperator<TypeParam>(queue, rows_on_device(queue, gaussian_rows<TypeParam>(600, 5, 1)),
                                {1.0, 0.5, true}, control),
      OutOfDeviceMemory);
  emulated::set_memory(std::size_t{8} << 30);
  EXPECT_EQ(device_memory(0).free, before);
}
#endif

}  // namespace
}  // namespace eigentropy::cuda
