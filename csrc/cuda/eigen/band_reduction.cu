// One step takes the b columns of a panel P below the band and factors P = Q R, Q = I - V T V^T.
// R joins the band, and the rest A of the matrix becomes
//
//     Q^T A Q = A - V W^T - W V^T,   W = Y T - 1/2 V (T^T V^T Y T),   Y = A V
//
// The host does the same (cpu/eigen/band_reduction.cpp) with one triangle. Here both triangles are
// kept: a product of whole matrices runs at the full rate of the device, which products with one
// triangle do not.
#include "cuda/eigen/band_reduction.hpp"

#include "cuda/blas.hpp"
#include "cuda/eigen/mirror.hpp"
#include "cuda/eigen/panel_qr.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

// The diagonal blocks of A, and what is left after the last panel, `end` columns in front of which
// have been reduced, <- into the band. A row of the grid for each matrix.
template <class T>
__global__ void copy_diagonal_blocks(const T* A, index_t n, index_t width, index_t end, T* band) {
  const index_t j = row_of_warp();
  if (j >= n) return;
  const auto matrix = static_cast<index_t>(blockIdx.y);
  const index_t last = j < end ? (j / width + 1) * width : n;
  const T* const row = A + matrix * n * n + j * n;
  T* const column = band + (matrix * n + j) * (width + 1);
  for (index_t i = j + lane(); i < last; i += warp_size) column[i - j] = row[i];
}

template <class T>
class BandReduction {
 public:
  BandReduction(const Queue& queue, T* A, index_t n, index_t count, index_t width)
      : queue_(queue),
        handle_(queue),
        A_(A),
        n_(n),
        count_(count),
        width_(width),
        panel_qr_(queue, n, width, count),
        vectors_(queue, 3 * n * width * count),
        Y_(queue, n * width * count),
        small_(queue, width * width * count),
        band_(queue, n * (width + 1) * count) {}

  Buffer<T> run(Control& control) {
    mirror_upper_triangles(queue_, A_, n_, count_);
    index_t k = 0;
    for (; n_ - k - width_ >= 2; k += width_) {
      control.check();
      reduce(k);
    }
    dim3 grid = blocks_of_warps(n_);
    grid.y = static_cast<unsigned>(count_);
    launch(queue_, copy_diagonal_blocks<T>, grid, dim3(threads_of_warps), 0, A_, n_, width_, k,
           band_.data());
    return to_host(queue_, band_.data(), band_.size());
  }

 private:
  using Factor = blas::Factor<T>;
  using Result = blas::Result<T>;

  // [V W V], so that both [V W] and [W V] are matrices.
  index_t step() const { return 3 * n_ * width_; }
  T* V() const { return vectors_.data(); }
  T* W() const { return vectors_.data() + n_ * width_; }

  // The panel of columns k .. k + width - 1, and the matrix below and to the right of it.
  void reduce(index_t k) {
    const index_t first = k + width_, rows = n_ - first, b = width_;
    panel_qr_.factor(queue_, {A_ + k * n_ + first, n_, n_ * n_, rows},
                     {V(), n_, step(), 2 * n_ * b, band_.data() + k * (b + 1), n_ * (b + 1)});
    T* const rest = A_ + first * n_ + first;
    const Factor v{V(), n_, step(), CUBLAS_OP_N}, w{W(), n_, step(), CUBLAS_OP_N};
    const Factor v_rows{V(), n_, step(), CUBLAS_OP_T};
    const Factor t{panel_qr_.factors(), b, b * b, CUBLAS_OP_N};
    const Factor t_rows{panel_qr_.factors(), b, b * b, CUBLAS_OP_T};
    const Factor y{Y_.data(), n_, n_ * b, CUBLAS_OP_N}, s{Y_.data(), n_, n_ * b, CUBLAS_OP_N};
    const Factor inner{small_.data(), b, b * b, CUBLAS_OP_N};
    const Result to_w{W(), n_, step()}, to_y{Y_.data(), n_, n_ * b};
    // Y = A V, W = Y T, inner = V^T W, S = -1/2 T^T inner (in Y's place), W += V S
    multiply(rows, b, rows, T(1), {rest, n_, n_ * n_, CUBLAS_OP_N}, v, T(0), to_y);
    multiply(rows, b, b, T(1), y, t, T(0), to_w);
    multiply(b, b, rows, T(1), v_rows, w, T(0), {small_.data(), b, b * b});
    multiply(b, b, b, T(-0.5), t_rows, inner, T(0), to_y);
    multiply(rows, b, b, T(1), v, s, T(1), to_w);
    multiply(rows, rows, 2 * b, T(-1), v, {W(), n_, step(), CUBLAS_OP_T}, T(1),
             {rest, n_, n_ * n_});
  }

  void multiply(index_t m, index_t n, index_t k, T alpha, const Factor& A, const Factor& B, T beta,
                const Result& C) const {
    blas::gemm(handle_, m, n, k, alpha, A, B, beta, C, count_);
  }

  const Queue& queue_;
  BlasHandle handle_;
  T* A_;
  index_t n_, count_, width_;
  PanelQr<T> panel_qr_;
  DeviceBuffer<T> vectors_, Y_, small_, band_;
};

}  // namespace

template <class T>
Buffer<T> band_of(const Queue& queue, T* A, index_t n, index_t count, index_t width,
                  Control& control) {
  const Range range("band_of");
  return BandReduction<T>(queue, A, n, count, width).run(control);
}

template Buffer<float> band_of(const Queue&, float*, index_t, index_t, index_t, Control&);
template Buffer<double> band_of(const Queue&, double*, index_t, index_t, index_t, Control&);

}  // namespace eigentropy::cuda
