#include "cuda/operator/block_vectors.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "cuda/blas.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

// How many rows' products are summed in T: as many as on the host, so that rounding is the same.
constexpr index_t chunk_rows = 512;

// How many elements of the chunks' products are in memory at a time: 64 MB of float32. With fewer,
// fewer products would run at once.
constexpr index_t products_in_memory = index_t{1} << 24;

// The most chunks at a time: a grid has at most 65 535 blocks in one direction, and a copy of their
// rows in double, 80 columns wide, takes 168 MB.
constexpr index_t most_chunks = 512;

constexpr int threads = 256;
constexpr int warp = warp_size, warps = threads / warp;

template <class T>
index_t column_count(const Blocks<T>& V) {
  index_t count = 0;
  for (const auto& block : V) count += block.cols;
  return count;
}

template <class S, class T>
__global__ void convert(const T* from, index_t rows, index_t cols, index_t stride, S* to) {
  const index_t place = static_cast<index_t>(blockIdx.x) * threads + threadIdx.x;
  if (place < rows * cols) to[place] = static_cast<S>(from[place / cols * stride + place % cols]);
}

// sums_e <- sums_e + the sum of values[c * size + e] over chunks c. A block has 32 elements e; each
// of its eight warps adds every eighth chunk.
template <class S>
__global__ void add_chunks(const S* values, index_t chunks, index_t size, bool first,
                           double* sums) {
  __shared__ double of_warps[warps][warp];
  const auto lane = static_cast<int>(threadIdx.x) % warp;
  const auto own = static_cast<int>(threadIdx.x) / warp;
  const index_t element = static_cast<index_t>(blockIdx.x) * warp + lane;
  double sum = 0.0;
  if (element < size) {
    for (index_t c = own; c < chunks; c += warps) {
      sum += static_cast<double>(values[c * size + element]);
    }
  }
  of_warps[own][lane] = sum;
  __syncthreads();
  if (own > 0 || element >= size) return;
  double total = first ? 0.0 : sums[element];
  for (const auto& row : of_warps) total += row[lane];
  sums[element] = total;
}

// squares[chunk * cols + j] <- the sum of the squares of column j over the rows of a chunk.
template <class T>
__global__ void square_columns(const T* W, index_t rows, index_t cols, index_t stride,
                               double* squares) {
  __shared__ double of_warps[warps][warp];
  const auto lane = static_cast<int>(threadIdx.x) % warp;
  const auto own = static_cast<int>(threadIdx.x) / warp;
  const index_t col = static_cast<index_t>(blockIdx.y) * warp + lane;
  const index_t begin = static_cast<index_t>(blockIdx.x) * chunk_rows;
  const index_t end = begin + chunk_rows < rows ? begin + chunk_rows : rows;
  double sum = 0.0;
  if (col < cols) {
    for (index_t i = begin + own; i < end; i += warps) {
      const auto value = static_cast<double>(W[i * stride + col]);
      sum += value * value;
    }
  }
  of_warps[own][lane] = sum;
  __syncthreads();
  if (own > 0 || col >= cols) return;
  double total = 0.0;
  for (const auto& row : of_warps) total += row[lane];
  squares[blockIdx.x * cols + col] = total;
}

// Some rows of a block in precision S: a view of them, or a copy if their precision differs.
template <class S, class T>
MatrixView<const S> in_precision(const Queue& queue, MatrixView<const T> W, index_t begin,
                                 index_t rows, DeviceBuffer<S>& copy) {
  if constexpr (std::is_same_v<S, T>) {
    return {W.row(begin), rows, W.cols, W.stride};
  } else {
    if (copy.size() < rows * W.cols) copy = DeviceBuffer<S>(queue, rows * W.cols);
    launch(queue, convert<S, T>, blocks_for(rows * W.cols, threads), threads, 0, W.row(begin), rows,
           W.cols, W.stride, copy.data());
    return {copy.data(), rows, W.cols, W.cols};
  }
}

// products (chunks x size) <- V^T W over each chunk of the rows, from element `first` of each on.
template <class S>
void chunk_products(const BlasHandle& handle, MatrixView<const S> V, MatrixView<const S> W,
                    S* products, index_t size) {
  // Row-major: (V^T W)^T = W^T V.
  const auto multiply = [&](index_t chunk, index_t rows, index_t count) {
    const index_t begin = chunk * chunk_rows;
    const blas::Factor<S> w{W.row(begin), W.stride, chunk_rows * W.stride, CUBLAS_OP_N};
    const blas::Factor<S> v{V.row(begin), V.stride, chunk_rows * V.stride, CUBLAS_OP_T};
    blas::gemm(handle, W.cols, V.cols, rows, S(1), w, v, S(0),
               blas::Result<S>{products + chunk * size, W.cols, size}, count);
  };
  const index_t whole = W.rows / chunk_rows, rest = W.rows % chunk_rows;
  multiply(0, chunk_rows, whole);
  if (rest > 0) multiply(whole, rest, 1);
}

