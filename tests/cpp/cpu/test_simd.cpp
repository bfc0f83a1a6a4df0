#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <set>

#include "checkers.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/simd/gaussian_kernels.hpp"
#include "cpu/simd/product_kernels.hpp"
#include "cpu/simd/tile_kernels.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

using simd::TileKernels;

template <class T>
struct NamedKernels : TileKernels<T> {
  const char* name;
};

// The kernels of each instruction set that this machine can run, best first.
template <class T>
std::vector<NamedKernels<T>> available() {
  std::vector<NamedKernels<T>> tables;
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    tables.push_back({simd::kernels_of<TileKernels<T>>(set), simd::name_of(set)});
  }
  return tables;
}

// Widths on both sides of every vector length.
const std::vector<index_t> widths{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 61, 255, 256};

template <class T>
class Simd : public ::testing::Test {};
TYPED_TEST_SUITE(Simd, Precisions, PrecisionName);

// Random numbers in [low, high].
template <class T>
std::vector<T> random_values(index_t size, double low, double high, unsigned seed) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(low, high);
  std::vector<T> values(static_cast<std::size_t>(size));
  for (T& value : values) value = static_cast<T>(uniform(generator));
  return values;
}

template <class T>
Matrix<T> random_tile(index_t rows, index_t cols, double low, double high, unsigned seed) {
  Matrix<T> tile(rows, cols, cols + 3, T(-9));
  const auto values = random_values<T>(rows * cols, low, high, seed);
  for (index_t i = 0; i < rows; ++i) {
    for (index_t j = 0; j < cols; ++j) tile(i, j) = values[static_cast<std::size_t>(i * cols + j)];
  }
  return tile;
}

template <class T>
bool padding_is_untouched(const Matrix<T>& tile) {
  for (index_t i = 0; i < tile.rows(); ++i) {
    for (index_t j = tile.cols(); j < tile.cols() + 3; ++j) {
      if (tile(i, j) != T(-9)) return false;
    }
  }
  return true;
}

template <class T>
double at(const std::vector<T>& values, index_t i) {
  return static_cast<double>(values[static_cast<std::size_t>(i)]);
}

TYPED_TEST(Simd, EachInstructionSetHasItsOwnKernels) {
  const auto tables = available<TypeParam>();
  ASSERT_FALSE(tables.empty());
  EXPECT_STREQ(tables.back().name, "baseline");
  std::set<decltype(tables[0].gaussian)> functions;
  for (const auto& table : tables) {
    std::cout << "instruction set tested: " << table.name << std::endl;
    functions.insert(table.gaussian);
  }
  EXPECT_EQ(functions.size(), tables.size());
}

TYPED_TEST(Simd, TheBestSetIsActiveUnlessTheEnvironmentNamesAnother) {
  if (std::getenv("EIGENTROPY_SIMD") != nullptr) GTEST_SKIP() << "EIGENTROPY_SIMD is set";
  const auto best = available<TypeParam>().front();
  EXPECT_EQ(simd::tile_kernels<TypeParam>().gaussian, best.gaussian);
  EXPECT_STREQ(simd::name_of(simd::active_instruction_set()), best.name);
}

// exp of each x <= 0 by the kernel of `table`, in rows of 256.
template <class T>
std::vector<T> exponentials(const TileKernels<T>& table, std::vector<T> x) {
  std::vector<T> squares(x.size()), sums(1);
  for (std::size_t i = 0; i < x.size(); ++i) squares[i] = -x[i];
  for (std::size_t i = 0; i < x.size(); i += 256) {
    const auto cols = static_cast<index_t>(std::min<std::size_t>(256, x.size() - i));
    table.gaussian(squares.data() + i, 1, cols, cols, T(-1), sums.data(), nullptr);
  }
  return squares;
}

// |actual - exact| in units of the last place of exact.
template <class T>
double error_in_ulp(T actual, long double exact) {
  const T rounded = static_cast<T>(exact);
  const long double ulp = static_cast<long double>(
      std::nextafter(rounded, std::numeric_limits<T>::infinity()) - rounded);
  return static_cast<double>(std::abs(static_cast<long double>(actual) - exact) / ulp);
}

