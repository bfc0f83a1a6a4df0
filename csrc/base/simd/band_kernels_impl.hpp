// The steps of a bulge chase, in the vector types of GCC and Clang; the rules of
// instruction_set.hpp hold here.
//
// A step computes, with H = I - tau v v^T and v_0 = 1,
//   u = tau B v,  H' from B e_0 - u
//   y = D v,  x = tau (y - (tau/2) (v.y) v),  D <- D - v x^T - x v^T
//   z = tau' (B^T v' - (v'.u) v),  B <- B - u v^T - v' z^T
// so that each entry is stored once: v'^T (B - u v^T) needs no B that is already updated. The
// square root and the divisions of H' run while D, which does not need them, is multiplied.
#include "base/simd/band_kernels.hpp"

#include "base/simd/indices_impl.hpp"

namespace eigentropy::simd {
namespace EIGENTROPY_INSTRUCTION_SET {

constexpr int vector_bytes = EIGENTROPY_VECTOR_BYTES;
constexpr int registers = vector_bytes == 64 ? 32 : 16;

template <class T>
struct Simd;
template <>
struct Simd<float> {
  typedef float Vector __attribute__((vector_size(vector_bytes)));
  typedef float Unaligned __attribute__((vector_size(vector_bytes), aligned(4), may_alias));
  typedef int Mask __attribute__((vector_size(vector_bytes)));
  typedef int Lane;
  static constexpr float smallest = 0x1p-126f, epsilon = 0x1p-23f;
};
template <>
struct Simd<double> {
  typedef double Vector __attribute__((vector_size(vector_bytes)));
  typedef double Unaligned __attribute__((vector_size(vector_bytes), aligned(8), may_alias));
  typedef long long Mask __attribute__((vector_size(vector_bytes)));
  typedef long long Lane;
  static constexpr double smallest = 0x1p-1022, epsilon = 0x1p-52;
};
template <class T>
using Vec = typename Simd<T>::Vector;
template <class T>
constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T>
inline Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename Simd<T>::Unaligned*>(p);
}
template <class T>
inline void store(T* p, Vec<T> x) {
  *reinterpret_cast<typename Simd<T>::Unaligned*>(p) = x;
}

// Lane i of the result: b_i + b_(i^h) where bit h of i is set, else a_i + a_(i^h).
template <int h, class V, int... I>
inline V fold(V a, V b, Indices<I...>) {
  constexpr int n = static_cast<int>(sizeof...(I));
  return __builtin_shufflevector(a, b, (I & h ? I + n : I)...) +
         __builtin_shufflevector(a, b, (I & h ? (I ^ h) + n : I ^ h)...);
}

// Lane i of the result, i < count: the sum of the lanes of x[i]. A transposition in log2 steps.
template <class T, int count, int h = 1>
inline Vec<T> sums(const Vec<T>* x) {
  using All = AllIndices<lanes<T>>;
  if constexpr (h == lanes<T>) {
    return x[0];
  } else {
    constexpr int half = count > 1 ? count / 2 : 1;
    Vec<T> folded[half];
    for (int i = 0; i < half; ++i) {
      folded[i] = fold<h>(x[count > 1 ? 2 * i : i], x[count > 1 ? 2 * i + 1 : i], All());
    }
    return sums<T, half, 2 * h>(folded);
  }
}
template <class T>
inline T sum(Vec<T> x) {
  return sums<T, 1>(&x)[0];
}

template <class T>
inline typename Simd<T>::Mask lane_numbers() {
  typename Simd<T>::Mask numbers;
  for (int i = 0; i < lanes<T>; ++i) numbers[i] = i;
  return numbers;
}

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }

// A tail |x_1..|^2 this small has lost digits to underflow, and H would not be orthogonal; it is
// dropped, which changes a matrix of norm 1 by less than 1e-15 (float) or 1e-145 (double).
template <class T>
constexpr T negligible = Simd<T>::smallest / Simd<T>::epsilon;

