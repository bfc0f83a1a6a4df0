#include "cpu/operator/kernel_block.hpp"

#include <gtest/gtest.h>

#include "checkers.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/operator/kernel_operator.hpp"
#include "cpu/operator/symmetric_sweep.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

// Rows [begin, end) of Z around the centre of all, packed.
template <class T>
struct Part {
  Part(const Matrix<T>& Z, index_t begin, index_t end, double sigma)
      : X(center_rows<T, T>(Z.input(), 1)), strips(end - begin, X.d) {
    const Control control;
    std::vector<index_t> numbers;
    for (index_t i = begin; i < end; ++i) numbers.push_back(i);
    strips.load(select_rows(X, numbers.data(), end - begin), 0, end - begin, 1, control);
    scale = exponent_scale(X, sigma);
  }
  CenteredRows<T> X;
  RowStrips<T> strips;
  T scale;
};

double scaling(index_t i) { return 1.0 + 0.01 * static_cast<double>(i % 7); }

template <class T>
Matrix<T> some_rows(const Matrix<T>& V, index_t begin, index_t end) {
  Matrix<T> some(end - begin, V.cols());
  for (index_t i = begin; i < end; ++i) {
    for (index_t c = 0; c < V.cols(); ++c) some(i - begin, c) = V(i, c);
  }
  return some;
}

// G V of two parts of the rows, cut at `cut`, by their three blocks; and |diag(s) G diag(s)|_F^2.
template <class T>
struct OfTwoParts {
  OfTwoParts(const Matrix<T>& Z, index_t cut, double sigma, const Matrix<T>& V,
             const std::vector<double>& s, int threads, bool keeps, int products = 1)
      : upper(cut, V.cols()), lower(Z.rows() - cut, V.cols()) {
    const index_t n = Z.rows(), rest = n - cut;
    const Part<T> a(Z, 0, cut, sigma), b(Z, cut, n, sigma);
    const auto va = some_rows(V, 0, cut), vb = some_rows(V, cut, n);
    KernelBlock<T> aa(cut, cut, true, keeps), bb(rest, rest, true, keeps),
        ab(cut, rest, false, keeps);
    for (int k = 0; k < products; ++k) {
      Control control;
      Matrix<double> first(cut, V.cols()), second(rest, V.cols());
      const bool packed = !aa.is_kept();
      const PackedRows<T> none{}, ra = packed ? a.strips.rows() : none,
                                  rb = packed ? b.strips.rows() : none;
      squares = aa.multiply(ra, ra, a.scale,
                            {va.const_view(), va.const_view(), upper.view(), upper.view()},
                            s.data(), s.data(), threads, control);
      squares += bb.multiply(rb, rb, a.scale,
                             {vb.const_view(), vb.const_view(), lower.view(), lower.view()},
                             s.data() + cut, s.data() + cut, threads, control);
      squares += ab.multiply(ra, rb, a.scale,
                             {va.const_view(), vb.const_view(), first.view(), second.view()},
                             s.data(), s.data() + cut, threads, control);
      add(first, upper);
      add(second, lower);
    }
  }

  static void add(const Matrix<double>& from, Matrix<double>& to) {
    for (std::size_t i = 0; i < from.size(); ++i) to.data()[i] += from.data()[i];
  }

  double operator()(index_t i, index_t c) const {
    return i < upper.rows() ? upper(i, c) : lower(i - upper.rows(), c);
  }

  Matrix<double> upper, lower;
  double squares = 0.0;
};

template <class T>
class KernelBlocksOf : public ::testing::Test {};
TYPED_TEST_SUITE(KernelBlocksOf, Precisions, PrecisionName);

