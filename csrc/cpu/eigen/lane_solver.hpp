// Eigenvalues of small symmetric matrices, as many at once as a SIMD vector has lanes.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"
#include "cpu/simd/lane_matrix_kernels.hpp"
#include "cpu/simd/lane_root_kernels.hpp"

namespace eigentropy {

// A matrix, room for its eigenvalues, descending, and what became of it.
template <class T>
struct LaneProblem {
  enum class Outcome {
    solved,
    not_finite,
    failed  // the eigenvalues do not add up to the traces of the matrix
  };

  simd::LaneSource<T> matrix{};
  T* w = nullptr;
  Outcome outcome = Outcome::failed;
};

// One thread's memory for some groups of matrices, of order max_n or less. What it finds for a
// matrix does not depend, to the bit, on the matrices beside it.
template <class T>
class LaneSolver {
 public:
  explicit LaneSolver(index_t max_n);

  // Matrices of a group, and groups that are best solved at once.
  static index_t lanes() { return simd::lane_matrix_kernels<T>().lanes; }
  static index_t groups_at_once() { return simd::lane_root_kernels<T>().groups_at_once; }
  static constexpr index_t most_lanes = 64 / static_cast<index_t>(sizeof(T));
  static constexpr index_t most_problems = 4 * most_lanes;

  // Problems of one task, if there are `count` for all threads.
  static index_t task(index_t count, int threads);

  // Solves up to groups_at_once() lanes() problems, which are at most most_problems.
  void solve(LaneProblem<T>* problems, index_t count);

  // The same in steps, for matrices whose norms are 0, or from about 1 to about 2 n: start(); for
  // each group, entries() is filled with a packed group of the order, and reduce() is told how many
  // rows at the start of each lane are not used; find_eigenvalues(); copy() of each problem,
  // numbered as they came.
  void start(index_t order);
  T* entries() const { return entries_.data(); }
  void reduce(const index_t* unused);
  void find_eigenvalues();
  void copy(index_t problem, index_t n, T* w) const;

 private:
  void load(const LaneProblem<T>* problems, index_t count);
  bool take(index_t problem, index_t n, T* w) const;
  bool is_finite(index_t problem) const { return finite_[problem] == 0; }

  const simd::LaneMatrixKernels<T>& matrix_kernels_ = simd::lane_matrix_kernels<T>();
  const simd::LaneRootKernels<T>& root_kernels_ = simd::lane_root_kernels<T>();
  index_t lanes_, capacity_;        // in matrices
  index_t order_ = 0, groups_ = 0;  // of the groups at hand
  Buffer<T> entries_, work_;        // of one group
  Buffer<T> diagonal_, squares_, roots_;
  Buffer<T> largest_, finite_, first_, second_;  // one for each problem, and so on
  Buffer<int> exponent_;
  Buffer<double> trace_, frobenius2_;
  Buffer<index_t> unused_;
};

// Whether `count` matrices of order n are solved sooner in lanes than one by one. It does not
// depend on the number of threads, so that the results do not either.
template <class T>
bool prefers_lanes(index_t count, index_t n);

}  // namespace eigentropy