// Makes the reflector of the entries x[shift] .. x[size - 1], shift < lanes. Entries before
// x[shift] are zeros, in x and in the reflector. tau lies behind the reflector's last vector.
template <class T>
inline T reflect_from(const T* x, int shift, int size, T* reflector) {
  constexpr int L = lanes<T>;
  const auto first = static_cast<typename Simd<T>::Lane>(shift);
  Vec<T> squares = lane_numbers<T>() > first ? load(x) * load(x) : Vec<T>{};
  for (int i = L; i < size; i += L) squares += load(x + i) * load(x + i);
  const T tail = sum<T>(squares), alpha = x[shift];
  T beta = alpha, tau = 0, scale = 0;
  if (!(tail <= negligible<T>)) {
    const T norm = square_root(alpha * alpha + tail);
    beta = alpha > 0 ? -norm : norm;
    tau = (beta - alpha) / beta;
    scale = 1 / (alpha - beta);
  }
  for (int i = 0; i < size; i += L) store(reflector + i, load(x + i) * scale);
  reflector[shift] = 1;
  reflector[size] = tau;
  return beta;
}

template <class T>
T reflect(const T* x, index_t width, T* reflector) {
  return reflect_from(x, 0, static_cast<int>(width), reflector);
}

// One step for a width of `fixed` vectors; 0 stands for a width that is known only at run time.
//
// Rows of B that begin within a vector would make every load and store cross a cache line, which
// costs twice as much. They are `framed`: the loops begin `shift` rows before B and end as many
// vectors later as it takes, with zeros in u and v' for the rows that are not B's.
template <class T, int fixed, bool framed>
struct Chase {
  static constexpr int L = lanes<T>;
  // Columns that share the loads of v and w, as many as there are registers for.
  static constexpr int group = L < 4 ? L : (registers == 32 ? 8 : 4);
  // Independent chains of additions in B v.
  static constexpr int chains = fixed <= 2 ? 4 : fixed <= 4 ? 2 : 1;
  static constexpr int fixed_frame = fixed + (framed ? 1 : 0);

  // The loops work on copies of these members, since the compiler must assume that a store changes
  // a member.
  T* block;
  index_t stride;
  int count;
  int columns;
  int shift;
  const T* v;
  T tau;

  // The entries of a group, each broadcast to all lanes, are read before the loop for the same
  // reason.
  struct Spread {
    Vec<T> entries[group];
    explicit Spread(const T* x) {
      for (int c = 0; c < group; ++c) entries[c] = x[c] - Vec<T>{};
    }
    Vec<T> operator[](int c) const { return entries[c]; }
  };

  int vectors() const { return fixed != 0 ? fixed : count; }
  int width() const { return vectors() * L; }
  int frame() const { return width() + (framed ? L : 0); }
  T* square() const { return block + width() - (framed ? shift : 0); }

  // Zeros for the rows of the frame that are not B's.
  Vec<T> inside(int i, Vec<T> x) const {
    const auto number = lane_numbers<T>();
    const auto edge = static_cast<typename Simd<T>::Lane>(shift);
    if (framed && i == 0) return number >= edge ? x : Vec<T>{};
    if (framed && i == width()) return number < edge ? x : Vec<T>{};
    return x;
  }

  // D v = y + dots: the triangle's own rows, and the part by which it acts as its transpose.
  void multiply_triangle(T* y, T* dots) const {
    const index_t next_column = stride;
    const int size = width();
    const auto number = lane_numbers<T>();
    const Vec<T> zero{};
    for (int i = 0; i < size; i += L) {
      store(y + i, zero);
      store(dots + i, zero);
    }
    for (int q = 0; q < columns; q += group) {
      const T* first = block + q * next_column;
      const int top = q / L * L;
      const Spread v_q(v + q);
      Vec<T> products[group];
      Vec<T> sum_top[2] = {load(y + top), zero};
      const Vec<T> v_top = load(v + top);
      for (int c = 0; c < group; ++c) {
        const auto lane = static_cast<typename Simd<T>::Lane>(q + c - top);
        const Vec<T> entries = load(first + c * next_column + top);
        sum_top[c % 2] += (number >= lane ? entries : zero) * v_q[c];
        products[c] = (number > lane ? entries : zero) * v_top;
      }
      store(y + top, sum_top[0] + sum_top[1]);
      for (int i = top + L; i < size; i += L) {
        Vec<T> sum_i[2] = {load(y + i), zero};  // half as long a chain of additions
        const Vec<T> v_i = load(v + i);
        for (int c = 0; c < group; ++c) {
          const Vec<T> entries = load(first + c * next_column + i);
          sum_i[c % 2] += entries * v_q[c];
          products[c] += entries * v_i;
        }
        store(y + i, sum_i[0] + sum_i[1]);
      }
      // Lanes behind the group belong to the next group, or are zeros after the last column.
      const Vec<T> total = sums<T, group>(products);
      store(dots + q, group < L ? (number < group ? total : zero) : total);
    }
  }

