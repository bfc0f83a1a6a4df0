#include "base/eigen/band.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/errors.hpp"
#include "checkers.hpp"
#include "cpu/blas.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "matrices.hpp"
#include "sanitizers.hpp"

// The oracle's first stage; the core has its own.
extern "C" {
void scipy_dsytrd_sy2sb_(const char*, const int*, const int*, double*, const int*, double*,
                         const int*, double*, double*, const int*, int*, std::size_t);
void scipy_ssytrd_sy2sb_(const char*, const int*, const int*, float*, const int*, float*,
                         const int*, float*, float*, const int*, int*, std::size_t);
}

namespace eigentropy::testing {
namespace {

template <class T>
class Band : public ::testing::Test {};
TYPED_TEST_SUITE(Band, Precisions, PrecisionName);

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// A band with its workspace, NaN wherever no entry is.
template <class T>
class BandMatrix {
 public:
  BandMatrix(index_t n, index_t width, index_t extra_stride = 0)
      : n_(n),
        width_(width),
        stride_(band_stride(width) + extra_stride),
        data_(static_cast<std::size_t>(band_size(n, width, stride_)), static_cast<T>(nan)) {
    for (index_t j = 0; j < n; ++j) {
      for (index_t i = j; i < std::min(n, j + width + 1); ++i) (*this)(i, j) = 0;
    }
  }

  index_t n() const { return n_; }
  index_t width() const { return width_; }
  T& operator()(index_t i, index_t j) {
    return data_[static_cast<std::size_t>(j * stride_ + i - j)];
  }
  BandView<T> view() { return {data_.data(), n_, width_, stride_}; }

  Matrix<T> dense() {
    Matrix<T> A(n_, n_);
    for (index_t j = 0; j < n_; ++j) {
      for (index_t i = j; i < std::min(n_, j + width_ + 1); ++i) A(j, i) = (*this)(i, j);
    }
    return A;
  }

 private:
  index_t n_, width_, stride_;
  std::vector<T> data_;
};

template <class T>
BandMatrix<T> random_band(index_t n, index_t width, double scale = 1.0, index_t extra_stride = 0) {
  std::mt19937_64 generator(static_cast<unsigned>(100 * n + width));
  std::normal_distribution<double> normal;
  BandMatrix<T> A(n, width, extra_stride);
  for (index_t j = 0; j < n; ++j) {
    for (index_t i = j; i < std::min(n, j + width + 1); ++i) {
      A(i, j) = static_cast<T>(scale * normal(generator));
    }
  }
  return A;
}

int dense_to_band(int n, int kd, double* a, double* band, int ldab, double* tau, double* work,
                  int lwork) {
  int info = 0;
  scipy_dsytrd_sy2sb_("L", &n, &kd, a, &n, band, &ldab, tau, work, &lwork, &info, 1);
  return info;
}
int dense_to_band(int n, int kd, float* a, float* band, int ldab, float* tau, float* work,
                  int lwork) {
  int info = 0;
  scipy_ssytrd_sy2sb_("L", &n, &kd, a, &n, band, &ldab, tau, work, &lwork, &info, 1);
  return info;
}

// The first stage by LAPACK, which copies a matrix that is no wider than the band.
template <class T>
BandMatrix<T> band_with_spectrum(const std::vector<double>& lambda, index_t width) {
  Matrix<T> A = with_spectrum<T>(lambda);
  const int n = blas::to_blas(A.rows()), kd = blas::to_blas(width), ldab = kd + 1;
  BandMatrix<T> band(n, width);
  std::vector<T> packed(static_cast<std::size_t>(n) * static_cast<std::size_t>(ldab));
  std::vector<T> tau(lambda.size());
  if (n > kd + 1) {
    T size = 0;
    check_info("sytrd_sy2sb",
               dense_to_band(n, kd, A.data(), packed.data(), ldab, tau.data(), &size, -1));
    std::vector<T> work(static_cast<std::size_t>(size));
    check_info("sytrd_sy2sb", dense_to_band(n, kd, A.data(), packed.data(), ldab, tau.data(),
                                            work.data(), static_cast<int>(size)));
  }
  for (index_t j = 0; j < n; ++j) {
    for (index_t i = j; i < std::min<index_t>(n, j + width + 1); ++i) {
      band(i, j) = n > kd + 1 ? packed[static_cast<std::size_t>(j * ldab + i - j)] : A(j, i);
    }
  }
  return band;
}

template <class T>
struct Tridiagonal {
  std::vector<T> d, e;
};

// d and e with nothing written behind them.
template <class T>
Tridiagonal<T> reduce(BandMatrix<T> band, int threads) {
  const auto n = static_cast<std::size_t>(band.n());
  Tridiagonal<T> out{std::vector<T>(n + 1, T(77)), std::vector<T>(n, T(77))};
  Control control;
  tridiagonalize(band.view(), out.d.data(), out.e.data(), threads, control);
  EXPECT_EQ(out.d.back(), T(77));
  EXPECT_EQ(out.e.back(), T(77));
  out.d.pop_back();
  out.e.pop_back();
  return out;
}

template <class T>
std::vector<T> solve(const BandMatrix<T>& band, int threads) {
  Tridiagonal<T> out = reduce(band, threads);
  out.e.push_back(0);  // an array of no elements has no address
  check_info("sterf", blas::sterf(static_cast<int>(out.d.size()), out.d.data(), out.e.data()));
  return out.d;
}

template <class T>
std::vector<T> solve_dense(BandMatrix<T> band) {
  Matrix<T> A = band.dense();
  std::vector<T> w(static_cast<std::size_t>(band.n()), static_cast<T>(nan));
  Control control;
  eigenvalues(A.symmetric(), w.data(), Reduction::lapack, 1, control, 0.0, 1.0);
  return w;
}

// n eps |A|, and the rounding of the matrix itself.
template <class T>
double tolerance(index_t n, double norm) {
  return (static_cast<double>(n) + 20.0) * epsilon<T> * norm;
}

template <class T>
double norm_of(const std::vector<T>& ascending) {
  return std::max(std::abs(static_cast<double>(ascending.front())),
                  std::abs(static_cast<double>(ascending.back())));
}

std::vector<index_t> orders(index_t width) {
  return {1, 2, 3, 4, width - 1, width, width + 1, width + 2, 2 * width, 2 * width + 1, 149, 331};
}
// Both sides of a vector, those with kernels of their own, and one beyond them.
const std::vector<index_t> widths{2, 3, 15, 16, 17, 32, 33, 48, 64, 96, 120};

TYPED_TEST(Band, OfAPrescribedSpectrumKeepsIt) {
  for (const index_t width : {2, 16, 31, 32, 48, 64, 96}) {
    for (const index_t n : {3, 31, 97, 211}) {
      for (const auto& [name, lambda] : prescribed_spectra(n)) {
        EXPECT_TRUE(all_near(solve(band_with_spectrum<TypeParam>(lambda, width), 2), sorted(lambda),
                             2.0 * tolerance<TypeParam>(n, 1.0)))
            << name << ", n = " << n << ", width " << width;
      }
    }
  }
}

TYPED_TEST(Band, HasTheEigenvaluesOfTheDenseMatrix) {
  for (const index_t width : widths) {
    for (const index_t n : orders(width)) {
      if (n < 1) continue;
      const auto band = random_band<TypeParam>(n, width);
      const auto expected = solve_dense(band);
      EXPECT_TRUE(all_near(solve(band, 2), expected, tolerance<TypeParam>(n, norm_of(expected))))
          << "n = " << n << ", width " << width;
    }
  }
}

TYPED_TEST(Band, HasTheSameBitsForEveryNumberOfThreads) {
  for (const index_t width : {5, 32, 64, 96}) {
    for (const index_t n : {3, 97, sanitized ? 401 : 1201}) {
      const auto band = random_band<TypeParam>(n, width);
      const auto one = reduce(band, 1);
      for (const int threads : {2, 5}) {
        const auto several = reduce(band, threads);
        EXPECT_TRUE(bitwise_equal(several.d, one.d)) << n << " " << width << " " << threads;
        EXPECT_TRUE(bitwise_equal(several.e, one.e)) << n << " " << width << " " << threads;
      }
    }
  }
}

TYPED_TEST(Band, MayHaveRoomBetweenItsColumns) {
  for (const index_t width : {7, 32}) {
    const auto tight = reduce(random_band<TypeParam>(149, width), 2);
    const auto wide = reduce(random_band<TypeParam>(149, width, 1.0, 11), 2);
    EXPECT_TRUE(bitwise_equal(wide.d, tight.d));
    EXPECT_TRUE(bitwise_equal(wide.e, tight.e));
  }
}

TYPED_TEST(Band, WithoutRoomForTheBulgeIsRefused) {
  auto band = random_band<TypeParam>(50, 16);
  BandView<TypeParam> view = band.view();
  view.stride -= 1;
  std::vector<TypeParam> diagonal(50), beside(50);
  Control control;
  EXPECT_THROW(tridiagonalize(view, diagonal.data(), beside.data(), 2, control),
               std::invalid_argument);
}

TYPED_TEST(Band, ThatIsTridiagonalStaysAsItIs) {
  for (const index_t width : {1, 2, 32}) {
    for (const index_t n : {1, 2, 3, 32, 97}) {
      const auto source = random_band<TypeParam>(n, 1);
      BandMatrix<TypeParam> band(n, width);
      std::vector<TypeParam> d, e;
      for (index_t j = 0; j < n; ++j) {
        d.push_back(band(j, j) = BandMatrix<TypeParam>(source)(j, j));
        if (j + 1 < n) e.push_back(band(j + 1, j) = BandMatrix<TypeParam>(source)(j + 1, j));
      }
      const auto out = reduce(band, 2);
      EXPECT_TRUE(bitwise_equal(out.d, d));
      if (n > 1) {
        EXPECT_TRUE(bitwise_equal(out.e, e));
      }
    }
  }
}

TYPED_TEST(Band, OfWidthZeroIsItsDiagonal) {
  const auto out = reduce(random_band<TypeParam>(13, 0), 2);
  EXPECT_TRUE(bitwise_equal(out.d, reduce(random_band<TypeParam>(13, 0), 1).d));
  EXPECT_EQ(out.e, std::vector<TypeParam>(12, TypeParam(0)));
}

TYPED_TEST(Band, OfZerosIsZero) {
  const auto out = reduce(BandMatrix<TypeParam>(97, 32), 2);
  EXPECT_EQ(out.d, std::vector<TypeParam>(97, TypeParam(0)));
  EXPECT_EQ(out.e, std::vector<TypeParam>(96, TypeParam(0)));
}

// The squares of these entries overflow, or are zero.
TYPED_TEST(Band, ScalesWithItsMatrix) {
  for (const double scale : {by_precision<TypeParam>(1e-300, 1e-36), 1e-12, 1e12,
                             by_precision<TypeParam>(1e300, 1e36)}) {
    const auto band = random_band<TypeParam>(149, 32, scale);
    const auto expected = solve_dense(band);
    EXPECT_TRUE(all_near(solve(band, 2), expected, tolerance<TypeParam>(149, norm_of(expected))))
        << scale;
  }
}

// Reflectors of columns whose squares underflow would not be orthogonal.
TYPED_TEST(Band, GradedOverTheWholeRangeOfExponentsKeepsItsSpectrum) {
  auto band = random_band<TypeParam>(211, 32);
  const double last = by_precision<TypeParam>(-300.0, -36.0);
  for (index_t j = 0; j < 211; ++j) {
    for (index_t i = j; i < std::min<index_t>(211, j + 33); ++i) {
      const double grade = std::pow(10.0, last * static_cast<double>(i + j) / 422.0);
      band(i, j) = static_cast<TypeParam>(static_cast<double>(band(i, j)) * grade);
    }
  }
  const auto expected = solve_dense(band);
  EXPECT_TRUE(all_near(solve(band, 2), expected, tolerance<TypeParam>(211, norm_of(expected))));
}

TYPED_TEST(Band, OfNaNIsNeverASilentSpectrum) {
  auto band = random_band<TypeParam>(149, 32);
  band(70, 60) = static_cast<TypeParam>(nan);
  const auto out = reduce(band, 2);
  EXPECT_TRUE(std::isnan(out.d.back()));
}

TYPED_TEST(Band, IsNotReducedForACallerWhoHasLeft) {
  auto band = random_band<TypeParam>(149, 32);
  std::vector<TypeParam> diagonal(149), beside(149);
  Control control;
  control.cancel();
  EXPECT_THROW(tridiagonalize(band.view(), diagonal.data(), beside.data(), 2, control),
               Interrupted);
}

TYPED_TEST(Band, IsLeftByAllThreadsWhenTheCallerLeaves) {
  const auto source = random_band<TypeParam>(4001, 32);
  for (const int threads : {1, 2, 5}) {
    auto band = source;
    std::vector<TypeParam> diagonal(4001), beside(4001);
    Control control;
    std::thread caller([&control] {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      control.cancel();
    });
    EXPECT_THROW(tridiagonalize(band.view(), diagonal.data(), beside.data(), threads, control),
                 Interrupted);
    caller.join();
  }
}

}  // namespace
}  // namespace eigentropy::testing
