#include "cuda/rows/centered_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "base/gaps.hpp"
#include "cuda/reductions.hpp"

namespace eigentropy::cuda {
namespace {

struct Float16 {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};

__host__ __device__ float with_bits(std::uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

// Every float16 and bfloat16 is a float.
__host__ __device__ float value_of(BFloat16 z) {
  return with_bits(static_cast<std::uint32_t>(z.bits) << 16);
}
__host__ __device__ float value_of(Float16 z) {
  const std::uint32_t sign = static_cast<std::uint32_t>(z.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (z.bits >> 10) & 0x1fU, fraction = z.bits & 0x3ffU;
  if (exponent == 0x1f) return with_bits(sign | 0x7f800000U | fraction << 13);
  if (exponent == 0) {  // 0 and what is below 2^-14: multiples of 2^-24
    const float size = static_cast<float>(fraction) * 5.9604644775390625e-8F;
    return sign == 0 ? size : -size;
  }
  return with_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}
__host__ __device__ float value_of(float z) { return z; }
__host__ __device__ double value_of(double z) { return z; }

// A Source whose type is known.
template <class S>
struct Elements {
  const S* data;
  index_t rows, cols, row_stride, col_stride;
  const index_t* chosen;

  __device__ auto operator()(index_t i, index_t j) const {
    const index_t row = chosen == nullptr ? i : chosen[i];
    return value_of(data[row * row_stride + j * col_stride]);
  }
};

template <class Visit>
auto with_elements(const Source& Z, const Visit& visit) {
  const auto as = [&](auto type) {
    using S = decltype(type);
    return Elements<S>{
        static_cast<const S*>(Z.data), Z.rows, Z.cols, Z.row_stride, Z.col_stride, Z.chosen};
  };
  switch (Z.type) {
    case Type::float16:
      return visit(as(Float16{}));
    case Type::bfloat16:
      return visit(as(BFloat16{}));
    case Type::float32:
      return visit(as(float{}));
    default:
      return visit(as(double{}));
  }
}

template <class S>
__global__ void flag_nonfinite_rows(Elements<S> Z, unsigned char* flags) {
  const index_t i = row_of_warp();
  if (i >= Z.rows) return;
  int bad = 0;
  for (index_t j = lane(); j < Z.cols; j += warp_size) bad += isfinite(Z(i, j)) ? 0 : 1;
  bad = warp_sum(bad);
  if (lane() == 0) flags[i] = bad > 0 ? 1 : 0;
}

// Range and sum of a column.
struct ColumnRange {
  double low, high, sum;
};

// NaN leaves a range unchanged.
__device__ void extend(ColumnRange& range, const ColumnRange& other) {
  range.low = other.low < range.low ? other.low : range.low;
  range.high = other.high > range.high ? other.high : range.high;
  range.sum += other.sum;
}

__device__ ColumnRange empty_range() {
  return {HUGE_VAL, -HUGE_VAL, 0.0};  // infinities
}

// Rows are divided among the blocks of blockIdx.y and, within a block, among its warps.
constexpr index_t most_shares = 256;

// partial (shares x cols) <- the ranges of columns over a share of the rows. 32 columns a block.
template <class S>
__global__ void find_ranges(Elements<S> Z, index_t share_rows, ColumnRange* partial) {
  __shared__ double low[warps_per_block][warp_size], high[warps_per_block][warp_size],
      sum[warps_per_block][warp_size];
  const auto warp = static_cast<int>(threadIdx.x) / warp_size;
  const auto column = static_cast<int>(lane());
  const index_t j = static_cast<index_t>(blockIdx.x) * warp_size + column;
  const index_t begin = static_cast<index_t>(blockIdx.y) * share_rows;
  const index_t end = min(Z.rows, begin + share_rows);
  ColumnRange range = empty_range();
  for (index_t i = begin + warp; j < Z.cols && i < end; i += warps_per_block) {
    const double z = static_cast<double>(Z(i, j));
    extend(range, {z, z, z});
  }
  low[warp][column] = range.low;
  high[warp][column] = range.high;
  sum[warp][column] = range.sum;
  __syncthreads();
  if (warp > 0 || j >= Z.cols) return;
  for (int w = 1; w < warps_per_block; ++w) {
    extend(range, {low[w][column], high[w][column], sum[w][column]});
  }
  partial[static_cast<index_t>(blockIdx.y) * Z.cols + j] = range;
}

__global__ void merge_ranges(const ColumnRange* partial, index_t shares, index_t cols,
                             ColumnRange* ranges) {
  const index_t j = static_cast<index_t>(blockIdx.x) * warp_size + lane();
  if (j >= cols) return;
  ColumnRange range = empty_range();
  for (index_t share = 0; share < shares; ++share) extend(range, partial[share * cols + j]);
  ranges[j] = range;
}

Buffer<ColumnRange> ranges_of(const Queue& queue, const Source& Z) {
  const index_t shares = std::min((Z.rows + 255) / 256, most_shares);
  const index_t share_rows = (Z.rows + shares - 1) / shares;
  const DeviceBuffer<ColumnRange> partial(queue, shares * Z.cols), ranges(queue, Z.cols);
  const unsigned stretches = blocks_for(Z.cols, warp_size);
  with_elements(Z, [&](const auto& elements) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(elements.data)>>;
    launch(queue, find_ranges<S>, dim3(stretches, static_cast<unsigned>(shares)),
           dim3(threads_of_warps), 0, elements, share_rows, partial.data());
  });
  launch(queue, merge_ranges, dim3(stretches), dim3(warp_size), 0, partial.data(), shares, Z.cols,
         ranges.data());
  return to_host(queue, ranges.data(), Z.cols);
}

// out (columns x rows) <- these columns
template <class S>
__global__ void copy_columns(Elements<S> Z, const index_t* columns, index_t count, double* out) {
  const index_t entry = static_cast<index_t>(blockIdx.x) * warp_size + lane();
  const index_t i = entry / count, k = entry % count;  // neighbours read neighbours
  if (i < Z.rows) out[k * Z.rows + i] = static_cast<double>(Z(i, columns[k]));
}

// values (on the host) <- these columns, one after the other
void read_columns(const Queue& queue, const Source& Z, const std::vector<index_t>& columns,
                  double* values) {
  const auto count = static_cast<index_t>(columns.size()), entries = count * Z.rows;
  const auto numbers = to_device(queue, columns.data(), count);
  const DeviceBuffer<double> out(queue, entries);
  with_elements(Z, [&](const auto& elements) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(elements.data)>>;
    launch(queue, copy_columns<S>, dim3(blocks_for(entries, warp_size)), dim3(warp_size), 0,
           elements, numbers.data(), count, out.data());
  });
  copy(queue, values, out.data(), entries);
  queue.synchronize();
}

// The columns whose values are far apart and have wide gaps.
std::vector<ClosedColumn> close_columns(const Queue& queue, const Source& Z,
                                        const Buffer<ColumnRange>& ranges, double separation) {
  const Control unused;
  std::vector<index_t> wide;
  for (index_t j = 0; j < Z.cols; ++j) {
    if (ranges[j].high - ranges[j].low > narrowest_closed_gap(separation)) wide.push_back(j);
  }
  return eigentropy::close_columns(wide, Z.rows, {separation, most_closed_gaps(Z.cols)},
                                   thread_count(), unused,
                                   [&](const std::vector<index_t>& some, double* values) {
                                     read_columns(queue, Z, some, values);
                                   });
}

struct Centers {
  Buffer<double> of_columns;
  std::vector<ClosedColumn> closed;  // ascending
  double largest_offset = 0.0;       // max_ij |z_ij - c_j|
};

Centers find_centers(const Queue& queue, const Source& Z, const Centering& how) {
  const Buffer<ColumnRange> ranges = ranges_of(queue, Z);
  Centers centers{Buffer<double>(Z.cols), close_columns(queue, Z, ranges, how.separation)};
  const auto reach = [&](double offset) {
    centers.largest_offset = std::max(centers.largest_offset, std::abs(offset));
  };
  auto next = centers.closed.begin();
  for (index_t j = 0; j < Z.cols; ++j) {
    const ColumnRange& range = ranges[j];
    const double c = center_of(range.low, range.high, range.sum, Z.rows, how);
    const bool is_closed = next != centers.closed.end() && next->column == j;
    centers.of_columns[j] = c;
    reach(is_closed ? (*next)(range.low) : range.low - c);
    reach(is_closed ? (*next)(range.high) : range.high - c);
    if (is_closed) ++next;
  }
  return centers;
}

// Centers on the device. The segments of column j are first[j] .. first[j + 1] - 1; if no column is
// closed, first is null.
struct CentersThere {
  const double* of_columns;
  const index_t* first;
  const Segment* segments;

