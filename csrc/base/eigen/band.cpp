// Band to tridiagonal by bulge chasing, values only: the second stage of a two-stage solver.
//
// Sweep s annihilates column s below the subdiagonal by a reflector of length b, which fills a
// b x b block below the band. Step k of the sweep applies reflector k from both sides,
//
//   columns r .. r + b - 1, r = s + 1 + k b:   D <- H D H,   B <- H' B H
//
// and annihilates only the first column of the bulge in B, by H', the reflector of step k + 1: the
// rest is where sweep s + 1 expects it. n^2 / (2 b) steps of 12 b^2 flops.
//   C. Bischof, B. Lang, X. Sun, ACM TOMS 26 (2000) 581, "A framework for symmetric band reduction"
//   A. Haidar, H. Ltaief, J. Dongarra, SC 2011, "Parallel reduction to condensed forms ...": the
//   pipeline.
//
// Step k touches columns [r, r + b) and no other, so that step k of sweep s + 1 may begin when step
// k + 1 of sweep s is done. A thread leads a group of sweeps down the band, one block apart: what
// the first has brought into the cache the others find there. The groups form a pipeline over the
// threads. Every order that obeys the rule does the same arithmetic, so that the result does not
// depend on the order.
#include "base/eigen/band.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/buffer.hpp"
#include "base/pipeline.hpp"
#include "base/simd/band_kernels.hpp"
#include "base/threads.hpp"

namespace eigentropy {
namespace {

template <class T>
class Chaser {
 public:
  Chaser(BandView<T> band, T* d, T* e, int threads, Control& control)
      : band_(band),
        width_(round_band_width(band.width)),
        sweeps_(band.n - 2),
        group_(group_size(band.n, width_, threads)),
        d_(d),
        e_(e),
        control_(control),
        kernels_(simd::band_kernels<T>()),
        pipeline_(groups()),
        reflectors_(threads * group_ * simd::reflector_size(width_)),
        work_(threads * simd::chase_work_size(width_)) {}

  index_t groups() const { return (sweeps_ + group_ - 1) / group_; }

  void chase_group(index_t group, int worker) {
    try {
      run(group, worker);
    } catch (...) {
      pipeline_.stop();
      throw;
    }
  }

 private:
  // Large enough that the blocks of one wave, b x 1.5 b entries each, fill a part of the
  // second-level cache; small enough that the groups of all threads together span half of the
  // matrix.
  static index_t group_size(index_t n, index_t width, int threads) {
    constexpr index_t cache_share = 256 * 1024;
    const index_t bytes = width * width * 3 / 2 * static_cast<index_t>(sizeof(T));
    const index_t cached = std::clamp<index_t>(cache_share / bytes, 2, 16);
    return std::clamp<index_t>(n / (2 * width * threads) - 1, 1, cached);
  }

  index_t steps(index_t sweep) const { return (band_.n - 1 - sweep + width_ - 1) / width_; }

  // Wave p: step p of the group's first sweep, step p - 1 of its second, ...
  void run(index_t group, int worker) {
    const index_t first = group * group_, members = std::min(group_, sweeps_ - first);
    const index_t waves = steps(first) + members - 1;
    index_t ahead = group == 0 ? waves + group_ : 0;
    for (index_t wave = 0; wave < waves; ++wave) {
      control_.check();
      if (ahead < wave + group_ + 1) ahead = pipeline_.wait(group - 1, wave + group_ + 1, control_);
      for (index_t member = 0; member < std::min(members, wave + 1); ++member) {
        step(first + member, wave - member, worker * group_ + member, worker);
      }
      pipeline_.advance(group, wave + 1);
    }
    pipeline_.finish(group);
  }

  void step(index_t sweep, index_t k, index_t slot, int worker) {
    if (k >= steps(sweep)) return;
    T* reflector = reflectors_.data() + slot * simd::reflector_size(width_);
    if (k == 0) {
      const T* column = band_.data + sweep * band_.stride;
      d_[sweep] = column[0];
      e_[sweep] = kernels_.reflect(column + 1, width_, reflector);
    }
    const index_t row = sweep + 1 + k * width_;
    kernels_.chase(band_.data + row * band_.stride, band_.stride - 1, row, width_,
                   std::min(width_, band_.n - row), reflector,
                   work_.data() + worker * simd::chase_work_size(width_));
  }

