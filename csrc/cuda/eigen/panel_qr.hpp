// QR factorisation of tall panels by Householder reflectors, Q = I - V T V^T, on the device.
#pragma once

#include "cuda/runtime.hpp"

namespace eigentropy::cuda {

// `count` panels of `rows` x `width` entries, column-major: `stride` elements from one column to
// the next, `step` from one panel to the next.
template <class T>
struct Panels {
  T* entries;
  index_t stride, step, rows;
};

// Where the factors of each panel go. V: rows x width, column-major, unit lower trapezoidal, and a
// copy of it `copy` elements further on. band: R_ij is at element j * (width + 1) + width + i - j.
template <class T>
struct Factors {
  T* V;
  index_t stride, step, copy;
  T* band;
  index_t band_step;
};

// For panels of `width` columns and up to `most_rows` rows, one after the other.
template <class T>
class PanelQr {
 public:
  static constexpr int widest = 64;

  PanelQr(const Queue& queue, index_t most_rows, index_t width, index_t count);

  // The panels are destroyed. A panel with fewer rows than columns has fewer reflectors; the
  // missing ones are zero.
  void factor(const Queue& queue, const Panels<T>& panels, const Factors<T>& out) const;

  // T of each panel: width x width, column-major, upper triangular.
  const T* factors() const { return factors_.data(); }

 private:
  index_t width_, count_;
  DeviceBuffer<double> products_;  // two buffers: of this pass and of the pass before
  DeviceBuffer<double> gram_;      // v_i . v_j for i < j, before normalisation
  DeviceBuffer<double> tau_;       // of the normalised reflectors; 0: none
  DeviceBuffer<double> scale_;     // normalises v_j, so that its first entry is 1
  DeviceBuffer<T> factors_;
};

}  // namespace eigentropy::cuda