  __device__ double operator()(double z, index_t j) const {
    if (first == nullptr || first[j] == first[j + 1]) return z - of_columns[j];
    index_t low = first[j], high = first[j + 1];  // the segment is in [low, high)
    while (high - low > 1) {
      const index_t middle = (low + high) / 2;
      if (z < segments[middle].begin) {
        high = middle;
      } else {
        low = middle;
      }
    }
    return (z - segments[low].begin) + segments[low].position;
  }
};

// Owns what a CentersThere points to.
class UploadedCenters {
 public:
  UploadedCenters(const Queue& queue, const Centers& centers)
      : of_columns_(to_device(queue, centers.of_columns.data(), centers.of_columns.size())) {
    if (centers.closed.empty()) return;
    const index_t d = centers.of_columns.size();
    std::vector<index_t> first(static_cast<std::size_t>(d) + 1, 0);
    std::vector<Segment> segments;
    auto next = centers.closed.begin();
    for (index_t j = 0; j < d; ++j) {
      if (next != centers.closed.end() && next->column == j) {
        segments.insert(segments.end(), next->segments.begin(), next->segments.end());
        ++next;
      }
      first[static_cast<std::size_t>(j) + 1] = static_cast<index_t>(segments.size());
    }
    first_ = to_device(queue, first.data(), d + 1);
    segments_ = to_device(queue, segments.data(), static_cast<index_t>(segments.size()));
  }