  BandView<T> band_;
  index_t width_;
  index_t sweeps_;
  index_t group_;
  T* d_;
  T* e_;
  Control& control_;
  const simd::BandKernels<T>& kernels_;
  Pipeline pipeline_;
  Buffer<T> reflectors_;
  Buffer<T> work_;
};

// The power of two that makes the largest entry about 1, so that squares of entries neither
// overflow nor vanish. It is 1 if no scaling is needed, or if none would help (zero, NaN,
// infinity).
template <class T>
T safe_scale(BandView<T> band) {
  T largest = 0;
  for (index_t j = 0; j < band.n; ++j) {
    const T* column = band.data + j * band.stride;
    const index_t entries = std::min(band.width + 1, band.n - j);
    for (index_t i = 0; i < entries; ++i) largest = std::max(largest, std::abs(column[i]));
  }
  constexpr T moderate = sizeof(T) == sizeof(double) ? T(1e20) : T(1e4);
  if (!(largest > 0) || !std::isfinite(largest)) return 1;
  if (largest < moderate && largest > 1 / moderate) return 1;
  constexpr int limit = std::numeric_limits<T>::max_exponent - 2;  // 1 / scale is finite, too
  return std::ldexp(T(1), std::clamp(-std::ilogb(largest), -limit, limit));
}

// Scales the entries and sets all elements that hold no entry to 0.
template <class T>
void prepare(BandView<T> band, T scale) {
  const index_t columns = band.n + round_band_width(band.width);
  for (index_t j = 0; j < columns; ++j) {
    T* column = band.data + j * band.stride;
    const index_t entries = std::clamp<index_t>(band.n - j, 0, band.width + 1);
    if (scale != 1) {
      for (index_t i = 0; i < entries; ++i) column[i] *= scale;
    }
    std::fill(column + entries, column + band.stride, T(0));
  }
}

// Each thread works at least one group, and at least two blocks, behind the thread before it.
// Starting a thread costs about as much as a million flops.
int useful_threads(index_t n, index_t width, int threads) {
  const index_t room = n / (4 * width);
  const double work =
      6.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(width) / 1e7;
  const index_t worth = static_cast<index_t>(std::min(work, 1e6));
  return static_cast<int>(std::clamp<index_t>(std::min(room, worth), 1, std::max(1, threads)));
}

template <class T>
void copy_tridiagonal(BandView<T> band, index_t from, T* d, T* e) {
  for (index_t j = from; j < band.n; ++j) {
    d[j] = band.data[j * band.stride];
    if (j + 1 < band.n) e[j] = band.width > 0 ? band.data[j * band.stride + 1] : T(0);
  }
}

}  // namespace

template <class T>
void tridiagonalize(BandView<T> band, T* d, T* e, int threads, Control& control) {
  control.check();
  if (band.width <= 1 || band.n <= 2) return copy_tridiagonal(band, 0, d, e);
  if (band.stride < band_stride(band.width)) {
    throw std::invalid_argument("the columns of the band are too close for a bulge");
  }
  threads = useful_threads(band.n, round_band_width(band.width), threads);
  const T scale = safe_scale(band);
  prepare(band, scale);
  Chaser<T> chaser(band, d, e, threads, control);
  parallel_for(chaser.groups(), threads,
               [&](index_t group, int worker) { chaser.chase_group(group, worker); });
  copy_tridiagonal(band, band.n - 2, d, e);
  if (scale == 1) return;
  for (index_t i = 0; i < band.n; ++i) d[i] /= scale;
  for (index_t i = 0; i + 1 < band.n; ++i) e[i] /= scale;
}

template void tridiagonalize(BandView<float>, float*, float*, int, Control&);
template void tridiagonalize(BandView<double>, double*, double*, int, Control&);

}  // namespace eigentropy
