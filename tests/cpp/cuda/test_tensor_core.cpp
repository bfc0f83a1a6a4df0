// What a warp does on the emulated device's tensor cores is a product of matrices.
#include "cuda/kernel/tensor_core.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "checkers.hpp"
#include "matrices.hpp"

namespace eigentropy::cuda {
namespace {

using testing::Matrix;

// D += A B, with the fragments put together and taken apart as PTX lays them out, and the
// instruction alone, or 3xTF32.
__global__ void multiply(const float* A, const float* B, float* D, bool alone) {
  const TensorCore::Lane lane;
  TensorCore::A a;
  TensorCore::B b;
  float plain_a[4], plain_b[2], d[4];
  for (int r = 0; r < 4; ++r) {
    plain_a[r] = A[(lane.group + r % 2 * 8) * 8 + lane.member + r / 2 * 4];
    TensorCore::set(a, r, plain_a[r]);
    d[r] = D[lane.row_of(r) * 8 + lane.col_of(r)];
  }
  for (int r = 0; r < 2; ++r) {
    plain_b[r] = B[(lane.member + r * 4) * 8 + lane.group];
    TensorCore::set(b, r, plain_b[r]);
  }
  if (alone) {
    TensorCore::add_tf32_product(plain_a, plain_b, d);
  } else {
    TensorCore::add_product(a, b, d);
  }
  for (int r = 0; r < 4; ++r) D[lane.row_of(r) * 8 + lane.col_of(r)] = d[r];
}

Matrix<float> product(const Matrix<float>& A, const Matrix<float>& B, Matrix<float> D, bool alone) {
  const Queue queue(0, nullptr);
  const auto a = to_device(queue, A.data(), 128), b = to_device(queue, B.data(), 64),
             d = to_device(queue, D.data(), 128);
  launch(queue, multiply, 1, 32, 0, a.data(), b.data(), d.data(), alone);
  const auto values = to_host(queue, d.data(), 128);
  std::copy(values.begin(), values.end(), D.data());
  return D;
}

Matrix<double> exact(const Matrix<float>& A, const Matrix<float>& B, const Matrix<float>& D) {
  Matrix<double> sum(16, 8);
  for (index_t i = 0; i < 16; ++i) {
    for (index_t j = 0; j < 8; ++j) {
      sum(i, j) = static_cast<double>(D(i, j));
      for (index_t k = 0; k < 8; ++k) {
        sum(i, j) += static_cast<double>(A(i, k)) * static_cast<double>(B(k, j));
      }
    }
  }
  return sum;
}

double largest_error(const Matrix<float>& actual, const Matrix<double>& expected) {
  double largest = 0.0;
  for (index_t i = 0; i < 16; ++i) {
    for (index_t j = 0; j < 8; ++j) {
      largest = std::max(largest, std::abs(static_cast<double>(actual(i, j)) - expected(i, j)));
    }
  }
  return largest;
}

TEST(TensorCore, MultipliesIntegersExactly) {
  Matrix<float> A(16, 8), B(8, 8), D(16, 8);
  for (index_t i = 0; i < 16; ++i) {
    for (index_t k = 0; k < 8; ++k) {
      A(i, k) = static_cast<float>(17 * i + 3 * k - 40);
      D(i, k) = static_cast<float>(1000 * i + k);
      B(k, i % 8) = static_cast<float>(31 * (i % 8) - 13 * k);
    }
  }
  for (const bool alone : {true, false}) {
    EXPECT_EQ(largest_error(product(A, B, D, alone), exact(A, B, D)), 0.0);
  }
}

TEST(TensorCore, AloneIsWrongByTheRoundingOfTf32AndSplitByThatOfFloats) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const auto A = testing::gaussian_rows<float>(16, 8, 3 * seed);
    const auto B = testing::gaussian_rows<float>(8, 8, 3 * seed + 1);
    const auto D = testing::gaussian_rows<float>(16, 8, 3 * seed + 2);
    const auto expected = exact(A, B, D);
    EXPECT_GT(largest_error(product(A, B, D, true), expected), 1e-4);
    EXPECT_LT(largest_error(product(A, B, D, false), expected), 5e-6);
  }
}

// Rounded to nearest they would be off by half as much, and in both directions.
TEST(TensorCore, CutsOffWhatDoesNotFit) {
  Matrix<float> A(16, 8, 0.0F), B(8, 8, 0.0F);
  const Matrix<float> D(16, 8, 1.0F);
  A(3, 2) = 1.0F;
  B(2, 5) = 1.75F * std::ldexp(1.0F, -24);  // 7/8 of what comes after 1
  EXPECT_EQ(product(A, B, D, true)(3, 5), 1.0F);
  B(2, 5) = std::ldexp(1.0F, -23);
  EXPECT_EQ(product(A, B, D, true)(3, 5), 1.0F + std::ldexp(1.0F, -23));
}

TEST(SplitFloat, HasTwoPartsOfTf32AndHardlyARest) {
  const auto numbers = testing::gaussian_rows<float>(1000, 3, 1);
  double largest = 0.0;
  for (const float x : numbers) {
    const SplitFloat split(x);
    for (const float part : {split.big, split.small}) {
      EXPECT_EQ(__float_as_uint(part) & 0x1fffU, 0U);
    }
    EXPECT_LE(std::abs(split.small), std::ldexp(std::abs(split.big), -10));
    const double sum = static_cast<double>(split.big) + static_cast<double>(split.small);
    largest = std::max(largest, std::abs(sum / static_cast<double>(x) - 1.0));
  }
  EXPECT_GT(largest, 0.0);
  EXPECT_LE(largest, std::ldexp(1.0, -23));
}

}  // namespace
}  // namespace eigentropy::cuda
