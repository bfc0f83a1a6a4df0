// Matrices whose answer is known, and plain oracles for the others. Slow and obviously right: no
// BLAS, no tiles, no threads; long double where it costs nothing.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/buffer.hpp"
#include "base/tiles.hpp"
#include "base/views.hpp"
#include "cpu/kernel/gaussian_kernel.hpp"
#include "cpu/rows/distances.hpp"

namespace eigentropy::testing {

// Typed tests run in both precisions, under these names.
using Precisions = ::testing::Types<double, float>;
struct PrecisionName {
  template <class T>
  static std::string GetName(int) {
    return sizeof(T) == sizeof(double) ? "double" : "float";
  }
};

// 1, 2, 3, a prime, and both sides of a tile's edge.
inline const std::vector<index_t> sizes{1, 2, 3, 61, tile_size - 1, tile_size, tile_size + 1, 523};

// Row-major, with room between the rows if asked for.
template <class T>
class Matrix {
 public:
  Matrix(index_t rows, index_t cols, T value = 0) : Matrix(rows, cols, cols, value) {}
  Matrix(index_t rows, index_t cols, index_t stride, T value)
      : rows_(rows), cols_(cols), stride_(stride) {
    data_.assign(static_cast<std::size_t>(rows * stride), value);
  }

  index_t rows() const { return rows_; }
  index_t cols() const { return cols_; }
  T& operator()(index_t i, index_t j) { return data_[static_cast<std::size_t>(i * stride_ + j)]; }
  T operator()(index_t i, index_t j) const {
    return data_[static_cast<std::size_t>(i * stride_ + j)];
  }
  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  std::size_t size() const { return data_.size(); }
  auto begin() const { return data_.begin(); }
  auto end() const { return data_.end(); }

  // What is computed from a view reads the matrix again and again: it must outlive that.
  InputView<T> input() const& { return {data(), rows_, cols_, stride_, 1}; }
  InputView<T> input() const&& = delete;
  MatrixView<T> view() { return {data(), rows_, cols_, stride_}; }
  MatrixView<const T> const_view() const { return {data(), rows_, cols_, stride_}; }
  SymmetricView<T> symmetric() { return {data(), rows_, stride_}; }

 private:
  index_t rows_, cols_, stride_;
  std::vector<T> data_;
};

template <class T>
Matrix<T> gaussian_rows(index_t n, index_t d, unsigned seed, double scale = 1.0) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  Matrix<T> Z(n, d);
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = 0; j < d; ++j) Z(i, j) = static_cast<T>(scale * normal(generator));
  }
  return Z;
}

// Gaussian rows around k centres on the first axis, `apart` from each other.
template <class T>
Matrix<T> clusters(index_t n, index_t d, index_t k, double apart, unsigned seed) {
  Matrix<T> Z = gaussian_rows<T>(n, d, seed);
  for (index_t i = 0; i < n; ++i) {
    Z(i, 0) = static_cast<T>(static_cast<double>(Z(i, 0)) + static_cast<double>(i % k) * apart);
  }
  return Z;
}

template <class T>
double exact_squared_distance(const Matrix<T>& Z, index_t i, index_t j) {
  long double sum = 0;
  for (index_t k = 0; k < Z.cols(); ++k) {
    const long double difference =
        static_cast<long double>(Z(i, k)) - static_cast<long double>(Z(j, k));
    sum += difference * difference;
  }
  return static_cast<double>(sum);
}

// Centred rows that outlive the matrix.
template <class T>
CenteredRows<T> centered(const Matrix<T>& Z) {
  return in_memory(center_rows<T, T>(Z.input(), 2), 2);
}

// The rows as the core sees them, centred and scaled: what a float holds of a double.
template <class T>
Matrix<T> rows_of(const CenteredRows<T>& X) {
  Matrix<T> Z(X.n, X.d);
  const auto copied = in_memory(X, 2);
  std::copy(copied.copy->begin(), copied.copy->end(), Z.data());
  return Z;
}

// G and A by their formulas, in double.
struct Oracle {
  Matrix<double> G, A;
  std::vector<double> q, d;
  double trace = 0.0, frobenius2 = 0.0;

