#include "cuda/kernel/gaussian_kernel.hpp"

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/gaussian.hpp"
#include "cuda/kernel/problems.hpp"
#include "cuda/kernel/product_tile.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

// The arguments of a pass over the tiles of all problems.
template <class T>
struct TilePass {
  const Problem<T>* problems;
  index_t count;
  const T* x;
  const T* norms;
  index_t d;
  T scale;
  double below;         // squared distances below this are computed from differences
  unsigned char* near;  // for each tile, whether it has such distances
  double* slots;
};

// A tile on or above the diagonal. Columns of tiles are numbered one after the other.
struct TilePlace {
  index_t block_row, block_col;
  __device__ bool diagonal() const { return block_row == block_col; }
};
__device__ TilePlace place_of(index_t number) {
  auto col = static_cast<index_t>((sqrt(8.0 * static_cast<double>(number) + 1.0) - 1.0) / 2.0);
  while (col * (col + 1) / 2 > number) --col;
  while ((col + 1) * (col + 2) / 2 <= number) ++col;
  return {number - col * (col + 1) / 2, col};
}

// The tile's rows and columns.
template <class T>
struct TileRows {
  const T *rows[tile_order], *cols[tile_order];
  T row_norms[tile_order], col_norms[tile_order];
};

template <class T>
__device__ void find_rows(const TilePass<T>& pass, const Problem<T>& problem, TilePlace place,
                          TileRows<T>& tile) {
  const auto thread = static_cast<int>(threadIdx.x);
  const bool is_row = thread < tile_order;
  const int r = thread % tile_order;
  const index_t i = (is_row ? place.block_row : place.block_col) * tile_order + r;
  const bool there = i < problem.n;
  const index_t row = there && problem.rows != nullptr ? problem.rows[i] : i;
  (is_row ? tile.rows : tile.cols)[r] = there ? pass.x + row * pass.d : nullptr;
  (is_row ? tile.row_norms : tile.col_norms)[r] = there ? pass.norms[row] : T(0);
}

// |x|^2 + |y|^2 - 2 x.y, or the sum of squared differences.
template <class T, class Term, class Sum>
__device__ T squared_distance(const TileRows<T>& tile, int row, int col, Sum sum) {
  if constexpr (std::is_same_v<Term, SquaredDifference>) return static_cast<T>(sum);
  const T r2 = (tile.row_norms[row] + tile.col_norms[col]) - T(2) * static_cast<T>(sum);
  return r2 > T(0) ? r2 : T(0);
}

// Half of the threads sum over the tile's columns, the other half over its rows. Eight numbers at a
// time are added in T, and these sums in float64, which has a 64th of the speed on many GPUs.
template <class T>
__device__ void write_sums(const SharedTile<T>& tile, const Problem<T>& problem, TilePlace place,
                           double* slots) {
  const auto thread = static_cast<int>(threadIdx.x);
  const bool of_row = thread < tile_order;
  const int r = thread % tile_order;
  const index_t i = (of_row ? place.block_row : place.block_col) * tile_order + r;
  if (i >= problem.n || (!of_row && place.diagonal())) return;
  double sum = 0.0;
  for (int begin = 0; begin < tile_order; begin += 8) {
    T part = 0;
    for (int k = begin; k < begin + 8; ++k)
      part += of_row ? tile.entries[r][k] : tile.entries[k][r];
    sum += static_cast<double>(part);
  }
  const index_t across = of_row ? place.block_col : place.block_row;
  slots[problem.first_slot + across * problem.n + i] = sum;
}

// Writes the tile to both triangles; neighbouring threads write to neighbouring columns.
template <class T>
__device__ void write_tile(const SharedTile<T>& tile, const Problem<T>& problem, TilePlace place) {
  const index_t row = place.block_row * tile_order, col = place.block_col * tile_order;
  for (int e = static_cast<int>(threadIdx.x); e < tile_order * tile_order; e += tile_threads) {
    const int i = e / tile_order, j = e % tile_order;
    if (row + i < problem.n && col + j < problem.n) {
      problem.entries[(row + i) * problem.stride + col + j] = tile.entries[i][j];
    }
    if (!place.diagonal() && col + i < problem.n && row + j < problem.n) {
      problem.entries[(col + i) * problem.stride + row + j] = tile.entries[j][i];
    }
  }
}