  CentersThere view() const { return {of_columns_.data(), first_.data(), segments_.data()}; }

 private:
  DeviceBuffer<double> of_columns_;
  DeviceBuffer<index_t> first_;
  DeviceBuffer<Segment> segments_;
};

// x_ij <- (z_ij - c_j) * inverse, unless x is null, and |x_i|^2, to the rounding of T or, in
// double, to 3 eps: each lane's rounding errors are added up and subtracted (Kahan), which long
// rows of one number repeated need.
template <class S, class T>
__global__ void center_and_square(Elements<S> Z, CentersThere centers, double inverse, T* x,
                                  T* norms) {
  const index_t i = row_of_warp();
  if (i >= Z.rows) return;
  double sum = 0.0, excess = 0.0;
  for (index_t j = lane(); j < Z.cols; j += warp_size) {
    const T value = static_cast<T>(centers(static_cast<double>(Z(i, j)), j) * inverse);
    if (x != nullptr) x[i * Z.cols + j] = value;
    const double term = static_cast<double>(value) * static_cast<double>(value) - excess;
    const double next = sum + term;
    if (sizeof(T) == sizeof(double)) excess = (next - sum) - term;
    sum = next;
  }
  sum = warp_sum(sum);
  if (lane() == 0) norms[i] = static_cast<T>(sum);
}

// Waits for the norms, which the host checks.
template <class T>
Buffer<T> center(const Queue& queue, const Source& Z, const Centers& centers, double scale, T* x,
                 T* norms) {
  const UploadedCenters there(queue, centers);
  with_elements(Z, [&](const auto& elements) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(elements.data)>>;
    launch(queue, center_and_square<S, T>, blocks_of_warps(Z.rows), dim3(threads_of_warps), 0,
           elements, there.view(), 1.0 / scale, x, norms);
  });
  return to_host(queue, norms, Z.rows);
}

template <class T>
void require_finite_rows(const Buffer<T>& norms) {
  for (index_t i = 0; i < norms.size(); ++i) {
    if (std::isfinite(norms[i])) continue;
    throw std::invalid_argument("row " + std::to_string(i) + " of " + std::to_string(norms.size()) +
                                " has entries that are NaN or infinite");
  }
}

template <class S, class T>
__global__ void copy_rows(Elements<S> Z, const index_t* rows, index_t count, T* out) {
  const index_t i = row_of_warp();
  if (i >= count) return;
  for (index_t j = lane(); j < Z.cols; j += warp_size) {
    out[i * Z.cols + j] = static_cast<T>(Z(rows[i], j));
  }
}

}  // namespace

