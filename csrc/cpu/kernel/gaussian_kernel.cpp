#include "cpu/kernel/gaussian_kernel.hpp"

#include <algorithm>
#include <cmath>

#include "base/gaussian.hpp"
#include "base/threads.hpp"
#include "base/tiles.hpp"
#include "cpu/blas_threads.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/simd/tile_kernels.hpp"

namespace eigentropy {
namespace {

Buffer<double> copy(const Buffer<double>& values) {
  Buffer<double> copied(values.size());
  std::copy(values.begin(), values.end(), copied.begin());
  return copied;
}

template <class T>
Buffer<double> totals(const RowSums<T>& sums, index_t n) {
  Buffer<double> q(n);
  for (index_t i = 0; i < n; ++i) q[i] = sums.total(i);
  return q;
}

// d_i = w_i sum_j G_ij w_j with w = q^-alpha: the row sums of K without forming it.
template <class T>
Buffer<double> degrees_of_kernel(SymmetricView<T> G, const Buffer<T>& w, int threads) {
  const auto& kernels = simd::tile_kernels<T>();
  RowSums<T> sums(G.n);
  for_each_upper_tile(G.n, threads, [&](const Tile& tile, index_t) {
    kernels.weighted_sums(G.row(tile.row) + tile.col, tile.rows, tile.cols, G.stride,
                          w.data() + tile.row, w.data() + tile.col, sums.of_rows(tile),
                          tile.diagonal() ? nullptr : sums.of_cols(tile));
  });
  Buffer<double> d = totals(sums, G.n);
  for (index_t i = 0; i < G.n; ++i) d[i] *= static_cast<double>(w[i]);
  return d;
}

// A_ij <- s_i s_j A_ij. Returns |A|_F^2, in which off-diagonal tiles count twice.
template <class T>
double conjugate(SymmetricView<T> A, const Buffer<T>& s, int threads) {
  const auto& kernels = simd::tile_kernels<T>();
  Buffer<double> squares(upper_tile_count(A.n));
  for_each_upper_tile(A.n, threads, [&](const Tile& tile, index_t index) {
    const double sum = kernels.conjugate(A.row(tile.row) + tile.col, tile.rows, tile.cols, A.stride,
                                         s.data() + tile.row, s.data() + tile.col);
    squares[index] = tile.diagonal() ? sum : 2.0 * sum;
  });
  double total = 0.0;
  for (const double square : squares) total += square;
  return total;
}

// Turns the squared distances of a tile, which begins at g, into G, and sums its rows.
template <class T>
void finish_tile(const Tile& tile, T* g, index_t stride, T scale, const RowSums<T>& sums) {
  if (tile.diagonal()) {
    for (index_t i = 0; i < tile.rows; ++i) g[i * stride + i] = 0;  // G_ii = 1 exactly
  }
  simd::tile_kernels<T>().gaussian(g, tile.rows, tile.cols, stride, scale, sums.of_rows(tile),
                                   tile.diagonal() ? nullptr : sums.of_cols(tile));
}

template <class T>
Refinement refinement_for(const ColumnBlock<T>& block, T scale) {
  return refinement_of_kernel<T>(cancellation_error(block.source(), block.max_norm()),
                                 static_cast<double>(scale));
}

}  // namespace

template <class T>
Buffer<double> gaussian_kernel(const CenteredRows<T>& X, double sigma, SymmetricView<T> G,
                               int threads, Stage& stage, double* largest_norm) {
  const T scale = exponent_scale(X, sigma);
  const SingleThreadedBlas one_thread;
  RowSums<T> sums(X.n);
  for_each_column_block(X, threads, stage.control(), [&](const ColumnBlock<T>& block) {
    const Refinement refinement = refinement_for(block, scale);
    if (largest_norm != nullptr) *largest_norm = std::sqrt(static_cast<double>(block.max_norm()));
    for_each_upper_tile(X.n, threads, [&](const Tile& tile, index_t) {
      T* g = G.row(tile.row) + tile.col;
      squared_distance_tile(block, tile, refinement, g, G.stride);
      if (block.last()) finish_tile(tile, g, G.stride, scale, sums);
      stage.finish_task();
    });
  });
  return totals(sums, X.n);
}

template <class T>
Buffer<double> gaussian_kernel_of_distances(const ColumnBlock<T>& block, double sigma,
                                            SymmetricView<T> G, int threads, Stage& stage) {
  const T scale = exponent_scale(block.source(), sigma);
  const Refinement refinement = refinement_for(block, scale);
  const SingleThreadedBlas one_thread;
  RowSums<T> sums(G.n);
  for_each_upper_tile(G.n, threads, [&](const Tile& tile, index_t) {
    T* g = G.row(tile.row) + tile.col;
    refine_tile(block, tile, refinement, g, G.stride);
    finish_tile(tile, g, G.stride, scale, sums);
    stage.finish_task();
  });
  return totals(sums, G.n);
}

template <class T>
void gaussian_kernel_rows(const CenteredRows<T>& X, double sigma, const index_t* chosen,
                          index_t count, MatrixView<T> G, int threads, Control& control,
                          const std::function<void(Columns)>& finish) {
  const auto& kernels = simd::tile_kernels<T>();
  const T scale = exponent_scale(X, sigma);
  squared_distances_from(X, chosen, count, G, threads, control, [&](Columns columns) {
    const Buffer<T> unused_sums(count);
    kernels.gaussian(G.data + columns.begin, count, columns.count(), G.stride, scale,
                     unused_sums.data(), nullptr);
    finish(columns);
  });
}

template <class T>
DiffusionScaling diffusion_operator(SymmetricView<T> G, const Buffer<double>& q, double alpha,
                                    int threads) {
  const double q_ref = *std::min_element(q.begin(), q.end());
  const Buffer<T> w = density_weights<T>(q, q_ref, alpha);
  Buffer<double> d = alpha == 0.0 ? copy(q) : degrees_of_kernel(G, w, threads);

  // A = diag(s) G diag(s) with s_i = w_i / sqrt(d_i). d_i >= w_i^2 > 0 because G_ii = 1, even for a
  // point that is far from all others.
  Buffer<T> s(G.n);
  double trace = 0.0;
  for (index_t i = 0; i < G.n; ++i) {
    s[i] = static_cast<T>(static_cast<double>(w[i]) / std::sqrt(d[i]));
    trace += static_cast<double>(s[i]) * static_cast<double>(s[i]);
  }
  const double squares = conjugate(G, s, threads);
  const double unit = std::pow(q_ref, -2.0 * alpha);
  for (double& degree : d) degree *= unit;
  return {trace, squares, std::move(d)};
}

template <class T>
double frobenius2(SymmetricView<T> A, int threads) {
  Buffer<double> squares(upper_tile_count(A.n));
  for_each_upper_tile(A.n, threads, [&](const Tile& tile, index_t index) {
    double sum = 0.0;
    for (index_t i = 0; i < tile.rows; ++i) {
      const T* row = A.row(tile.row + i) + tile.col;
      for (index_t j = tile.diagonal() ? i : 0; j < tile.cols; ++j) {
        const double square = static_cast<double>(row[j]) * static_cast<double>(row[j]);
        sum += tile.diagonal() && i == j ? square : 2.0 * square;
      }
    }
    squares[index] = sum;
  });
  double total = 0.0;
  for (const double square : squares) total += square;
  return total;
}

template <class T>
void remove_trivial_pair(SymmetricView<T> A, const Buffer<double>& degrees, int threads) {
  double volume = 0.0;
  for (const double degree : degrees) volume += degree;
  Buffer<T> v(A.n);
  for (index_t i = 0; i < A.n; ++i) v[i] = static_cast<T>(std::sqrt(degrees[i] / volume));
  for_each_upper_tile(A.n, threads, [&](const Tile& tile, index_t) {
    for (index_t i = tile.row; i < tile.row + tile.rows; ++i) {
      for (index_t j = tile.col; j < tile.col + tile.cols; ++j) A.row(i)[j] -= v[i] * v[j];
    }
  });
}

template <class T>
void mirror(SymmetricView<T> A, int threads) {
  for_each_upper_tile(A.n, threads, [&](const Tile& tile, index_t) {
    for (index_t i = 0; i < tile.rows; ++i) {
      const T* row = A.row(tile.row + i) + tile.col;
      for (index_t j = tile.diagonal() ? i + 1 : 0; j < tile.cols; ++j) {
        A.row(tile.col + j)[tile.row + i] = row[j];
      }
    }
  });
}

#define EIGENTROPY_INSTANTIATE(T)                                                                \
  template Buffer<double> gaussian_kernel(const CenteredRows<T>&, double, SymmetricView<T>, int, \
                                          Stage&, double*);                                      \
  template Buffer<double> gaussian_kernel_of_distances(const ColumnBlock<T>&, double,            \
                                                       SymmetricView<T>, int, Stage&);           \
  template void gaussian_kernel_rows(const CenteredRows<T>&, double, const index_t*, index_t,    \
                                     MatrixView<T>, int, Control&,                               \
                                     const std::function<void(Columns)>&);                       \
  template DiffusionScaling diffusion_operator(SymmetricView<T>, const Buffer<double>&, double,  \
                                               int);                                             \
  template double frobenius2(SymmetricView<T>, int);                                             \
  template void remove_trivial_pair(SymmetricView<T>, const Buffer<double>&, int);               \
  template void mirror(SymmetricView<T>, int);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