// Computes G of one tile from products. Tiles with near pairs are computed from differences in a
// second pass. Differences of floats are summed in float64, because sums of many columns in float32
// would add an error of their own to the exponents. Without the bound of one block, the compiler
// spills sums in float64 to keep room for more blocks (12.0).
template <class T, class Term>
__global__ void __launch_bounds__(tile_threads, 1) gaussian_tiles(TilePass<T> pass) {
  __shared__ TileRows<T> tile;
  __shared__ int has_near_pairs;
  constexpr bool by_products = std::is_same_v<Term, Product>;
  using Sum = std::conditional_t<by_products, T, double>;
  const auto number = static_cast<index_t>(blockIdx.x);
  if (!by_products && pass.near[number] == 0) return;
  const Problem<T>& problem =
      problem_with(pass.problems, pass.count, &Problem<T>::first_tile, number);
  const TilePlace place = place_of(number - problem.first_tile);
  find_rows(pass, problem, place, tile);
  if (threadIdx.x == 0) has_near_pairs = 0;

  Sum sums[rows_of_thread][cols_of_thread];
  sum_terms<Term>(tile.rows, tile.cols, pass.d, *shared_memory<Panels<T>>(), sums);

  SharedTile<T>& kernel = *shared_memory<SharedTile<T>>();
  EIGENTROPY_UNROLL
  for (int i = 0; i < rows_of_thread; ++i) {
    EIGENTROPY_UNROLL
    for (int j = 0; j < cols_of_thread; ++j) {
      const int row = tile_row<T>(i), col = tile_col<T>(j);
      const bool there = tile.rows[row] != nullptr && tile.cols[col] != nullptr;
      const bool itself = place.diagonal() && row == col;  // G_ii = 1 exactly
      const T r2 = itself ? T(0) : squared_distance<T, Term>(tile, row, col, sums[i][j]);
      if (by_products && there && !itself && static_cast<double>(r2) < pass.below) {
        has_near_pairs = 1;
      }
      kernel.entries[row][col] = there ? std::exp(pass.scale * r2) : T(0);
    }
  }
  __syncthreads();
  if (by_products && pass.below > 0.0) {
    if (threadIdx.x == 0) pass.near[number] = has_near_pairs != 0 ? 1 : 0;
    if (has_near_pairs != 0) return;
  }
  write_sums(kernel, problem, place, pass.slots);
  write_tile(kernel, problem, place);
}

constexpr int block = 256;
__device__ index_t number_of_thread() {
  return static_cast<index_t>(blockIdx.x) * block + static_cast<index_t>(threadIdx.x);
}

// q_i <- the sum over all tiles of row i, in the order of the tiles.
template <class T>
__global__ void add_slots(const Problem<T>* problems, index_t count, index_t rows,
                          const double* slots, double* q) {
  const index_t row = number_of_thread();
  if (row >= rows) return;
  const Problem<T>& problem = problem_with(problems, count, &Problem<T>::first_row, row);
  const double* const slot = slots + problem.first_slot + (row - problem.first_row);
  double sum = 0.0;
  for (index_t i = 0; i < problem.n; i += tile_order) sum += slot[i / tile_order * problem.n];
  q[row] = sum;
}

template <class T>
__global__ void gather_rows(const T* shared, index_t n, const Problem<T>* problems, index_t count,
                            index_t rows, double* q) {
  const index_t row = row_of_warp();
  if (row >= rows) return;
  const Problem<T>& problem = problem_with(problems, count, &Problem<T>::first_row, row);
  const index_t i = row - problem.first_row;
  const T* const from = shared + problem.rows[i] * n;
  double sum = 0.0;
  for (index_t j = lane(); j < problem.n; j += warp_size) {
    const T g = from[problem.rows[j]];
    problem.entries[i * problem.stride + j] = g;
    sum += static_cast<double>(g);
  }
  sum = warp_sum(sum);
  if (lane() == 0) q[row] = sum;
}

// One block for each problem: smallest_p = min q, totals_p = sum q.
template <class T>
__global__ void summarize_sums(const Problem<T>* problems, const double* q, double* smallest,
                               double* totals) {
  __shared__ double shared[block];
  const Problem<T>& problem = problems[blockIdx.x];
  double least = HUGE_VAL, total = 0.0;
  for (index_t i = threadIdx.x; i < problem.n; i += block) {
    const double value = q[problem.first_row + i];
    least = value < least ? value : least;
    total += value;
  }
  least = block_reduce<block>(least, shared, Smaller());
  total = block_reduce<block>(total, shared, Plus());
  if (threadIdx.x > 0) return;
  smallest[blockIdx.x] = least;
  totals[blockIdx.x] = total;
}

// w_i <- (q_i / q_ref)^-alpha, q_ref the smallest q: density_weights of base/gaussian.hpp.
template <class T>
__global__ void weigh_rows(const Problem<T>* problems, index_t count, index_t rows, const double* q,
                           const double* smallest, double alpha, T* w) {
  const index_t row = number_of_thread();
  if (row >= rows) return;
  const Problem<T>& problem = problem_with(problems, count, &Problem<T>::first_row, row);
  w[row] = static_cast<T>(std::pow(q[row] / smallest[&problem - problems], -alpha));
}