  // x = tau (y - (tau/2) (v.y) v) for y + dots, in the place of y
  void complete(T* y, const T* dots) const {
    Vec<T> product{};
    for (int i = 0; i < width(); i += L) {
      const Vec<T> y_i = load(y + i) + load(dots + i);
      store(y + i, y_i);
      product += y_i * load(v + i);
    }
    const T half = tau / 2 * sum<T>(product);
    for (int i = 0; i < width(); i += L) store(y + i, (load(y + i) - load(v + i) * half) * tau);
  }

  // D <- D - v x^T - x v^T
  void update_triangle(const T* x) const {
    const index_t next_column = stride;
    const int size = width();
    for (int q = 0; q < columns; q += group) {
      T* first = block + q * next_column;
      const Spread v_q(v + q), x_q(x + q);
      for (int i = q / L * L; i < size; i += L) {
        const Vec<T> v_i = load(v + i), x_i = load(x + i);
        for (int c = 0; c < group; ++c) {
          T* entries = first + c * next_column + i;
          store(entries, load(entries) - v_i * x_q[c] - x_i * v_q[c]);
        }
      }
    }
  }

  // u = tau B v
  void multiply_square(T* u) const {
    const index_t next_column = stride;
    const int size = frame();
    const T* B = square();
    if constexpr (fixed == 0) {
      for (int i = 0; i < size; i += L) store(u + i, Vec<T>{});
      for (int q = 0; q < width(); q += group) {
        const Spread v_q(v + q);
        for (int i = 0; i < size; i += L) {
          Vec<T> sum_i[2] = {load(u + i), {}};
          for (int c = 0; c < group; ++c) {
            sum_i[c % 2] += load(B + (q + c) * next_column + i) * v_q[c];
          }
          store(u + i, sum_i[0] + sum_i[1]);
        }
      }
      for (int i = 0; i < size; i += L) store(u + i, inside(i, load(u + i) * tau));
    } else {
      Vec<T> partial[chains][fixed_frame] = {};
      for (int q = 0; q < width(); q += chains) {
        for (int c = 0; c < chains; ++c) {
          for (int i = 0; i < fixed_frame; ++i) {
            partial[c][i] += load(B + (q + c) * next_column + i * L) * v[q + c];
          }
        }
      }
      for (int i = 0; i < fixed_frame; ++i) {
        for (int c = 1; c < chains; ++c) partial[0][i] += partial[c][i];
        store(u + i * L, inside(i * L, partial[0][i] * tau));
      }
    }
  }

  T dot(const T* a, const T* b) const {
    Vec<T> product{};
    for (int i = 0; i < frame(); i += L) product += load(a + i) * load(b + i);
    return sum<T>(product);
  }

  // z = tau' (B^T v' - (v'.u) v) for one group of columns, u = tau w
  void project(int q, const T* next, T next_tau, T shared, T* z) const {
    const index_t next_column = stride;
    const int size = frame();
    const T* first = square() + q * next_column;
    Vec<T> products[group] = {};
    for (int i = 0; i < size; i += L) {
      const Vec<T> next_i = load(next + i);
      for (int c = 0; c < group; ++c) products[c] += load(first + c * next_column + i) * next_i;
    }
    store(z, (sums<T, group>(products) - load(v + q) * shared) * next_tau);
  }

