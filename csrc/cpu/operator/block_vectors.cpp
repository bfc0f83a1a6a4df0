#include "cpu/operator/block_vectors.hpp"

#include <algorithm>
#include <type_traits>

#include "base/threads.hpp"
#include "cpu/blas.hpp"
#include "cpu/blas_threads.hpp"

namespace eigentropy {
namespace {

// A chunk of 32 columns of float64 is 128 KiB: two of them stay in a core's second-level cache.
constexpr index_t chunk_rows = 512;

// The rows are cut into this many parts, each with sums of its own. A sum has an entry for each
// vector of the basis, so more parts would take more memory; fewer parts would keep fewer threads
// busy.
constexpr index_t most_parts = 64;

struct Rows {
  index_t begin, end;
  index_t count() const { return end - begin; }
};

index_t chunk_count(index_t n) { return (n + chunk_rows - 1) / chunk_rows; }

Rows chunk(index_t n, index_t number) {
  return {number * chunk_rows, std::min(n, (number + 1) * chunk_rows)};
}

template <class T>
index_t column_count(const Blocks<T>& V) {
  index_t count = 0;
  for (const auto& block : V) count += block.cols;
  return count;
}

// Some rows in precision S: a view of them, or a copy if their precision differs.
template <class S, class T>
const S* in_precision(MatrixView<const T> W, Rows rows, Buffer<S>& copy) {
  if constexpr (std::is_same_v<S, T>) {
    return W.row(rows.begin);
  } else {
    if (copy.size() < rows.count() * W.cols) copy = Buffer<S>(chunk_rows * W.cols);
    std::copy(W.row(rows.begin), W.row(rows.end), copy.begin());
    return copy.data();
  }
}

// V^T W over some rows: products in S, each chunk of them added to `sums`.
template <class S, class T>
void add_inner(const Blocks<T>& V, MatrixView<const T> W, Rows chunks, double* sums) {
  const int m = blas::to_blas(W.cols);
  Buffer<S> product(column_count(V) * W.cols), v_copy, w_copy;
  for (index_t number = chunks.begin; number < chunks.end; ++number) {
    const Rows rows = chunk(W.rows, number);
    const S* const w = in_precision(W, rows, w_copy);
    S* out = product.data();
    for (const auto& block : V) {
      if (block.cols == 0) continue;
      // BLAS is column-major and sees the transposes: (V^T W)^T = W^T V.
      const int k = blas::to_blas(block.cols);
      blas::gemm('N', 'T', m, k, blas::to_blas(rows.count()), S(1), w, m,
                 in_precision(block, rows, v_copy), k, S(0), out, m);
      out += block.cols * W.cols;
    }
    for (index_t i = 0; i < product.size(); ++i) sums[i] += static_cast<double>(product[i]);
  }
}

template <class S, class T>
Buffer<double> inner_in(const Blocks<T>& V, MatrixView<const T> W, int threads) {
  const index_t size = column_count(V) * W.cols;
  const index_t chunks = chunk_count(W.rows), parts = std::min(chunks, most_parts);
  Buffer<double> total(size), sums(parts * size);
  std::fill(total.begin(), total.end(), 0.0);
  std::fill(sums.begin(), sums.end(), 0.0);
  if (size == 0) return total;
  const SingleThreadedBlas one_thread;
  parallel_for(parts, threads, [&](index_t part, int) {
    const Rows of_part{chunks * part / parts, chunks * (part + 1) / parts};
    add_inner<S>(V, W, of_part, sums.data() + part * size);
  });
  for (index_t part = 0; part < parts; ++part) {
    for (index_t i = 0; i < size; ++i) total[i] += sums[part * size + i];
  }
  return total;
}

// out <- out + factor V C
template <class T>
void add_combination(const Blocks<T>& V, const T* C, T factor, MatrixView<T> out, int threads) {
  if (out.cols == 0) return;
  const int m = blas::to_blas(out.cols);
  const SingleThreadedBlas one_thread;
  parallel_for(chunk_count(out.rows), threads, [&](index_t number, int) {
    const Rows rows = chunk(out.rows, number);
    const T* coefficients = C;
    for (const auto& block : V) {
      if (block.cols == 0) continue;
      const int k = blas::to_blas(block.cols);
      blas::gemm('N', 'N', m, blas::to_blas(rows.count()), k, factor, coefficients, m,
                 block.row(rows.begin), k, T(1), out.row(rows.begin), m);
      coefficients += block.cols * out.cols;
    }
  });
}

}  // namespace

template <class T>
Buffer<double> inner(const Blocks<T>& V, MatrixView<const T> W, int threads) {
  return inner_in<T>(V, W, threads);
}

template <class T>
Buffer<double> gram(MatrixView<const T> W, int threads) {
  return inner_in<double>(Blocks<T>{W}, W, threads);
}

template <class T>
void project_out(const Blocks<T>& V, MatrixView<T> W, int threads) {
  const Buffer<double> products =
      inner_in<T>(V, MatrixView<const T>{W.data, W.rows, W.cols, W.stride}, threads);
  Buffer<T> C(products.size());
  std::transform(products.begin(), products.end(), C.begin(),
                 [](double value) { return static_cast<T>(value); });
  add_combination(V, C.data(), T(-1), W, threads);
}

template <class T>
void combine(const Blocks<T>& V, const T* C, MatrixView<T> out, int threads) {
  std::fill(out.row(0), out.row(out.rows), T(0));
  add_combination(V, C, T(1), out, threads);
}

#define EIGENTROPY_INSTANTIATE(T)                                            \
  template Buffer<double> inner(const Blocks<T>&, MatrixView<const T>, int); \
  template Buffer<double> gram(MatrixView<const T>, int);                    \
  template void project_out(const Blocks<T>&, MatrixView<T>, int);           \
  template void combine(const Blocks<T>&, const T*, MatrixView<T>, int);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy
