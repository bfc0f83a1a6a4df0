#include "cuda/kernel/scaled_vectors.hpp"

namespace eigentropy::cuda {
namespace {

template <class T>
__global__ void scale(ScaledVectors<T> vectors, T* scaled, index_t rows, index_t m) {
  const index_t place = static_cast<index_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (place >= rows * m) return;
  const index_t i = place / m, c = place % m;
  double value = 0.0;
  if (i < vectors.n && c < vectors.count) {
    const T* const V = vectors.V;
    const index_t row = vectors.order[i], of_V = row * vectors.columns + vectors.first + c;
    value = vectors.factors[row] * (V == nullptr ? 1.0 : static_cast<double>(V[of_V]));
  }
  scaled[place] = static_cast<T>(value);
}

constexpr index_t threads = 256;

}  // namespace

template <class T>
void scale_vectors(const Queue& queue, const ScaledVectors<T>& vectors, T* scaled, index_t rows,
                   index_t m) {
  launch(queue, scale<T>, blocks_for(rows * m, threads), static_cast<unsigned>(threads), 0, vectors,
         scaled, rows, m);
}

template void scale_vectors(const Queue&, const ScaledVectors<float>&, float*, index_t, index_t);
template void scale_vectors(const Queue&, const ScaledVectors<double>&, double*, index_t, index_t);

}  // namespace eigentropy::cuda