  // B <- B - u v^T - v' z^T for one group of columns
  void update_columns(int q, const T* u, const T* next, const T* z) const {
    const index_t next_column = stride;
    const int size = frame();
    T* first = square() + q * next_column;
    const Spread v_q(v + q), z_q(z);
    for (int i = 0; i < size; i += L) {
      const Vec<T> next_i = load(next + i), u_i = load(u + i);
      for (int c = 0; c < group; ++c) {
        T* entries = first + c * next_column + i;
        store(entries, load(entries) - u_i * v_q[c] - next_i * z_q[c]);
      }
    }
  }

  // B <- H' B H. The sums of a group are on their way while the group before it is updated.
  void update_square(const T* u, const T* next, T next_tau) const {
    const T shared = dot(next, u);
    alignas(64) T z[2][16];
    project(0, next, next_tau, shared, z[0]);
    int q = 0, turn = 0;
    for (; q + group < width(); q += group, turn ^= 1) {
      project(q + group, next, next_tau, shared, z[turn ^ 1]);
      update_columns(q, u, next, z[turn]);
    }
    update_columns(q, u, next, z[turn]);
  }

  void step(T* reflector, T* work) const {
    const index_t room = width() + 2 * band_vector;  // a quarter of chase_work_size
    T *y = work, *u = y + room, *first = u + room, *next = first + room;
    const bool whole = columns == width();
    T beta = 0;
    if (whole) {
      multiply_square(u);
      for (int i = 0; i < frame(); i += L) {
        store(first + i, inside(i, load(square() + i)) - load(u + i));
      }
      beta = reflect_from(first, framed ? shift : 0, frame(), next);
    }
    multiply_triangle(y, first);
    complete(y, first);
    update_triangle(y);
    if (!whole) return;
    update_square(u, next, next[frame()]);
    for (int i = 0; i < width(); i += L) {
      store(block + width() + i, Vec<T>{});
      store(reflector + i, load(next + shift + i));
    }
    block[width()] = beta;
    reflector[width()] = next[frame()];
  }
};

template <class T, int fixed>
void chase_vectors(T* block, index_t stride, index_t row, index_t width, index_t columns,
                   T* reflector, T* work) {
  const int count = static_cast<int>(width) / lanes<T>, order = static_cast<int>(columns);
  const int shift = static_cast<int>(row % lanes<T>);
  const T tau = reflector[width];
  // Shorter vectors seldom cross a cache line, and a frame would be a large part of so few vectors.
  if constexpr (vector_bytes == 64) {
    if (shift != 0 && count >= 4) {
      Chase<T, fixed, true>{block, stride, count, order, shift, reflector, tau}.step(reflector,
                                                                                     work);
      return;
    }
  }
  Chase<T, fixed, false>{block, stride, count, order, 0, reflector, tau}.step(reflector, work);
}

template <class T>
void chase(T* block, index_t stride, index_t row, index_t width, index_t columns, T* reflector,
           T* work) {
  auto step = chase_vectors<T, 0>;
  if constexpr (registers == 32) {
    if (width == 16) step = chase_vectors<T, 16 / lanes<T>>;
    if (width == 32) step = chase_vectors<T, 32 / lanes<T>>;
    if (width == 48) step = chase_vectors<T, 48 / lanes<T>>;
    if (width == 64) step = chase_vectors<T, 64 / lanes<T>>;
    if (width == 96) step = chase_vectors<T, 96 / lanes<T>>;
  }
  step(block, stride, row, width, columns, reflector, work);
}

template <class T>
static constexpr BandKernels<T> table{reflect<T>, chase<T>};

}  // namespace EIGENTROPY_INSTRUCTION_SET

template <class T>
const BandKernels<T>& BandKernels<T>::EIGENTROPY_INSTRUCTION_SET() {
  return EIGENTROPY_INSTRUCTION_SET::table<T>;
}
template const BandKernels<float>& BandKernels<float>::EIGENTROPY_INSTRUCTION_SET();
template const BandKernels<double>& BandKernels<double>::EIGENTROPY_INSTRUCTION_SET();

}  // namespace eigentropy::simd