// Smallest argument whose exponential is a normal number, as the kernels draw the line.
template <class T>
constexpr double smallest_argument = by_precision<T>(-708.0, -87.0);

// Random arguments, and those where the reduction x = k ln 2 + r changes k.
template <class T>
std::vector<T> difficult_arguments() {
  auto x = random_values<T>(100'000, smallest_argument<T>, 0.0, 1);
  const auto small = random_values<T>(20'000, -1.0, 0.0, 2);
  x.insert(x.end(), small.begin(), small.end());
  for (int k = 0; static_cast<double>(k) * 0.5 * std::log(2.0) < -smallest_argument<T>; ++k) {
    const T edge = static_cast<T>(-static_cast<double>(k) * 0.5 * std::log(2.0));
    const T below = std::nextafter(edge, -std::numeric_limits<T>::infinity());
    x.insert(x.end(), {edge, below, std::min(T(0), std::nextafter(edge, T(1)))});
  }
  x.insert(x.end(), {static_cast<T>(smallest_argument<T>), -std::numeric_limits<T>::denorm_min(),
                     -std::numeric_limits<T>::min(), -std::numeric_limits<T>::epsilon()});
  return x;
}

TYPED_TEST(Simd, ExponentialIsWithinTwoUlpOfExp) {
  const auto x = difficult_arguments<TypeParam>();
  for (const auto& table : available<TypeParam>()) {
    const auto actual = exponentials(table, x);
    double worst = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = error_in_ulp(actual[i], std::exp(static_cast<long double>(x[i])));
      ASSERT_TRUE(near(error, 0.0, 2.0)) << table.name << ": exp(" << x[i] << ")";
      worst = std::max(worst, error);
    }
    std::cout << table.name << ": worst error " << worst << " ulp" << std::endl;
  }
}

TYPED_TEST(Simd, ExponentialOfEitherZeroIsOne) {
  for (const auto& table : available<TypeParam>()) {
    // Long enough for the vector loop, and a tail.
    for (const auto value : exponentials<TypeParam>(table, std::vector<TypeParam>(37, 0))) {
      EXPECT_EQ(value, 1);
    }
    for (const auto value : exponentials<TypeParam>(table, std::vector<TypeParam>(37, -0.0))) {
      EXPECT_EQ(value, 1);
    }
  }
}

TYPED_TEST(Simd, ExponentialOfWhatIsTooSmallIsZero) {
  using T = TypeParam;
  const T edge = std::nextafter(static_cast<T>(smallest_argument<T>), T(-1000));
  for (const auto& table : available<T>()) {
    for (const T x : {edge, T(-1000), T(-1e5), T(-1e30), std::numeric_limits<T>::lowest(),
                      -std::numeric_limits<T>::infinity()}) {
      for (const T value : exponentials(table, std::vector<T>(37, x))) {
        EXPECT_EQ(value, 0) << table.name << ": exp(" << x << ")";
        EXPECT_FALSE(std::signbit(value));
      }
    }
  }
}

TYPED_TEST(Simd, ExponentialNeverExceedsOneAndNeverRisesAwayFromZero) {
  auto x = difficult_arguments<TypeParam>();
  std::sort(x.begin(), x.end());
  for (const auto& table : available<TypeParam>()) {
    const auto values = exponentials(table, x);
    EXPECT_LE(*std::max_element(values.begin(), values.end()), 1);
    // To two ulp, which is what the errors of two neighbours may add up to.
    for (std::size_t i = 1; i < values.size(); ++i) {
      ASSERT_LE(static_cast<double>(values[i - 1]),
                static_cast<double>(values[i]) * (1.0 + 2.0 * epsilon<TypeParam>));
    }
  }
}

TYPED_TEST(Simd, GaussianPassSumsItsRowsAndColumns) {
  using T = TypeParam;
  for (const auto& table : available<T>()) {
    for (const index_t cols : widths) {
      for (const index_t rows : {1, 2, 7}) {
        auto tile = random_tile<T>(rows, cols, 0.0, 3.0, 1);
        const auto r2 = tile;
        std::vector<T> row_sums(static_cast<std::size_t>(rows)),
            only_rows = row_sums, col_sums(static_cast<std::size_t>(cols), T(99));
        table.gaussian(tile.data(), rows, cols, cols + 3, T(-0.7), row_sums.data(),
                       col_sums.data());
        ASSERT_TRUE(padding_is_untouched(tile));
        const double tolerance = 4.0 * epsilon<T> * static_cast<double>(rows + cols);
        std::vector<double> expected_cols(static_cast<std::size_t>(cols), 0.0);
        for (index_t i = 0; i < rows; ++i) {
          double expected_row = 0.0;
          for (index_t j = 0; j < cols; ++j) {
            const double g = std::exp(static_cast<double>(T(-0.7) * r2(i, j)));
            ASSERT_TRUE(near(static_cast<double>(tile(i, j)), g, 4.0 * epsilon<T>));
            expected_row += g;
            expected_cols[static_cast<std::size_t>(j)] += g;
          }
          ASSERT_TRUE(near(at(row_sums, i), expected_row, tolerance));
        }
        ASSERT_TRUE(all_near(col_sums, expected_cols, tolerance));

        auto again = r2;
        table.gaussian(again.data(), rows, cols, cols + 3, T(-0.7), only_rows.data(), nullptr);
        ASSERT_TRUE(bitwise_equal(again, tile));
        ASSERT_TRUE(bitwise_equal(only_rows, row_sums));
      }
    }
  }
}

TYPED_TEST(Simd, DistancePassAddsTheNormsAndClampsAtZero) {
  using T = TypeParam;
  for (const auto& table : available<T>()) {
    for (const index_t cols : widths) {
      const index_t rows = 5;
      auto tile = random_tile<T>(rows, cols, -4.0, 1.0, 1);
      const auto products = tile;
      const auto row_norms = random_values<T>(rows, 0.0, 1.0, 2);
      const auto col_norms = random_values<T>(cols, 0.0, 1.0, 3);
      table.squared_distances(tile.data(), rows, cols, cols + 3, row_norms.data(),
                              col_norms.data());
      ASSERT_TRUE(padding_is_untouched(tile));
      for (index_t i = 0; i < rows; ++i) {
        for (index_t j = 0; j < cols; ++j) {
          const double sum =
              at(row_norms, i) + at(col_norms, j) + static_cast<double>(products(i, j));
          ASSERT_GE(tile(i, j), 0);
          ASSERT_TRUE(near(static_cast<double>(tile(i, j)), std::max(0.0, sum), 8.0 * epsilon<T>));
        }
      }
    }
  }
}

TYPED_TEST(Simd, WeightedSumsAreProductsWithTheWeights) {
  using T = TypeParam;
  for (const auto& table : available<T>()) {
    for (const index_t cols : widths) {
      const index_t rows = 5;
      const auto tile = random_tile<T>(rows, cols, 0.0, 1.0, 1);
      const auto row_weights = random_values<T>(rows, 0.0, 1.0, 2);
      const auto col_weights = random_values<T>(cols, 0.0, 1.0, 3);
      std::vector<T> row_sums(5), only_rows(5), col_sums(static_cast<std::size_t>(cols), T(99));
      table.weighted_sums(tile.data(), rows, cols, cols + 3, row_weights.data(), col_weights.data(),
                          row_sums.data(), col_sums.data());
      table.weighted_sums(tile.data(), rows, cols, cols + 3, row_weights.data(), col_weights.data(),
                          only_rows.data(), nullptr);
      std::vector<double> expected_rows(5, 0.0), expected_cols(static_cast<std::size_t>(cols), 0.0);
      for (index_t i = 0; i < rows; ++i) {
        for (index_t j = 0; j < cols; ++j) {
          const auto value = static_cast<double>(tile(i, j));
          expected_rows[static_cast<std::size_t>(i)] += value * at(col_weights, j);
          expected_cols[static_cast<std::size_t>(j)] += value * at(row_weights, i);
        }
      }
      const double tolerance = 4.0 * epsilon<T> * static_cast<double>(rows + cols);
      ASSERT_TRUE(all_near(row_sums, expected_rows, tolerance));
      ASSERT_TRUE(all_near(col_sums, expected_cols, tolerance));
      ASSERT_TRUE(bitwise_equal(only_rows, row_sums));
    }
  }
}

TYPED_TEST(Simd, ConjugationScalesRowsAndColumnsAndReturnsTheSumOfSquares) {
  using T = TypeParam;
  for (const auto& table : available<T>()) {
    for (const index_t cols : widths) {
      const index_t rows = 5;
      auto tile = random_tile<T>(rows, cols, 0.0, 1.0, 1);
      const auto before = tile;
      const auto row_scale = random_values<T>(rows, 0.5, 2.0, 2);
      const auto col_scale = random_values<T>(cols, 0.5, 2.0, 3);
      const double squares =
          table.conjugate(tile.data(), rows, cols, cols + 3, row_scale.data(), col_scale.data());
      ASSERT_TRUE(padding_is_untouched(tile));
      double expected = 0.0;
      for (index_t i = 0; i < rows; ++i) {
        for (index_t j = 0; j < cols; ++j) {
          const double a = static_cast<double>(before(i, j)) * at(row_scale, i) * at(col_scale, j);
          ASSERT_TRUE(near(static_cast<double>(tile(i, j)), a, 4.0 * epsilon<T> * a));
          expected += a * a;
        }
      }
      ASSERT_TRUE(near(squares, expected, 8.0 * epsilon<T> * expected));
    }
  }
}

// Every multiple of 1 / 65535, and what lies on both sides of half way to the next one.
TYPED_TEST(Simd, RootsAreTheNearestOnesOf16Bits) {
  constexpr index_t most = 65535;
  std::vector<std::uint16_t> roots(most + 1);
  for (index_t r = 0; r <= most; ++r) {
    roots[static_cast<std::size_t>(r)] = static_cast<std::uint16_t>(r);
  }
  std::vector<TypeParam> below, above;
  for (index_t r = 0; r < most; ++r) {
    const double low = (static_cast<double>(r) + 0.49) / most;
    const double high = (static_cast<double>(r) + 0.51) / most;
    below.push_back(static_cast<TypeParam>(low * low));
    above.push_back(static_cast<TypeParam>(high * high));
  }
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    const auto& table = simd::kernels_of<simd::GaussianKernels<TypeParam>>(set);
    std::vector<TypeParam> values(roots.size());
    table.from_roots(most + 1, roots.data(), values.data());
    for (index_t r = 0; r <= most; ++r) {
      const double root = static_cast<double>(r) / most;
      ASSERT_TRUE(near(static_cast<double>(at(values, r)), root * root,
                       4.0 * epsilon<float> * root * root));
    }
    ASSERT_EQ(values.back(), TypeParam(1));
    std::vector<std::uint16_t> found(roots.size());
    table.to_roots(most + 1, values.data(), found.data());
    ASSERT_EQ(found, roots) << simd::name_of(set);
    found.resize(below.size());
    table.to_roots(most, below.data(), found.data());
    for (index_t r = 0; r < most; ++r) ASSERT_EQ(found[static_cast<std::size_t>(r)], r);
    table.to_roots(most, above.data(), found.data());
    for (index_t r = 0; r < most; ++r) ASSERT_EQ(found[static_cast<std::size_t>(r)], r + 1);
  }
}