TYPED_TEST(KernelBlocksOf, TwoPartsAddUpToTheDefinition) {
  using T = TypeParam;
  const double sigma = 1.5;
  for (const index_t n : {2, 61, 193, 500}) {
    const auto Z = gaussian_rows<T>(n, 7, 1);
    const Oracle G(Z, sigma, 0.0);
    std::vector<double> s;
    for (index_t i = 0; i < n; ++i) s.push_back(scaling(i));
    double squares = 0.0;
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < n; ++j) squares += std::pow(scaling(i) * G.G(i, j) * scaling(j), 2.0);
    }
    for (const index_t cut : {index_t{1}, n / 2, n - 1}) {
      for (const index_t m : {1, 3, 20, 70}) {
        const auto V = gaussian_rows<T>(n, m, 2);
        const OfTwoParts<T> product(Z, cut, sigma, V, s, 2, false);
        const double rounding = sizeof(T) == sizeof(double) ? 1e-12 : 2e-5;
        ASSERT_TRUE(near(product.squares, squares, rounding * squares));
        for (index_t i = 0; i < n; ++i) {
          for (index_t c = 0; c < m; ++c) {
            double sum = 0.0, size = 0.0;
            for (index_t j = 0; j < n; ++j) {
              sum += G.G(i, j) * static_cast<double>(V(j, c));
              size += G.G(i, j) * std::abs(static_cast<double>(V(j, c)));
            }
            ASSERT_TRUE(near(product(i, c), sum, rounding * size)) << n << " " << cut << " " << i;
          }
        }
      }
    }
  }
}

TYPED_TEST(KernelBlocksOf, TwoPartsAreBitwiseTheSameForEveryNumberOfThreadsAndWhenKept) {
  using T = TypeParam;
  const index_t n = 3 * sweep_tile + 11, cut = sweep_tile + 5;
  const auto Z = gaussian_rows<T>(n, 5, 1);
  const auto V = gaussian_rows<T>(n, 20, 2);
  const std::vector<double> s(static_cast<std::size_t>(n), 0.5);
  const OfTwoParts<T> expected(Z, cut, 1.0, V, s, 1, false);
  for (const int threads : {2, 3}) {
    for (const bool keeps : {false, true}) {
      const OfTwoParts<T> actual(Z, cut, 1.0, V, s, threads, keeps, 2);
      EXPECT_TRUE(bitwise_equal(actual.upper, expected.upper));
      EXPECT_TRUE(bitwise_equal(actual.lower, expected.lower));
      EXPECT_EQ(actual.squares, expected.squares);
    }
  }
}

TYPED_TEST(KernelBlocksOf, RowsHaveTheCentreOfAllFromTheirRanges) {
  using T = TypeParam;
  auto Z = gaussian_rows<T>(300, 4, 1);
  for (index_t i = 0; i < 30; ++i) Z(i, 2) = T(1e6);  // a gap that is closed
  const Centering how = centering_for_kernel<T>(1.0);
  const Control control;
  const auto all = center_rows<T, T>(Z.input(), how, 1, control);
  const auto upper = some_rows(Z, 0, 20), lower = some_rows(Z, 20, 300);
  ColumnRanges ranges = column_ranges(upper.input(), 1, control);
  const ColumnRanges more = column_ranges(lower.input(), 1, control);
  for (std::size_t j = 0; j < 4; ++j) {
    ranges.low[j] = std::min(ranges.low[j], more.low[j]);
    ranges.high[j] = std::max(ranges.high[j], more.high[j]);
    ranges.sum[j] += more.sum[j];
  }
  std::vector<double> column;
  for (index_t i = 0; i < 300; ++i) column.push_back(static_cast<double>(Z(i, 2)));
  const Closing closing{how.separation, most_closed_gaps(4)};
  const ClosedColumn closed{2, sort_and_close_gaps(column.data(), 300, closing)};
  ASSERT_EQ(closed.segments.size(), 2U);
  const auto own = center_rows<T, T>(lower.input(), common_centers(ranges, 300, how, {closed}));
  EXPECT_EQ(own.scale, all.scale);
  for (index_t i = 0; i < 280; ++i) {
    T x[4], expected[4];
    read_row(own, i, {0, 4}, x);
    read_row(all, i + 20, {0, 4}, expected);
    for (index_t j = 0; j < 4; ++j) ASSERT_EQ(x[j], expected[j]) << i << " " << j;
  }
}

}  // namespace
}  // namespace eigentropy::testing
