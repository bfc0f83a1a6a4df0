#include "cuda/eigen/two_stage.hpp"

#include <algorithm>

#include "base/eigen/band.hpp"
#include "base/eigen/bisection.hpp"
#include "base/threads.hpp"
#include "cuda/eigen/band_reduction.hpp"
#include "cuda/eigen/eigenvalues.hpp"

namespace eigentropy::cuda {
namespace {

// w <- the eigenvalues of the band matrix `packed`, n x (width + 1).
template <class T>
void solve_band(const T* packed, index_t n, index_t width, T* w, int threads, Control& control) {
  const index_t stride = band_stride(width);
  const Buffer<T> entries(band_size(n, width, stride)), off_diagonal(n);
  const BandView<T> band{entries.data(), n, width, stride};
  for (index_t j = 0; j < n; ++j) {
    std::copy_n(packed + j * (width + 1), std::min(width + 1, n - j), band.column(j));
  }
  tridiagonalize(band, w, off_diagonal.data(), threads, control);
  bisect(w, off_diagonal.data(), n, threads, control);
}

}  // namespace

template <class T>
Buffer<T> in_two_stages(const Queue& queue, T* A, index_t n, index_t count, Control& control) {
  const Range range("in_two_stages");
  const SolverTuning& tuning = solver_tuning();
  const index_t width = n < tuning.wide_from ? tuning.narrow_band : tuning.wide_band;
  Buffer<T> w(count * n);
  const Buffer<T> packed = band_of(queue, A, n, count, width, control);
  const auto solve = [&](index_t b, int threads) {
    solve_band(packed.data() + b * n * (width + 1), n, width, w.data() + b * n, threads, control);
  };
  // One matrix takes all threads; of many, each takes one.
  if (count == 1) {
    solve(0, thread_count());
  } else {
    parallel_for(count, thread_count(), [&](index_t b, int) { solve(b, 1); });
  }
  return w;
}

template Buffer<float> in_two_stages(const Queue&, float*, index_t, index_t, Control&);
template Buffer<double> in_two_stages(const Queue&, double*, index_t, index_t, Control&);

}  // namespace eigentropy::cuda
