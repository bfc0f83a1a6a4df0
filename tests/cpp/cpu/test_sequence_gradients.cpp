#include "cpu/gradient/sequence_gradients.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/gaussian.hpp"
#include "checkers.hpp"
#include "cpu/rows/median_distance.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Of any accuracy: here each way of solving is compared with itself. It reaches over every spectrum
// of these tests that has no eigenvalue near 0.
LogFunctions some_function() {
  LogFunctions functions;
  functions.add({1e6, -0.5, 1.5, {0.1}, {-0.35}});
  return functions;
}

const SpectralMeasure measures[] = {
    {true, 1.0}, {false, 1.0}, {false, 2.0}, {true, 2.0}, {false, 3.0}};

template <class T>
struct Solved {
  explicit Solved(const Matrix<T>& Z, std::size_t count, double sigma)
      : nats(count),
        sigmas(count, sigma),
        kernel_sums(count),
        gradient(Z.const_view().rows * Z.const_view().cols) {}
  std::vector<double> nats, sigmas, kernel_sums;
  std::vector<T> gradient;
};

template <class T>
Solved<T> solve(SequenceGradients<T>& batch, const Matrix<T>& Z,
                const std::vector<Sequence>& sequences, SpectralMeasure measure, double sigma,
                int threads, bool with_gradient = true) {
  Control control;
  Solved<T> found(Z, sequences.size(), sigma);
  const Buffer<bool> solved(static_cast<index_t>(sequences.size()));
  const index_t n = Z.const_view().rows, d = Z.const_view().cols;
  const MatrixView<T> gradient{with_gradient ? found.gradient.data() : nullptr, n, d, d};
  batch.solve(
      Z.input(), sequences, {measure, 0.5, true, 0.35}, some_function(),
      {found.nats.data(), found.sigmas.data(), found.kernel_sums.data(), solved.data(), gradient},
      threads, control);
  for (const bool done : solved) EXPECT_TRUE(done);
  return found;
}

// Sequences of these lengths one below the other.
std::vector<Sequence> sequences_of(const std::vector<index_t>& lengths) {
  std::vector<Sequence> sequences;
  index_t first = 0;
  for (const index_t length : lengths) {
    sequences.push_back({first, length});
    first += length;
  }
  return sequences;
}

// Shorter and longer than the rows that take eigenvectors, than a tile, and of one row.
const std::vector<index_t> lengths{33, 1, 70, 2, 300, 31, 1, 64};
constexpr index_t rows_of_all = 33 + 1 + 70 + 2 + 300 + 31 + 1 + 64;

template <class T>
class SequenceGradientsOf : public ::testing::Test {};
TYPED_TEST_SUITE(SequenceGradientsOf, Precisions, PrecisionName);

TYPED_TEST(SequenceGradientsOf, RaggedSequencesAreThoseSolvedOneByOne) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(rows_of_all, 20, 1);
  const auto sequences = sequences_of(lengths);
  for (const SpectralMeasure& measure : measures) {
    SCOPED_TRACE(measure.exponent);
    SequenceGradients<T> batch;
    const auto together = solve(batch, Z, sequences, measure, 4.0, 3);
    for (std::size_t k = 0; k < sequences.size(); ++k) {
      SCOPED_TRACE(k);
      SequenceGradients<T> fresh;
      const Sequence own = sequences[k];
      const auto alone = solve(fresh, Z, {own}, measure, 4.0, 1);
      EXPECT_EQ(together.nats[k], alone.nats[0]);
      EXPECT_EQ(together.kernel_sums[k], alone.kernel_sums[0]);
      const auto begin = static_cast<std::size_t>(own.first * 20),
                 end = begin + static_cast<std::size_t>(own.rows * 20);
      EXPECT_TRUE(std::equal(together.gradient.begin() + begin, together.gradient.begin() + end,
                             alone.gradient.begin() + begin));
    }
  }
}

TYPED_TEST(SequenceGradientsOf, ThreadsAndEarlierBatchesChangeNothing) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(rows_of_all, 20, 2);
  const auto sequences = sequences_of(lengths);
  SequenceGradients<T> fresh, kept;
  const auto expected = solve(fresh, Z, sequences, measures[0], nan, 1);
  for (const int threads : {2, 5, 2, 12}) {
    const auto found = solve(kept, Z, sequences, measures[0], nan, threads);
    EXPECT_EQ(found.nats, expected.nats);
    EXPECT_EQ(found.sigmas, expected.sigmas);
    EXPECT_EQ(found.gradient, expected.gradient);
  }
}

TYPED_TEST(SequenceGradientsOf, WidthsAreSharesOfTheMedianDistances) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(120, 20, 3);
  const auto sequences = sequences_of({50, 70});
  SequenceGradients<T> batch;
  const auto found = solve(batch, Z, sequences, measures[0], nan, 2);
  for (std::size_t k = 0; k < 2; ++k) {
    InputView<T> part = Z.input();
    part.data = part.row(sequences[k].first);
    part.rows = sequences[k].rows;
    Control control;
    const auto X = center_rows<T, double>(part, 1);
    const double sigma = 0.35 * X.scale * median_distance(X, 1, control);
    EXPECT_NEAR(found.sigmas[k], sigma, sizeof(T) == 8 ? 1e-14 : 1e-6);
  }
}