// d_i <- w_i sum_j G_ij w_j: the row sums of K without forming it.
template <class T>
__global__ void add_weighted(const Problem<T>* problems, index_t count, index_t rows, const T* w,
                             double* d) {
  const index_t row = row_of_warp();
  if (row >= rows) return;
  const Problem<T>& problem = problem_with(problems, count, &Problem<T>::first_row, row);
  const T* const entries = problem.entries + (row - problem.first_row) * problem.stride;
  const T* const weights = w + problem.first_row;
  double sum = 0.0;
  for (index_t j = lane(); j < problem.n; j += warp_size) {
    sum += static_cast<double>(entries[j]) * static_cast<double>(weights[j]);
  }
  sum = warp_sum(sum);
  if (lane() == 0) d[row] = static_cast<double>(w[row]) * sum;
}

// s_i <- w_i / sqrt(d_i), in w's place. d_i >= w_i^2 > 0 because G_ii = 1, even for a point that is
// far from all others.
template <class T>
__global__ void divide_by_roots(index_t rows, const double* d, T* w) {
  const index_t row = number_of_thread();
  if (row < rows) w[row] = static_cast<T>(static_cast<double>(w[row]) / std::sqrt(d[row]));
}

// A_ij <- s_i s_j A_ij, unless s is null, and the sum of squares of each row.
template <class T>
__global__ void conjugate(const Problem<T>* problems, index_t count, index_t rows, const T* s,
                          double* squares) {
  const index_t row = row_of_warp();
  if (row >= rows) return;
  const Problem<T>& problem = problem_with(problems, count, &Problem<T>::first_row, row);
  T* const entries = problem.entries + (row - problem.first_row) * problem.stride;
  double sum = 0.0;
  for (index_t j = lane(); j < problem.n; j += warp_size) {
    T a = entries[j];
    if (s != nullptr) {
      a *= s[row] * s[problem.first_row + j];
      entries[j] = a;
    }
    sum += static_cast<double>(a) * static_cast<double>(a);
  }
  sum = warp_sum(sum);
  if (lane() == 0) squares[row] = sum;
}

// One block for each problem: |A|_F^2, and tr A = sum s_i^2.
template <class T>
__global__ void summarize_squares(const Problem<T>* problems, const double* squares, const T* s,
                                  double* frobenius2, double* traces) {
  __shared__ double shared[block];
  const Problem<T>& problem = problems[blockIdx.x];
  double total = 0.0, trace = 0.0;
  for (index_t i = threadIdx.x; i < problem.n; i += block) {
    const index_t row = problem.first_row + i;
    const double root = s == nullptr ? 1.0 : static_cast<double>(s[row]);  // G_ii = 1
    total += squares[row];
    trace += root * root;
  }
  total = block_reduce<block>(total, shared, Plus());
  trace = block_reduce<block>(trace, shared, Plus());
  if (threadIdx.x > 0) return;
  frobenius2[blockIdx.x] = total;
  traces[blockIdx.x] = trace;
}

// |x|^2 + |y|^2 - 2 x.y is wrong by some of this times eps max |x|^2: rows are summed in one piece.
template <class T>
double cancellation_error(const DeviceRows<T>& X) {
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  return (4.0 + std::sqrt(static_cast<double>(X.d))) * eps * static_cast<double>(X.max_norm);
}

template <class T>
unsigned blocks_of(const Batch<T>& batch) {
  return blocks_for(batch.rows(), block);
}

}  // namespace

template <class T>
Batch<T>::Batch(const Queue& queue, std::vector<Problem<T>> problems)
    : problems_(std::move(problems)) {
  for (Problem<T>& problem : problems_) {
    problem.first_row = rows_;
    problem.first_tile = tiles_;
    problem.first_slot = slots_;
    rows_ += problem.n;
    tiles_ += upper_tiles(problem.n);
    slots_ += problem.n * tiles_per_side(problem.n);
  }
  device_ = to_device(queue, problems_.data(), count());
}

