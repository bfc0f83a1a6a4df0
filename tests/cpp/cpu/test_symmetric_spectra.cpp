#include "cpu/eigen/symmetric_spectra.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "base/errors.hpp"
#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

template <class T>
class SymmetricSpectra : public ::testing::Test {};
TYPED_TEST_SUITE(SymmetricSpectra, Precisions, PrecisionName);

std::vector<double> descending(std::vector<double> values) {
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

template <class T>
double tolerance(index_t n) {
  return (static_cast<double>(n) + 20.0) * epsilon<T>;
}

template <class T>
MatrixBatch<T> one(const Matrix<T>& A) {
  return {A.data(), 1, A.rows(), 0, A.input().row_stride, 1};
}

TYPED_TEST(SymmetricSpectra, OfOneMatrixAreThePrescribedOnes) {
  for (const index_t n : {1, 2, 97, 257, 600}) {
    for (const auto& [name, lambda] : prescribed_spectra(n)) {
      auto A = with_spectrum<TypeParam>(lambda, 5);
      Control control;
      EXPECT_TRUE(all_near(symmetric_spectra(one(A), Reduction::automatic, 2, control),
                           descending(lambda), tolerance<TypeParam>(n)))
          << name << ", n = " << n;
      EXPECT_TRUE(all_near(symmetric_spectrum_in_place(A.symmetric(), 2, control),
                           descending(lambda), tolerance<TypeParam>(n)))
          << name << " in place, n = " << n;
    }
  }
}

// Column j of the upper triangle is row j of the lower one, where with_spectrum puts NaN.
TYPED_TEST(SymmetricSpectra, OfABatchAreReadWithAnyStrides) {
  const index_t n = 40, count = 3;
  std::vector<TypeParam> memory(static_cast<std::size_t>(2 * n * n * count));
  std::vector<double> expected;
  for (index_t b = 0; b < count; ++b) {
    const auto lambda = prescribed_spectra(n)[static_cast<std::size_t>(b)].lambda;
    const auto A = with_spectrum<TypeParam>(lambda);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < n; ++j) {
        memory[static_cast<std::size_t>(2 * (b * n * n + j * n + i))] = A(i, j);
      }
    }
    for (const double value : descending(lambda)) expected.push_back(value);
  }
  const MatrixBatch<TypeParam> batch{memory.data(), count, n, 2 * n * n, 2, 2 * n};
  for (const int threads : {1, 2, 4}) {  // with 4, one after the other
    Control control;
    const auto w = symmetric_spectra(batch, Reduction::automatic, threads, control);
    EXPECT_TRUE(all_near(w, expected, tolerance<TypeParam>(n)));
  }
}

// Batches that fill the lanes of one group, two, many, or not quite; alone and with other threads.
TYPED_TEST(SymmetricSpectra, OfAnyNumberOfMatricesAreThePrescribedOnes) {
  for (const index_t n : {1, 7, 50, 100, 129}) {
    const auto spectra = prescribed_spectra(n);
    for (const index_t count : {2, 3, 7, 8, 9, 16, 31, 33, 70, 130}) {
      Buffer<TypeParam> stack(count * n * n);
      std::vector<double> expected;
      for (index_t b = 0; b < count; ++b) {
        const auto& lambda = spectra[static_cast<std::size_t>(b) % spectra.size()].lambda;
        const auto A = with_spectrum<TypeParam>(lambda);
        std::copy(A.begin(), A.end(), stack.data() + b * n * n);
        for (const double value : descending(lambda)) expected.push_back(value);
      }
      const MatrixBatch<TypeParam> batch{stack.data(), count, n, n * n, n, 1};
      Control control;
      const auto w = symmetric_spectra(batch, Reduction::automatic, 1, control);
      EXPECT_TRUE(all_near(w, expected, tolerance<TypeParam>(n))) << n << ", " << count;
      for (const int threads : {2, 3}) {
        EXPECT_TRUE(
            bitwise_equal(symmetric_spectra(batch, Reduction::automatic, threads, control), w))
            << n << ", " << count;
      }
    }
  }
}

// In lanes and one to a thread: the first of two matrices, whichever is looked at first.
TYPED_TEST(SymmetricSpectra, NameTheFirstMatrixThatIsNotFinite) {
  for (const auto& [count, n] : {std::pair<index_t, index_t>{200, 30}, {5, 200}}) {
    Buffer<TypeParam> stack(count * n * n);
    std::fill(stack.begin(), stack.end(), TypeParam(1));
    for (const index_t b : {count - 1, count / 2}) {
      stack[b * n * n + 3 * n + 20] = std::numeric_limits<TypeParam>::quiet_NaN();
      Control control;
      try {
        symmetric_spectra(MatrixBatch<TypeParam>{stack.data(), count, n, n * n, n, 1},
                          Reduction::automatic, 2, control);
        ADD_FAILURE() << "not refused";
      } catch (const std::invalid_argument& error) {
        EXPECT_EQ(error.what(), "matrix " + std::to_string(b) +
                                    ": A has NaN or infinity in the upper triangle; the first is "
                                    "in row 3");
      }
    }
  }
}

TYPED_TEST(SymmetricSpectra, AreRefusedForTheFirstRowThatIsNotFinite) {
  auto A = with_spectrum<TypeParam>(prescribed_spectra(300)[0].lambda);
  A(299, 299) = std::numeric_limits<TypeParam>::infinity();
  A(7, 280) = std::numeric_limits<TypeParam>::quiet_NaN();
  Control control;
  const auto message = [&](auto&& call) -> std::string {
    try {
      call();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  const std::string wanted = "A has NaN or infinity in the upper triangle; the first is in row 7";
  EXPECT_EQ(message([&] { symmetric_spectra(one(A), Reduction::automatic, 2, control); }), wanted);
  EXPECT_EQ(message([&] { symmetric_spectrum_in_place(A.symmetric(), 2, control); }), wanted);
}

TYPED_TEST(SymmetricSpectra, StopWhenTheyAreAskedTo) {
  const auto A = with_spectrum<TypeParam>(prescribed_spectra(300)[0].lambda);
  Control control;
  control.cancel();
  EXPECT_THROW(symmetric_spectra(one(A), Reduction::automatic, 2, control), Interrupted);
}

// Calls until the user, who leaves as soon as there is progress, has come in time.
template <class Call>
void leave_amid(const Call& call) {
  Control control;
  std::thread user([&] {
    while (control.progress() == 0.0) std::this_thread::yield();
    control.cancel();
  });
  EXPECT_THROW(for (;;) call(control), Interrupted);
  user.join();
}

TYPED_TEST(SymmetricSpectra, OfOneMatrixAreLeftByAllThreadsWhenTheCallerLeaves) {
  const auto A = with_spectrum<TypeParam>(prescribed_spectra(700)[0].lambda);
  for (const int threads : {1, 2, 5}) {
    leave_amid([&](Control& control) {
      static_cast<void>(symmetric_spectra(one(A), Reduction::two_stage, threads, control));
    });
  }
}

TYPED_TEST(SymmetricSpectra, OfManySmallMatricesAreLeftWhenTheCallerLeaves) {
  const auto A = with_spectrum<TypeParam>(prescribed_spectra(60)[0].lambda);
  const MatrixBatch<TypeParam> same{A.data(), 2000, A.rows(), 0, A.input().row_stride, 1};
  for (const int threads : {1, 2, 5}) {
    leave_amid([&](Control& control) {
      static_cast<void>(symmetric_spectra(same, Reduction::automatic, threads, control));
    });
  }
}

}  // namespace
}  // namespace eigentropy::testing