TYPED_TEST(Simd, ConjugationOfASymmetricTileIsSymmetricToTheLastBit) {
  for (const auto& table : available<TypeParam>()) {
    const index_t n = 61;
    Matrix<TypeParam> tile(n, n);
    const auto values = random_values<TypeParam>(n * n, 0.0, 1.0, 1);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < n; ++j) {
        tile(i, j) = values[static_cast<std::size_t>(std::min(i, j) * n + std::max(i, j))];
      }
    }
    const auto scale = random_values<TypeParam>(n, 0.5, 2.0, 2);
    table.conjugate(tile.data(), n, n, n, scale.data(), scale.data());
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < i; ++j) ASSERT_EQ(tile(i, j), tile(j, i));
    }
  }
}

TYPED_TEST(Simd, MarkBetweenMarksTheIntervalWithItsEndsAndCountsWhatIsBelow) {
  for (const auto& table : available<TypeParam>()) {
    for (const index_t count : widths) {
      auto row = random_values<TypeParam>(count, 0.0, 3.0, 21);
      const TypeParam low = 1, high = 2;
      row[0] = low;
      row[static_cast<std::size_t>(count - 1)] = high;
      std::vector<unsigned char> inside(static_cast<std::size_t>(count + 1), 7);
      index_t below = 0;
      std::vector<unsigned char> expected;
      for (const TypeParam value : row) {
        below += value < low ? 1 : 0;
        expected.push_back(value >= low && value <= high ? 1 : 0);
      }
      expected.push_back(7);  // nothing is written behind the row
      EXPECT_EQ(table.mark_between(row.data(), count, low, high, inside.data()), below)
          << table.name << ", " << count;
      EXPECT_EQ(inside, expected) << table.name << ", " << count;
    }
  }
}

