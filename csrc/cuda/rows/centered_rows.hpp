// The caller's rows, on the device.
#pragma once

#include "base/centers.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

enum class Type { float16, bfloat16, float32, float64 };

// The caller's matrix in device memory, rows x cols: row i starts at data + row * row_stride, in
// elements, where row is i or, if `chosen` (device memory) is not null, chosen[i].
struct Source {
  const void* data;
  Type type;
  index_t rows, cols;
  index_t row_stride, col_stride;
  const index_t* chosen = nullptr;
};

// Rows with NaN or infinity: how many, and the first one (-1: none).
struct NonFiniteRows {
  index_t count, first;
};
NonFiniteRows find_nonfinite_rows(const Queue& queue, const Source& Z);

// x_i = (z_i - c) / scale in T, n x d, and |x_i|^2. Subtracting the centre c changes no distance
// and keeps |x|^2 + |y|^2 - 2 x.y from cancelling; dividing by a power of two keeps it from
// overflowing. c and scale are those of the host's CenteredRows: the column mean, rounded to a
// multiple of a power of two between 1/16 and 1/32 of the column's range, so that data on a coarse
// grid stay exact; wide gaps of a column are closed where a Centering asks for it.
template <class T>
struct DeviceRows {
  index_t n = 0, d = 0;
  double scale = 1.0;
  DeviceBuffer<T> x;      // n x d
  DeviceBuffer<T> norms;  // n
  T max_norm = 0;         // the largest of them
};

// Throws invalid_argument if a row is not finite in T. Columns whose values are far apart are
// brought to the host, which closes their gaps.
template <class T>
DeviceRows<T> center_rows(const Queue& queue, const Source& Z, const Centering& how = {});

// The chosen rows (host memory) as float32 or float64, on the host: count x cols.
template <class T>
Buffer<T> take_rows(const Queue& queue, const Source& Z, const index_t* rows, index_t count);

// Largest distance of a row from the centre.
double largest_distance_from_center(const Queue& queue, const Source& Z, const Centering& how = {});

}  // namespace eigentropy::cuda
