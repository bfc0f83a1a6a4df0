// The QR iteration without square roots (Pal, Walker and Kahan; LAPACK's sterf has it, too), with
// Wilkinson's shift. A sweep runs from the first row to the last row that any lane still needs:
// eigenvalues are found at the end of each lane's matrix, in each lane at its own pace. Where a
// matrix falls into blocks, the sweep starts anew at each of them by itself.
//
// The rules of instruction_set.hpp hold here.
#include "cpu/simd/lane_root_kernels.hpp"

#include "cpu/simd/lane_vectors_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

// Sweeps for each row, at most; less than two are usual.
constexpr index_t most_sweeps = 30;

// Groups whose sweeps run side by side: each step depends on the step before.
constexpr index_t groups_at_once = EIGENTROPY_VECTOR_BYTES == 64 ? 4 : 2;

template <class T>
struct LaneGroup {
  Lanes<T>*d, *e2, *roots;
  // Squares of off-diagonal entries that are taken for zero: those of entries below eps times the
  // largest entry, which is as far as the rounding of a sweep reaches.
  Lanes<T> negligible;
  // The row where each lane's next eigenvalue is to appear; -1: the lane has all of them. The rows
  // after it are not used any more.
  LaneIntegers<T> last;
};

// Takes the eigenvalues that have appeared. Returns the last row that any lane needs.
template <class T>
inline index_t deflate(LaneGroup<T>& group) {
  constexpr index_t width = lane_count<T>;
  const T* const d = reinterpret_cast<const T*>(group.d);
  const T* const e2 = reinterpret_cast<const T*>(group.e2);
  T* const roots = reinterpret_cast<T*>(group.roots);
  index_t most = -1;
  for (index_t k = 0; k < width; ++k) {
    index_t row = static_cast<index_t>(group.last[k]);
    for (; row >= 0 && (row == 0 || e2[(row - 1) * width + k] == 0); --row) {
      roots[row * width + k] = d[row * width + k];
    }
    group.last[k] = static_cast<int>(row);
    most = row > most ? row : most;
  }
  return most;
}

// The eigenvalue of the last two rows that is nearer to the last entry.
template <class T>
inline Lanes<T> shift(const LaneGroup<T>& group) {
  constexpr index_t width = lane_count<T>;
  Lanes<T> end{}, before{}, square{};
  for (index_t k = 0; k < width; ++k) {
    const index_t row = static_cast<index_t>(group.last[k]);
    square[k] = 1;
    if (row < 0) continue;
    end[k] = reinterpret_cast<const T*>(group.d)[row * width + k];
    before[k] = reinterpret_cast<const T*>(group.d)[(row - 1) * width + k];
    square[k] = reinterpret_cast<const T*>(group.e2)[(row - 1) * width + k];
  }
  const Lanes<T> half = T(0.5) * (before - end);
  const Lanes<T> step = square / (magnitude(half) + square_root<T>(half * half + square));
  return half < 0 ? end + step : end - step;
}

// A sweep at work. In the notation of sterf: c and s are squares of cosine and sine, p that of the
// entry that the next rotation takes to zero.
template <class T>
struct Sweep {
  Lanes<T> sigma, c, s, gamma, p;
};

template <class T>
inline Sweep<T> start(const LaneGroup<T>& group) {
  Sweep<T> sweep;
  sweep.sigma = shift<T>(group);
  sweep.c = Lanes<T>{} + 1;
  sweep.s = Lanes<T>{};
  sweep.gamma = group.d[0] - sweep.sigma;
  sweep.p = sweep.gamma * sweep.gamma;
  return sweep;
}

// Row i, which gets its new diagonal entry, and the off-diagonal entry above it. Where the entry
// below it is zero, a block ends, and the sweep starts anew.
template <class T>
inline __attribute__((always_inline)) void step(const LaneGroup<T>& group, Sweep<T>& sweep,
                                                index_t i, const Lanes<T>& below) {
  typedef Lanes<T> V;
  constexpr T tiny = sizeof(T) == sizeof(double) ? T(0x1p-900) : T(0x1p-100);
  const V one = V{} + 1;
  const V b = group.e2[i];
  const auto ends = b == 0;
  const auto vanishes = sweep.p < tiny;
  const V r = sweep.p + b;
  const V square = sweep.s * r;
  const V inverse = one / (ends ? one : r);
  const V ratio = r / (vanishes ? one : sweep.p);
  const V c = ends ? one : sweep.p * inverse;
  const V s = b * inverse;
  const V x = below - sweep.sigma;
  const V gamma = c * x - s * sweep.gamma;
  group.d[i] = sweep.gamma + (ends ? sweep.sigma : below - gamma);
  if (i > 0) group.e2[i - 1] = square > group.negligible ? square : V{};
  // p = gamma^2 / c, or its limit where that is 0 / 0.
  const V quotient = (gamma * (ends ? one : ratio)) * gamma;
  const V limit = ends ? quotient : sweep.c * b;
  sweep.p = vanishes ? limit : quotient;
  sweep.c = c;
  sweep.s = s;
  sweep.gamma = gamma;
}

