// One launch for each column, as the host's PanelQr has one pass. The launch applies the last
// reflector, which finishes the next column, and sums the products of that column with all columns.
// These products give everything about the next reflector: the norm of its column, the update of
// the columns to its right, and its products with the reflectors to its left, from which T is
// built. Every block adds up the sums of all blocks for itself, in the same order, so that blocks
// need not wait for each other within a launch.
//
// Sums are in double for float32, too. The range of a double is enough for squares without a scale:
// entries below 1e-140 may count as zero, far below the rounding errors of a matrix that
// GivenMatrices has scaled.
#include "cuda/eigen/panel_qr.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "cuda/reductions.hpp"
#include "cuda/tuning.hpp"

namespace eigentropy::cuda {
namespace {

constexpr int widest = PanelQr<double>::widest;
constexpr int threads = threads_of_warps;

// Rows of a block: few enough that many blocks share the work, enough that the blocks' sums are not
// more than the panel.
constexpr auto rows_of_lane = static_cast<int>(tuned("panel_rows_of_lane"));
constexpr int rows_of_block = rows_of_lane * warp_size;

// A sum of squares below this may have lost entries to underflow; the column is zero to rounding.
constexpr double negligible = 1e-280;

struct Sums {
  double *products, *gram, *tau, *scale;
  index_t blocks;  // of the panel's rows
  int width;

  // Of the pass that sums products with `column`; of this panel, for block 0.
  __device__ double* of_pass(int column, index_t panel, index_t panels) const {
    return products + ((column % 2) * panels + panel) * blocks * width;
  }
};

// sums_c <- what the blocks have found. `parts` has an element for each thread.
__device__ void add_up(const double* products, index_t blocks, int width, double* parts,
                       double* sums) {
  const auto thread = static_cast<int>(threadIdx.x);
  const int shares = threads / width, column = thread % width, share = thread / width;
  double sum = 0.0;
  if (share < shares) {
    for (index_t b = share; b < blocks; b += shares) sum += products[b * width + column];
    parts[thread] = sum;
  }
  __syncthreads();
  if (thread < width) {
    sum = 0.0;
    for (int s = 0; s < shares; ++s) sum += parts[s * width + thread];
    sums[thread] = sum;
  }
  __syncthreads();
}

// H = I - tau' v v^T maps column j below row j - 1, p, to beta e_1: v = p - beta e_1, tau' = -1 /
// (beta v_1).
struct Reflector {
  __device__ Reflector(double top_entry, double squares) : alpha(top_entry) {
    if (squares <= negligible) return;  // a NaN goes on
    const double size = sqrt(squares);
    beta = alpha > 0.0 ? -size : size;
    first = alpha - beta;
    exists = true;
  }
  __device__ double diagonal() const { return exists ? beta : alpha; }

