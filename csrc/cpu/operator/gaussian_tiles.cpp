#include "cpu/operator/gaussian_tiles.hpp"

#include <algorithm>
#include <limits>

#include "base/distances.hpp"
#include "base/gaussian.hpp"
#include "cpu/simd/gaussian_kernels.hpp"

namespace eigentropy {
namespace {

// Whether the error of |x|^2 + |y|^2 - 2 x.y is too large, as for near points of a cloud that is
// very wide compared with sigma.
template <class T>
bool cancels(const GaussianTiles<T>& tiles, index_t d, T norm) {
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  const double error = distance_error_factor(d, tiles.blocks) * eps * static_cast<double>(norm);
  return error * -static_cast<double>(tiles.scale) > exponent_tolerance<T>;
}

}  // namespace

template <class T>
void GaussianTiles<T>::compute(const SweepTile& tile, const PackedRows<T>& rows,
                               const PackedRows<T>& cols, T* entries) const {
  const auto& kernels = simd::gaussian_kernels<T>();
  const T norm = std::max(rows.max_norm(tile.row, tile.rows), cols.max_norm(tile.col, tile.cols));
  const auto gaussian =
      cancels(*this, rows.d, norm) ? kernels.from_differences : kernels.from_products;
  for_each_part(tile, [&](index_t i, index_t count, index_t j, index_t across, bool) {
    const index_t row = tile.row + i, col = tile.col + j;
    gaussian({count, across, rows.d, rows.strip(row), cols.strip(col), rows.norms_from(row),
              cols.norms_from(col), scale},
             entries + i * sweep_tile + j, sweep_tile);
  });
  if (!tile.diagonal()) return;
  for (index_t i = 0; i < tile.rows; ++i) entries[i * sweep_tile + i] = 1;  // G_ii = 1 exactly
}

template <class T>
double GaussianTiles<T>::squares(const SweepTile& tile, const T* entries, const T* of_rows,
                                 const T* of_cols) const {
  double total = 0.0;
  for_each_part(tile, [&](index_t i, index_t rows, index_t j, index_t cols, bool mirrored) {
    const double sum = simd::gaussian_kernels<T>().squares(entries + i * sweep_tile + j, rows, cols,
                                                           sweep_tile, of_rows + i, of_cols + j);
    total += mirrored ? 2.0 * sum : sum;
  });
  return total;
}

template struct GaussianTiles<float>;
template struct GaussianTiles<double>;

}  // namespace eigentropy