// Batcher's merge exchange (Knuth, The Art of Computer Programming, 5.2.2, algorithm M): which
// entries are compared does not depend on their values.
template <class T>
inline void sort_descending(Lanes<T>* d, index_t n) {
  index_t top = 1;
  while (2 * top < n) top *= 2;
  for (index_t p = top; p > 0; p /= 2) {
    index_t q = top, r = 0, distance = p;
    for (;;) {
      for (index_t i = 0; i + distance < n; ++i) {
        if ((i & p) != r) continue;
        const Lanes<T> a = d[i], b = d[i + distance];
        const auto wrong = a < b;
        d[i] = wrong ? b : a;
        d[i + distance] = wrong ? a : b;
      }
      if (q == p) break;
      distance = q - p;
      q /= 2;
      r = p;
    }
  }
}

template <class T>
inline LaneGroup<T> prepare(index_t n, T* d, T* e2, T* roots) {
  LaneGroup<T> group{reinterpret_cast<Lanes<T>*>(d),
                     reinterpret_cast<Lanes<T>*>(e2),
                     reinterpret_cast<Lanes<T>*>(roots),
                     {},
                     {}};
  Lanes<T> largest{};
  for (index_t i = 0; i < n; ++i) {
    const Lanes<T> diagonal = group.d[i] * group.d[i], square = group.e2[i];
    largest = diagonal > largest ? diagonal : largest;
    largest = square > largest ? square : largest;
  }
  group.negligible = lane_epsilon<T> * lane_epsilon<T> * largest;
  for (index_t i = 0; i < n; ++i) {
    const Lanes<T> square = group.e2[i];
    group.e2[i] = square > group.negligible ? square : Lanes<T>{};
  }
  group.last = LaneIntegers<T>{} + static_cast<int>(n - 1);
  return group;
}

template <class T>
inline void finish(LaneGroup<T>& group, index_t n, const index_t* unused) {
  constexpr index_t width = lane_count<T>;
  constexpr T infinity = static_cast<T>(__builtin_inf()), nan = static_cast<T>(__builtin_nan(""));
  T* const roots = reinterpret_cast<T*>(group.roots);
  for (index_t k = 0; k < width; ++k) {
    const index_t missing = static_cast<index_t>(group.last[k]) + 1;
    for (index_t i = 0; i < missing; ++i) roots[i * width + k] = nan;
    for (index_t i = 0; i < unused[k]; ++i) roots[i * width + k] = -infinity;
  }
  sort_descending<T>(group.roots, n);
}

template <class T, index_t groups>
inline void solve_groups(index_t n, T* d, T* e2, T* roots, const index_t* unused) {
  constexpr index_t width = lane_count<T>;
  LaneGroup<T> group[groups];
  for (index_t g = 0; g < groups; ++g) {
    const index_t first = g * n * width;
    group[g] = prepare<T>(n, d + first, e2 + first, roots + first);
  }
  for (index_t sweeps = 0; sweeps < most_sweeps * n; ++sweeps) {
    index_t last = -1;
    for (index_t g = 0; g < groups; ++g) {
      const index_t own = deflate<T>(group[g]);
      last = own > last ? own : last;
    }
    if (last < 0) break;
    Sweep<T> sweep[groups];
    for (index_t g = 0; g < groups; ++g) sweep[g] = start<T>(group[g]);
    for (index_t i = 0; i <= last; ++i) {
#pragma GCC unroll 4
      for (index_t g = 0; g < groups; ++g) {
        step<T>(group[g], sweep[g], i, i + 1 < n ? group[g].d[i + 1] : Lanes<T>{});
      }
    }
  }
  for (index_t g = 0; g < groups; ++g) finish<T>(group[g], n, unused + g * width);
}

template <class T>
void eigenvalues(index_t groups, index_t n, T* d, T* e2, T* roots, const index_t* unused) {
  constexpr index_t width = lane_count<T>;
  while (groups > 0) {
    index_t taken = groups < groups_at_once ? groups : groups_at_once;
    if (taken == 3) taken = 2;
    if (taken == 4) solve_groups<T, groups_at_once>(n, d, e2, roots, unused);
    if (taken == 2) solve_groups<T, 2>(n, d, e2, roots, unused);
    if (taken == 1) solve_groups<T, 1>(n, d, e2, roots, unused);
    d += taken * n * width;
    e2 += taken * n * width;
    roots += taken * n * width;
    unused += taken * width;
    groups -= taken;
  }
}

template <class T>
static constexpr LaneRootKernels<T> table{groups_at_once, eigenvalues<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const LaneRootKernels<T>& LaneRootKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const LaneRootKernels<float>& LaneRootKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const LaneRootKernels<double>& LaneRootKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
