#include "cpu/eigen/lane_solver.hpp"

#include <algorithm>
#include <cmath>

#include "base/spectrum.hpp"

namespace eigentropy {
namespace {

// Up to this order, a batch of so many full groups is solved in lanes. A group takes as long as a
// few matrices one by one, and more of them the larger they are: benchmarks/cpp/bench_lanes.cpp
// measures it for each instruction set. Where a group takes milliseconds, there must be enough
// groups to keep threads busy: in float32, lanes take a third of the processor time at order 256,
// so that they are the faster way for up to three times as many threads as there are groups.
struct Crossover {
  index_t order;
  double groups;
};
constexpr Crossover crossovers[] = {{64, 0.25}, {128, 0.5}, {400, 8.0}};

}  // namespace

template <class T>
LaneSolver<T>::LaneSolver(index_t max_n)
    : lanes_(lanes()),
      capacity_(groups_at_once() * lanes_),
      entries_(max_n * (max_n + 1) / 2 * lanes_),
      work_(5 * max_n * lanes_),
      diagonal_(max_n * capacity_),
      squares_(max_n * capacity_),
      roots_(max_n * capacity_),
      largest_(capacity_),
      finite_(capacity_),
      first_(capacity_),
      second_(capacity_),
      exponent_(capacity_),
      trace_(capacity_),
      frobenius2_(capacity_),
      unused_(capacity_) {}

// As many groups as are best, but no less than a task for each thread.
template <class T>
index_t LaneSolver<T>::task(index_t count, int threads) {
  const index_t groups = (count + lanes() - 1) / lanes();
  return lanes() * std::clamp<index_t>(groups / threads, 1, groups_at_once());
}

template <class T>
void LaneSolver<T>::start(index_t order) {
  order_ = order;
  groups_ = 0;
}

template <class T>
void LaneSolver<T>::reduce(const index_t* unused) {
  const index_t first = groups_ * order_ * lanes_;
  std::copy_n(unused, lanes_, unused_.data() + groups_ * lanes_);
  matrix_kernels_.tridiagonalize(entries_.data(), order_, work_.data(), diagonal_.data() + first,
                                 squares_.data() + first);
  ++groups_;
}

template <class T>
void LaneSolver<T>::find_eigenvalues() {
  root_kernels_.eigenvalues(groups_, order_, diagonal_.data(), squares_.data(), roots_.data(),
                            unused_.data());
}

template <class T>
void LaneSolver<T>::copy(index_t problem, index_t n, T* w) const {
  const T* const roots = roots_.data() + problem / lanes_ * order_ * lanes_ + problem % lanes_;
  for (index_t i = 0; i < n; ++i) w[i] = roots[i * lanes_];
}

// Makes the matrices of the next group. Their largest entries become 1 to 2, so that no square of
// an entry that counts is lost.
template <class T>
void LaneSolver<T>::load(const LaneProblem<T>* problems, index_t count) {
  const index_t first = groups_ * lanes_;
  simd::LaneSource<T> sources[most_lanes];
  index_t unused[most_lanes];
  for (index_t k = 0; k < lanes_; ++k) {
    sources[k] = problems[k < count ? k : 0].matrix;  // a lane too many takes another's
    unused[k] = order_ - sources[k].n;
  }
  matrix_kernels_.interleave(sources, order_, entries_.data(), largest_.data() + first,
                             finite_.data() + first);
  for (index_t k = first; k < first + lanes_; ++k) {
    const bool any = is_finite(k) && largest_[k] > 0;
    exponent_[k] = any ? std::ilogb(largest_[k]) : 0;
    const int half = exponent_[k] / 2;
    first_[k] = std::ldexp(T(1), -half);
    second_[k] = std::ldexp(T(1), half - exponent_[k]);
  }
  matrix_kernels_.scale(entries_.data(), order_, first_.data() + first, second_.data() + first,
                        trace_.data() + first, frobenius2_.data() + first);
  reduce(unused);
}

// w <- the eigenvalues of a problem. Returns whether they add up to the traces of its matrix.
template <class T>
bool LaneSolver<T>::take(index_t problem, index_t n, T* w) const {
  copy(problem, n, w);
  const bool matches = spectrum_matches(w, n, trace_[problem], frobenius2_[problem]);
  const double scale = std::ldexp(1.0, exponent_[problem]);
  for (index_t i = 0; i < n; ++i) w[i] = static_cast<T>(static_cast<double>(w[i]) * scale);
  return matches;
}

template <class T>
void LaneSolver<T>::solve(LaneProblem<T>* problems, index_t count) {
  using Outcome = typename LaneProblem<T>::Outcome;
  index_t order = 1;
  for (index_t k = 0; k < count; ++k) order = std::max(order, problems[k].matrix.n);
  start(order);
  for (index_t first = 0; first < count; first += lanes_) {
    load(problems + first, std::min(lanes_, count - first));
  }
  find_eigenvalues();
  for (index_t k = 0; k < count; ++k) {
    LaneProblem<T>& problem = problems[k];
    if (!is_finite(k)) {
      problem.outcome = Outcome::not_finite;
    } else {
      problem.outcome = take(k, problem.matrix.n, problem.w) ? Outcome::solved : Outcome::failed;
    }
  }
}

template <class T>
bool prefers_lanes(index_t count, index_t n) {
  const double groups = static_cast<double>(count) / static_cast<double>(LaneSolver<T>::lanes());
  for (const Crossover& crossover : crossovers) {
    if (n <= crossover.order) return n > 0 && count > 1 && groups >= crossover.groups;
  }
  return false;
}

template class LaneSolver<float>;
template class LaneSolver<double>;
template bool prefers_lanes<float>(index_t, index_t);
template bool prefers_lanes<double>(index_t, index_t);

}  // namespace eigentropy