// V^T W, row-major, in device memory: products in S, chunks of rows added in double.
template <class S, class T>
DeviceBuffer<double> inner_in(const Queue& queue, const Blocks<T>& V, MatrixView<const T> W) {
  const index_t size = column_count(V) * W.cols;
  DeviceBuffer<double> sums(queue, size);
  if (size == 0) return sums;
  const index_t chunks = (W.rows + chunk_rows - 1) / chunk_rows;
  const index_t fitting = std::max<index_t>(1, products_in_memory / size);
  const index_t at_once = std::min({chunks, fitting, most_chunks});
  const DeviceBuffer<S> products(queue, at_once * size);
  DeviceBuffer<S> v_copy, w_copy;
  const BlasHandle handle(queue);
  for (index_t first = 0; first < chunks; first += at_once) {
    const index_t count = std::min(at_once, chunks - first), begin = first * chunk_rows;
    const index_t rows = std::min(count * chunk_rows, W.rows - begin);
    const auto w = in_precision<S, T>(queue, W, begin, rows, w_copy);
    S* out = products.data();
    for (const auto& block : V) {
      const bool itself = block.data == W.data && block.cols == W.cols && block.stride == W.stride;
      const auto v = itself ? w : in_precision<S, T>(queue, block, begin, rows, v_copy);
      chunk_products<S>(handle, v, w, out, size);
      out += block.cols * W.cols;
    }
    launch(queue, add_chunks<S>, blocks_for(size, warp), threads, 0, products.data(), count, size,
           first == 0, sums.data());
  }
  return sums;
}

// out <- beta out + alpha V C, C in device memory.
template <class T>
void add_combination(const Queue& queue, const Blocks<T>& V, T alpha, const T* C, T beta,
                     MatrixView<T> out) {
  const BlasHandle handle(queue);
  for (const auto& block : V) {
    if (block.cols == 0) continue;
    const blas::Factor<T> c{C, out.cols, 0, CUBLAS_OP_N};
    const blas::Factor<T> v{block.data, block.stride, 0, CUBLAS_OP_N};
    blas::gemm(handle, out.cols, out.rows, block.cols, alpha, c, v, beta,
               blas::Result<T>{out.data, out.stride, 0});
    C += block.cols * out.cols;
    beta = 1;
  }
}

}  // namespace

template <class T>
Buffer<double> inner(const Queue& queue, const Blocks<T>& V, MatrixView<const T> W) {
  const Range range("inner");
  const auto sums = inner_in<T>(queue, V, W);
  return to_host(queue, sums.data(), sums.size());
}

template <class T>
Buffer<double> gram(const Queue& queue, MatrixView<const T> W) {
  const Range range("gram");
  const auto sums = inner_in<double>(queue, Blocks<T>{W}, W);
  return to_host(queue, sums.data(), sums.size());
}

template <class T>
void project_out(const Queue& queue, const Blocks<T>& V, MatrixView<T> W) {
  const Range range("project_out");
  const MatrixView<const T> w{W.data, W.rows, W.cols, W.stride};
  const auto products = inner_in<T>(queue, V, w);
  if (products.size() == 0) return;
  DeviceBuffer<T> copy;
  const auto C = in_precision<T, double>(
      queue, MatrixView<const double>{products.data(), 1, products.size(), products.size()}, 0, 1,
      copy);
  add_combination(queue, V, T(-1), C.data, T(1), W);
}

template <class T>
void combine(const Queue& queue, const Blocks<T>& V, const T* C, MatrixView<T> out) {
  const Range range("combine");
  const index_t columns = column_count(V);
  if (out.cols == 0 || out.rows == 0) return;
  if (columns == 0) {
    check(cudaMemset2DAsync(out.data, static_cast<std::size_t>(out.stride) * sizeof(T), 0,
                            static_cast<std::size_t>(out.cols) * sizeof(T),
                            static_cast<std::size_t>(out.rows), queue.stream()),
          "cudaMemset2DAsync");
    return;
  }
  const auto coefficients = to_device(queue, C, columns * out.cols);
  add_combination(queue, V, T(1), coefficients.data(), T(0), out);
}

template <class T>
double largest_column(const Queue& queue, MatrixView<const T> W) {
  const Range range("largest_column");
  if (W.rows == 0 || W.cols == 0) return 0.0;
  const unsigned chunks = blocks_for(W.rows, chunk_rows);
  const DeviceBuffer<double> squares(queue, chunks * W.cols), sums(queue, W.cols);
  launch(queue, square_columns<T>, dim3(chunks, blocks_for(W.cols, warp)), threads, 0, W.data,
         W.rows, W.cols, W.stride, squares.data());
  launch(queue, add_chunks<double>, blocks_for(W.cols, warp), threads, 0, squares.data(), chunks,
         W.cols, true, sums.data());
  double largest = 0.0;
  for (const double square : to_host(queue, sums.data(), W.cols)) {
    if (std::isnan(square)) return square;
    largest = std::max(largest, square);
  }
  return std::sqrt(largest);
}

#define EIGENTROPY_INSTANTIATE(T)                                                     \
  template Buffer<double> inner(const Queue&, const Blocks<T>&, MatrixView<const T>); \
  template Buffer<double> gram(const Queue&, MatrixView<const T>);                    \
  template void project_out(const Queue&, const Blocks<T>&, MatrixView<T>);           \
  template void combine(const Queue&, const Blocks<T>&, const T*, MatrixView<T>);     \
  template double largest_column(const Queue&, MatrixView<const T>);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