NonFiniteRows find_nonfinite_rows(const Queue& queue, const Source& Z) {
  const Range range("find_nonfinite_rows");
  const DeviceBuffer<unsigned char> flags(queue, Z.rows);
  with_elements(Z, [&](const auto& elements) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(elements.data)>>;
    launch(queue, flag_nonfinite_rows<S>, blocks_of_warps(Z.rows), dim3(threads_of_warps), 0,
           elements, flags.data());
  });
  NonFiniteRows found{0, -1};
  const Buffer<unsigned char> bad = to_host(queue, flags.data(), Z.rows);
  for (index_t i = 0; i < Z.rows; ++i) {
    if (bad[i] != 0 && found.count++ == 0) found.first = i;
  }
  return found;
}

template <class T>
DeviceRows<T> center_rows(const Queue& queue, const Source& Z, const Centering& how) {
  const Range range("center_rows");
  DeviceRows<T> X;
  X.n = Z.rows;
  X.d = Z.cols;
  const Centers centers = find_centers(queue, Z, how);
  X.scale = row_scale(centers.largest_offset);
  X.x = DeviceBuffer<T>(queue, X.n * X.d);
  X.norms = DeviceBuffer<T>(queue, X.n);
  const Buffer<T> norms = center(queue, Z, centers, X.scale, X.x.data(), X.norms.data());
  require_finite_rows(norms);
  X.max_norm = *std::max_element(norms.begin(), norms.end());
  return X;
}

template <class T>
Buffer<T> take_rows(const Queue& queue, const Source& Z, const index_t* rows, index_t count) {
  const Range range("take_rows");
  const auto there = to_device(queue, rows, count);
  const DeviceBuffer<T> out(queue, count * Z.cols);
  with_elements(Z, [&](const auto& elements) {
    using S = std::remove_const_t<std::remove_pointer_t<decltype(elements.data)>>;
    launch(queue, copy_rows<S, T>, blocks_of_warps(count), dim3(threads_of_warps), 0, elements,
           there.data(), count, out.data());
  });
  return to_host(queue, out.data(), count * Z.cols);
}

double largest_distance_from_center(const Queue& queue, const Source& Z, const Centering& how) {
  const Range range("largest_distance_from_center");
  const Centers centers = find_centers(queue, Z, how);
  // Offsets of 1e200 have squares, too, once they are divided by the largest.
  const double scale = row_scale(centers.largest_offset);
  const DeviceBuffer<double> squares(queue, Z.rows);
  const Buffer<double> found = center<double>(queue, Z, centers, scale, nullptr, squares.data());
  return scale * std::sqrt(*std::max_element(found.begin(), found.end()));
}

#define EIGENTROPY_INSTANTIATE(T)                                                    \
  template DeviceRows<T> center_rows(const Queue&, const Source&, const Centering&); \
  template Buffer<T> take_rows(const Queue&, const Source&, const index_t*, index_t);
EIGENTROPY_INSTANTIATE(float)
EIGENTROPY_INSTANTIATE(double)
#undef EIGENTROPY_INSTANTIATE

}  // namespace eigentropy::cuda