template <class T>
DeviceBuffer<double> gaussian_kernels(const Queue& queue, const DeviceRows<T>& X, double sigma,
                                      const Batch<T>& batch) {
  const Range range("gaussian_kernels");
  const T scale = exponent_scale<T>(sigma, X.scale);
  const Refinement refinement =
      refinement_of_kernel<T>(cancellation_error(X), static_cast<double>(scale));
  const bool refines = refinement.below > 0.0;
  const DeviceBuffer<double> slots(queue, batch.slots());
  const DeviceBuffer<unsigned char> near(queue, refines ? batch.tiles() : 0);
  const TilePass<T> pass{batch.on_device(), batch.count(), X.x.data(),  X.norms.data(), X.d, scale,
                         refinement.below,  near.data(),   slots.data()};
  const dim3 tiles(static_cast<unsigned>(batch.tiles()));
  launch(queue, gaussian_tiles<T, Product>, tiles, dim3(tile_threads), tile_memory<T>, pass);
  if (refines) {
    launch(queue, gaussian_tiles<T, SquaredDifference>, tiles, dim3(tile_threads), tile_memory<T>,
           pass);
  }
  DeviceBuffer<double> q(queue, batch.rows());
  launch(queue, add_slots<T>, dim3(blocks_of(batch)), dim3(block), 0, batch.on_device(),
         batch.count(), batch.rows(), slots.data(), q.data());
  return q;
}

template <class T>
DeviceBuffer<double> gather_kernels(const Queue& queue, const T* shared, index_t n,
                                    const Batch<T>& batch) {
  const Range range("gather_kernels");
  DeviceBuffer<double> q(queue, batch.rows());
  launch(queue, gather_rows<T>, blocks_of_warps(batch.rows()), dim3(threads_of_warps), 0, shared, n,
         batch.on_device(), batch.count(), batch.rows(), q.data());
  return q;
}

namespace {

template <class T>
struct Normalization {
  DeviceBuffer<T> s;
  DeviceBuffer<double> degrees;  // in units of q_ref^-2 alpha
};

template <class T>
Normalization<T> normalize(const Queue& queue, const Batch<T>& batch, DeviceBuffer<double> q,
                           const double* smallest, double alpha) {
  const index_t count = batch.count(), rows = batch.rows();
  const Problem<T>* const problems = batch.on_device();
  const dim3 blocks(blocks_of(batch));
  DeviceBuffer<T> s(queue, rows);
  launch(queue, weigh_rows<T>, blocks, dim3(block), 0, problems, count, rows, q.data(), smallest,
         alpha, s.data());
  if (alpha != 0.0) {
    launch(queue, add_weighted<T>, blocks_of_warps(rows), dim3(threads_of_warps), 0, problems,
           count, rows, s.data(), q.data());
  }
  launch(queue, divide_by_roots<T>, blocks, dim3(block), 0, rows, q.data(), s.data());
  return {std::move(s), std::move(q)};
}

}  // namespace

template <class T>
Operators<T> make_operators(const Queue& queue, const Batch<T>& batch, DeviceBuffer<double> q,
                            const OperatorOptions& options) {
  const Range range("make_operators");
  const index_t count = batch.count(), rows = batch.rows();
  const dim3 one_block_each(static_cast<unsigned>(count));
  // smallest q, sum of q, |A|_F^2, tr A
  const DeviceBuffer<double> found(queue, 4 * count);
  double* const smallest = found.data();
  launch(queue, summarize_sums<T>, one_block_each, dim3(block), 0, batch.on_device(), q.data(),
         smallest, found.data() + count);
  Normalization<T> normalization;
  if (options.normalized) {
    normalization = normalize(queue, batch, std::move(q), smallest, options.alpha);
  } else {
    normalization.degrees = std::move(q);
  }
  const T* const s = normalization.s.data();
  const DeviceBuffer<double> squares(queue, rows);
  launch(queue, conjugate<T>, blocks_of_warps(rows), dim3(threads_of_warps), 0, batch.on_device(),
         count, rows, s, squares.data());
  launch(queue, summarize_squares<T>, one_block_each, dim3(block), 0, batch.on_device(),
         squares.data(), s, found.data() + 2 * count, found.data() + 3 * count);

  Operators<T> operators;
  operators.degrees = to_host(queue, normalization.degrees.data(), rows);
  const Buffer<double> sums = to_host(queue, found.data(), 4 * count);
  for (index_t p = 0; p < count; ++p) {
    operators.sums.push_back({sums[3 * count + p], sums[2 * count + p], sums[count + p]});
    if (!options.normalized) continue;
    const double unit = std::pow(sums[p], -2.0 * options.alpha);
    for (index_t i = 0; i < batch[p].n; ++i) operators.degrees[batch[p].first_row + i] *= unit;
  }
  return operators;
}

#define EIGENTROPY_INSTANTIATE(T)                                                                 \
  template class Batch<T>;                                                                        \
  template DeviceBuffer<double> gaussian_kernels(const Queue&, const DeviceRows<T>&, double,      \
                                                 const Batch<T>&);                                \
  template DeviceBuffer<double> gather_kernels(const Queue&, const T*, index_t, const Batch<T>&); \
  template Operators<T> make_operators(const Queue&, const Batch<T>&, DeviceBuffer<double>,       \
                                       const OperatorOptions&);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