  template <class T>
  Oracle(const Matrix<T>& Z, double sigma, double alpha)
      : G(Z.rows(), Z.rows()), A(Z.rows(), Z.rows()) {
    const index_t n = Z.rows();
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j <= i; ++j) {
        const double r = std::sqrt(exact_squared_distance(Z, i, j)) / sigma;
        G(i, j) = G(j, i) = i == j ? 1.0 : std::exp(-0.5 * r * r);
      }
    }
    q = row_sums(G);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < n; ++j) A(i, j) = G(i, j) * std::pow(at(q, i) * at(q, j), -alpha);
    }
    d = row_sums(A);
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < n; ++j) {
        A(i, j) /= std::sqrt(at(d, i) * at(d, j));
        frobenius2 += A(i, j) * A(i, j);
      }
      trace += A(i, i);
    }
  }

  static double at(const std::vector<double>& values, index_t i) {
    return values[static_cast<std::size_t>(i)];
  }
  static std::vector<double> row_sums(const Matrix<double>& M) {
    std::vector<double> sums;
    for (index_t i = 0; i < M.rows(); ++i) {
      double sum = 0.0;
      for (index_t j = 0; j < M.cols(); ++j) sum += M(i, j);
      sums.push_back(sum);
    }
    return sums;
  }
};

// The upper triangle, row by row, of a matrix of which only that is meant to hold values.
template <class T, class MatrixLike>
std::vector<T> upper_triangle(const MatrixLike& A, index_t n) {
  std::vector<T> values;
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) values.push_back(static_cast<T>(A(i, j)));
  }
  return values;
}

// Q diag(lambda) Q^T for a Q that is the product of three Householder reflections, rounded to T.
// Nothing is below the diagonal but NaN, which nobody may read.
template <class T>
Matrix<T> with_spectrum(const std::vector<double>& lambda, index_t extra_stride = 0) {
  const auto n = static_cast<index_t>(lambda.size());
  Matrix<double> A(n, n);
  for (index_t i = 0; i < n; ++i) A(i, i) = lambda[static_cast<std::size_t>(i)];
  std::mt19937_64 generator(7);
  std::normal_distribution<double> normal;
  std::vector<double> v(lambda.size()), p(lambda.size());
  for (int reflection = 0; reflection < 3; ++reflection) {
    double norm2 = 0.0;
    for (double& x : v) {
      x = normal(generator);
      norm2 += x * x;
    }
    // H = I - 2 v v^T with |v| = 1:  H A H = A - v p^T - p v^T,  p = 2 A v - 2 (v^T A v) v
    double vAv = 0.0;
    for (double& x : v) x /= std::sqrt(norm2);
    for (index_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (index_t j = 0; j < n; ++j) sum += A(i, j) * v[static_cast<std::size_t>(j)];
      p[static_cast<std::size_t>(i)] = 2.0 * sum;
      vAv += sum * v[static_cast<std::size_t>(i)];
    }
    for (std::size_t i = 0; i < v.size(); ++i) p[i] -= 2.0 * vAv * v[i];
    for (index_t i = 0; i < n; ++i) {
      const auto r = static_cast<std::size_t>(i);
      for (index_t j = 0; j < n; ++j) {
        const auto c = static_cast<std::size_t>(j);
        A(i, j) -= v[r] * p[c] + p[r] * v[c];
      }
    }
  }
  Matrix<T> rounded(n, n, n + extra_stride, std::numeric_limits<T>::quiet_NaN());
  for (index_t i = 0; i < n; ++i) {
    for (index_t j = i; j < n; ++j) rounded(i, j) = static_cast<T>(A(i, j));
  }
  return rounded;
}

// Spectra that stress an eigenvalue solver, in [0, 1] and not sorted.
struct NamedSpectrum {
  std::string name;
  std::vector<double> lambda;
};
inline std::vector<NamedSpectrum> prescribed_spectra(index_t n) {
  const auto make = [n](const std::string& name, auto value) {
    NamedSpectrum spectrum{name, {}};
    for (index_t i = 0; i < n; ++i) spectrum.lambda.push_back(value(static_cast<double>(i)));
    return spectrum;
  };
  const auto size = static_cast<double>(n);
  return {make("uniform", [&](double i) { return (i + 1.0) / size; }),
          make("geometric", [](double i) { return std::pow(0.9, i); }),
          make("clustered", [&](double i) { return i < size / 2 ? 1.0 - 1e-14 * i : 1e-14 * i; }),
          make("rank deficient", [](double i) { return i < 3.0 ? 1.0 / (i + 1.0) : 0.0; }),
          make("identity", [](double) { return 1.0; })};
}

inline std::vector<double> sorted(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values;
}

template <class T>
std::vector<double> as_doubles(const Buffer<T>& buffer) {
  return {buffer.begin(), buffer.end()};
}

}  // namespace eigentropy::testing