TYPED_TEST(SequenceGradientsOf, OneRowHasNoEntropyAndNoGradient) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(3, 5, 4);
  SequenceGradients<T> batch;
  const auto found = solve(batch, Z, {{1, 1}}, measures[1], nan, 2);
  EXPECT_EQ(found.nats[0], 0.0);
  EXPECT_EQ(found.sigmas[0], 1.0);
  EXPECT_EQ(found.kernel_sums[0], 1.0);
  for (std::size_t c = 5; c < 10; ++c) EXPECT_EQ(found.gradient[c], T(0));
}

// Far rows: all n eigenvalues are equal.
TYPED_TEST(SequenceGradientsOf, FarRowsHaveTheLargestEntropyByEigenvaluesAndByEigenvectors) {
  using T = TypeParam;
  Matrix<T> Z(20, 20);
  std::fill_n(Z.data(), 400, T(0));
  for (index_t i = 0; i < 20; ++i) Z.data()[21 * i] = T(1e3);
  for (const SpectralMeasure& measure : measures) {
    for (const bool with_gradient : {true, false}) {
      SequenceGradients<T> batch;
      const auto found = solve(batch, Z, {{0, 20}}, measure, 1.0, 1, with_gradient);
      EXPECT_NEAR(found.nats[0], std::log(20.0), 1e-5);
    }
  }
}

// The two eigenvalues of A are 1 and x, and by the Renyi entropy those of rho are (1 +- g) / 2.
TYPED_TEST(SequenceGradientsOf, EntropiesOfEigenvaluesAreTheClosedForms) {
  using T = TypeParam;
  const double x = 0.25, eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const T w[] = {T(x), T(1)};
  double slopes[2];
  for (const double t : {0.5, 1.0, 2.0}) {
    const double total = 1.0 + std::pow(x, t), p = 1.0 / total, q = 1.0 - p;
    const double shannon = -p * std::log(p) - q * std::log(q);
    EXPECT_NEAR(entropy_of_eigenvalues(w, 2, 1.0 + x, {true, t}, slopes), shannon, 8 * eps);
    // dS/dx = -(dq/dx) log(q / p) with q = x^t / (1 + x^t)
    const double dq = t * std::pow(x, t - 1.0) / (total * total);
    EXPECT_NEAR(slopes[0], -dq * std::log(q / p), 1e2 * eps);
  }
  const double p = 1.0 / (1.0 + x), q = x / (1.0 + x);
  for (const double order : {0.5, 2.0, 3.0}) {
    const double sum = std::pow(p, order) + std::pow(q, order);
    const double renyi = std::log(sum) / (1.0 - order);
    EXPECT_NEAR(entropy_of_eigenvalues(w, 2, 1.0 + x, {false, order}, slopes), renyi, 8 * eps);
    // The slopes leave out a constant: their difference is that of the closed form.
    const double difference = order / (1.0 - order) / sum / (1.0 + x) *
                              (std::pow(p, order - 1.0) - std::pow(q, order - 1.0));
    EXPECT_NEAR(slopes[1] - slopes[0], difference, 1e2 * eps);
  }
}

TYPED_TEST(SequenceGradientsOf, ARequestToStopIsHeard) {
  using T = TypeParam;
  const auto Z = gaussian_rows<T>(70, 20, 1);
  SequenceGradients<T> batch;
  Control control;
  control.cancel();
  double nats, sigma = 4.0, sum;
  bool solved;
  EXPECT_THROW(batch.solve(Z.input(), {{0, 70}}, {{true, 1.0}}, some_function(),
                           {&nats, &sigma, &sum, &solved, {nullptr, 70, 20, 20}}, 1, control),
               Interrupted);
}

TEST(LogFunctionsInOrder, TheFirstThatReachesIsTaken) {
  LogFunctions functions;
  functions.add({2.0, 0.0, 0.0, {0.5}, {-1.0}});
  functions.add({8.0, 0.0, 0.0, {0.5, 0.1}, {-1.0, -1.0}});
  EXPECT_EQ(functions.reaching(0.6, 1.0)->poles(), 1);
  EXPECT_EQ(functions.reaching(0.5, 1.0)->poles(), 1);
  EXPECT_EQ(functions.reaching(0.4, 1.0)->poles(), 2);
  EXPECT_EQ(functions.reaching(0.1, 1.0), nullptr);
  EXPECT_EQ(functions.reaching(nan, 1.0), nullptr);
  EXPECT_THROW(functions.add({9.0, 0.0, 0.0, {0.5}, {}}), std::invalid_argument);
}

}  // namespace
}  // namespace eigentropy::testing