TYPED_TEST(Simd, SquaredDistanceIsTheSumOfSquaredDifferencesInDouble) {
  for (const auto& table : available<TypeParam>()) {
    for (const index_t d : widths) {
      const auto x = random_values<TypeParam>(d, -1.0, 1.0, 1);
      const auto y = random_values<TypeParam>(d, -1.0, 1.0, 2);
      double expected = 0.0;
      for (index_t k = 0; k < d; ++k) expected += std::pow(at(x, k) - at(y, k), 2.0);
      EXPECT_TRUE(near(table.squared_distance(x.data(), y.data(), d), expected,
                       4.0 * epsilon<double> * expected));
      EXPECT_EQ(table.squared_distance(x.data(), x.data(), d), 0.0);
    }
  }
}

template <class T>
class ProductKernels : public ::testing::Test {};
TYPED_TEST_SUITE(ProductKernels, Precisions, PrecisionName);

TYPED_TEST(ProductKernels, MultiplyTheSameWhateverTheyFetchMeanwhile) {
  using T = TypeParam;
  const index_t rows = 50, depth = 70, width = 48;
  const auto A = gaussian_rows<T>(rows, depth, 1), V = gaussian_rows<T>(depth, width, 2);
  for (const simd::InstructionSet set : simd::instruction_sets) {
    if (!simd::is_available(set)) continue;
    const auto& kernels = simd::kernels_of<simd::ProductKernels<T>>(set);
    Matrix<T> plain(rows, width), fetching(rows, width), nothing(rows, width);
    std::fill_n(plain.data(), rows * width, T(1));
    std::fill_n(fetching.data(), rows * width, T(1));
    std::fill_n(nothing.data(), rows * width, T(1));
    kernels.multiply(rows, depth, width, A.data(), depth, 1, V.data(), plain.data());
    kernels.multiply_and_fetch(rows, depth, width, A.data(), depth, 1, V.data(), fetching.data(),
                               A.data(), rows * depth * static_cast<index_t>(sizeof(T)));
    kernels.multiply_and_fetch(rows, depth, width, A.data(), depth, 1, V.data(), nothing.data(),
                               nullptr, 0);
    EXPECT_TRUE(bitwise_equal(fetching, plain));
    EXPECT_TRUE(bitwise_equal(nothing, plain));
    for (index_t i = 0; i < rows; ++i) {
      for (index_t j = 0; j < width; ++j) {
        double sum = 1.0;
        for (index_t k = 0; k < depth; ++k) sum += static_cast<double>(A(i, k) * V(k, j));
        ASSERT_TRUE(near(plain(i, j), sum, by_precision<T>(1e-12, 1e-4)));
      }
    }
  }
}

}  // namespace
}  // namespace eigentropy::testing