  double alpha, beta = 0.0, first = 0.0;  // first: v_1
  bool exists = false;
};

// Thread c finds what the reflector of column j does to column c: shares_c times v is subtracted
// from it. Block 0 keeps row j of R and what T is built from.
template <class T>
__device__ void reflect(const T* entries, index_t stride, const Sums& state, int j,
                        const double* sums, index_t panel, T* band, T* shares) {
  const auto c = static_cast<int>(threadIdx.x);
  if (c >= state.width) return;
  const Reflector H(static_cast<double>(entries[j * stride + j]), sums[j]);
  const auto x = static_cast<double>(entries[c * stride + j]);
  double share = 0.0;
  if (H.exists && c > j) share = -(sums[c] - H.beta * x) / (H.beta * H.first);
  shares[c] = static_cast<T>(share);
  if (blockIdx.x != 0) return;
  const int width = state.width;
  if (c >= j) {
    const double entry = c == j ? H.diagonal() : x - H.first * share;
    band[c * (width + 1) + width + j - c] = static_cast<T>(entry);
  } else {
    // v . x = p . x - beta x_1
    state.gram[(panel * width + j) * width + c] = H.exists ? sums[c] - H.beta * x : 0.0;
  }
  if (c == j) {
    state.tau[panel * width + j] = H.exists ? -H.first / H.beta : 0.0;
    state.scale[panel * width + j] = H.exists ? 1.0 / H.first : 0.0;
  }
}

// Applies the reflector of column `next` - 1, if there is one, to the rows from `next` on, and sums
// the products of column `next` with all columns, if there is one.
template <class T>
__global__ void eliminate(Panels<T> panels, Factors<T> out, Sums state, int next, int steps) {
  __shared__ double parts[threads], sums[widest];
  __shared__ T shares[widest];
  const auto panel = static_cast<index_t>(blockIdx.y), count = static_cast<index_t>(gridDim.y);
  T* const entries = panels.entries + panel * panels.step;
  const index_t stride = panels.stride;
  const int width = state.width, last = next - 1;
  if (last >= 0) {
    add_up(state.of_pass(last, panel, count), state.blocks, width, parts, sums);
    reflect(entries, stride, state, last, sums, panel, out.band + panel * out.band_step, shares);
  }
  __syncthreads();
  if (next == steps) return;

  const index_t first = static_cast<index_t>(blockIdx.x) * rows_of_block + lane<index_t>();
  T v[rows_of_lane], finished[rows_of_lane];  // of the reflector, and of column `next`
  for (int r = 0; r < rows_of_lane; ++r) {
    const index_t i = first + r * warp_size;
    const bool inside = i >= next && i < panels.rows;
    v[r] = inside && last >= 0 ? entries[last * stride + i] : T(0);
    finished[r] = inside ? entries[next * stride + i] : T(0);
    if (last >= 0) finished[r] -= shares[next] * v[r];
  }
  __syncthreads();  // before column `next` is written
  double* const products =
      state.of_pass(next, panel, count) + static_cast<index_t>(blockIdx.x) * width;
  for (int c = static_cast<int>(threadIdx.x) / warp_size; c < width; c += warps_per_block) {
    const bool changes = last >= 0 && c >= next;
    T* const column = entries + c * stride;
    double sum = 0.0;
    for (int r = 0; r < rows_of_lane; ++r) {
      const index_t i = first + r * warp_size;
      if (i < next || i >= panels.rows) continue;
      T value = column[i];
      if (changes) {
        value -= shares[c] * v[r];
        column[i] = value;
      }
      sum += static_cast<double>(finished[r]) * static_cast<double>(value);
    }
    sum = warp_sum(sum);
    if (lane() == 0) products[c] = sum;
  }
}

// V_ij <- the normalised reflectors, twice.
template <class T>
__global__ void write_reflectors(Panels<T> panels, Factors<T> out, Sums state, int steps) {
  const index_t i = static_cast<index_t>(blockIdx.x) * threads + static_cast<index_t>(threadIdx.x);
  if (i >= panels.rows) return;
  const auto j = static_cast<index_t>(blockIdx.y), panel = static_cast<index_t>(blockIdx.z);
  T value = i == j ? T(1) : T(0);
  if (i > j && j < steps) {
    const double entry =
        static_cast<double>(panels.entries[panel * panels.step + j * panels.stride + i]);
    value = static_cast<T>(entry * state.scale[panel * state.width + j]);
  }
  T* const V = out.V + panel * out.step + j * out.stride + i;
  V[0] = value;
  V[out.copy] = value;
}

// T_jj = tau_j, T(0:j, j) = -tau_j T(0:j, 0:j) V(:, 0:j)^T v_j
template <class T>
__global__ void build_factors(Sums state, T* factors, int steps) {
  __shared__ double factor[widest][widest + 1];
  __shared__ double products[widest];
  const auto i = static_cast<int>(threadIdx.x);
  const auto panel = static_cast<index_t>(blockIdx.x);
  const int width = state.width;
  const double* const scale = state.scale + panel * width;
  for (int j = 0; j < width; ++j) {
    const bool exists = j < steps;
    if (i < j && exists) {
      products[i] = state.gram[(panel * width + j) * width + i] * scale[i] * scale[j];
    }
    __syncthreads();
    const double tau = exists ? state.tau[panel * width + j] : 0.0;
    double entry = i == j ? tau : 0.0;
    if (i < j && exists) {
      for (int c = i; c < j; ++c) entry += factor[c][i] * products[c];
      entry *= -tau;
    }
    if (i < width) {
      factor[j][i] = entry;
      factors[(panel * width + j) * width + i] = static_cast<T>(entry);
    }
    __syncthreads();
  }
}

index_t blocks_of_rows(index_t rows) { return (rows + rows_of_block - 1) / rows_of_block; }

}  // namespace

template <class T>
PanelQr<T>::PanelQr(const Queue& queue, index_t most_rows, index_t width, index_t count)
    : width_(width),
      count_(count),
      products_(queue, 2 * count * blocks_of_rows(most_rows) * width),
      gram_(queue, count * width * width),
      tau_(queue, count * width),
      scale_(queue, count * width),
      factors_(queue, count * width * width) {
  if (width < 1 || width > widest) throw std::invalid_argument("the width of a panel: 1 to 64");
}

template <class T>
void PanelQr<T>::factor(const Queue& queue, const Panels<T>& panels, const Factors<T>& out) const {
  const auto width = static_cast<int>(width_);
  const auto steps = static_cast<int>(std::min(width_, panels.rows));
  const auto count = static_cast<unsigned>(count_);
  const index_t blocks = blocks_of_rows(panels.rows);
  const Sums state{products_.data(), gram_.data(), tau_.data(), scale_.data(), blocks, width};
  for (int next = 0; next <= steps; ++next) {
    // The last one finds row `steps` - 1 of R and changes no entry.
    const auto grid = next < steps ? static_cast<unsigned>(blocks) : 1U;
    launch(queue, eliminate<T>, dim3(grid, count), dim3(threads), 0, panels, out, state, next,
           steps);
  }
  launch(queue, write_reflectors<T>,
         dim3(blocks_for(panels.rows, threads), static_cast<unsigned>(width), count), dim3(threads),
         0, panels, out, state, steps);
  launch(queue, build_factors<T>, dim3(count), dim3(widest), 0, state, factors_.data(), steps);
}

template class PanelQr<float>;
template class PanelQr<double>;

}  // namespace eigentropy::cuda
