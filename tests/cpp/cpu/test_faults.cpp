// Routines that fail when told to: every info is read, and a wrong answer is never returned.
//
// The linker sends each call of routine r to __wrap_r (CMakeLists.txt); __real_r is LAPACK's.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#include "base/errors.hpp"
#include "base/subsets.hpp"
#include "checkers.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/eigen/symmetric_spectra.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "cpu/simd/lane_root_kernels.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

// What a routine does in place of its work, `after` some good calls and for as many as `calls`.
// Queries of the size of the workspace do not count. Threads that call the routine at once take
// their turns one by one: two of them must not use up the same call.
struct Fault {
  std::mutex turns;
  std::atomic<int> after{0};
  std::atomic<int> calls{0};
  std::atomic<int> info{0};
  std::atomic<bool> silent{false};  // info = 0, and a result that is wrong

  void of(int how_many, int value) {
    info = value;
    silent = false;
    calls = how_many;
  }
  void silently(int how_many) {
    info = 0;
    silent = true;
    calls = how_many;
  }
  bool strikes() {
    const std::lock_guard turn(turns);
    if (calls == 0) return false;
    if (after > 0) {
      --after;
      return false;
    }
    --calls;
    return true;
  }
};

Fault sytrd_fault, sterf_fault, syevr_fault;
Fault panel_fault;  // of our own first stage; it has no info
Fault lane_fault;   // of the eigenvalues of a group; one of them becomes wrong

constexpr int always = 1'000'000;

}  // namespace
}  // namespace eigentropy::testing

extern "C" {
using eigentropy::index_t;
using eigentropy::testing::lane_fault;
using eigentropy::testing::panel_fault;
using eigentropy::testing::sterf_fault;
using eigentropy::testing::syevr_fault;
using eigentropy::testing::sytrd_fault;
using LaneRoots = eigentropy::simd::LaneRootKernels<double>;

// NOLINTBEGIN: the linker wants these names.
#define EIGENTROPY_WRAP(name, fault, failed, spoil, parameters, arguments) \
  void __real_scipy_##name##_ parameters;                                  \
  void __wrap_scipy_##name##_ parameters {                                 \
    if (failed && fault.strikes()) {                                       \
      *info = fault.info;                                                  \
      if (!fault.silent) return;                                           \
      __real_scipy_##name##_ arguments;                                    \
      spoil;                                                               \
      return;                                                              \
    }                                                                      \
    __real_scipy_##name##_ arguments;                                      \
  }
EIGENTROPY_WRAP(dsytrd, sytrd_fault, *lwork != -1, d[0] += 0.5,
                (const char* uplo, const int* n, double* a, const int* lda, double* d, double* e,
                 double* tau, double* work, const int* lwork, int* info, std::size_t length),
                (uplo, n, a, lda, d, e, tau, work, lwork, info, length))
EIGENTROPY_WRAP(dsterf, sterf_fault, true, d[0] += 0.5,
                (const int* n, double* d, double* e, int* info), (n, d, e, info))
EIGENTROPY_WRAP(dsyevr, syevr_fault, *lwork != -1, *found -= 1,
                (const char* jobz, const char* range, const char* uplo, const int* n, double* a,
                 const int* lda, const double* vl, const double* vu, const int* il, const int* iu,
                 const double* abstol, int* found, double* w, double* z, const int* ldz,
                 int* isuppz, double* work, const int* lwork, int* iwork, const int* liwork,
                 int* info, std::size_t a1, std::size_t a2, std::size_t a3),
                (jobz, range, uplo, n, a, lda, vl, vu, il, iu, abstol, found, w, z, ldz, isuppz,
                 work, lwork, iwork, liwork, info, a1, a2, a3))
#undef EIGENTROPY_WRAP
// PanelQr<double>::factor
void __real__ZN10eigentropy7PanelQrIdE6factorElPKdlPdS4_S4_l(void* self, index_t m, const double* P,
                                                             index_t stride, double* V,
                                                             double* factor, double* R,
                                                             index_t R_stride);
void __wrap__ZN10eigentropy7PanelQrIdE6factorElPKdlPdS4_S4_l(void* self, index_t m, const double* P,
                                                             index_t stride, double* V,
                                                             double* factor, double* R,
                                                             index_t R_stride) {
  __real__ZN10eigentropy7PanelQrIdE6factorElPKdlPdS4_S4_l(self, m, P, stride, V, factor, R,
                                                          R_stride);
  if (panel_fault.strikes()) factor[0] = 0.0;
}
// The tables of simd::LaneRootKernels<double>. The solver takes a table whose function is spoilt. A
// reference is returned as a pointer is, and C knows no references.
#define EIGENTROPY_WRAP_LANES(name)                                                               \
  const LaneRoots* __real__ZN10eigentropy4simd15LaneRootKernelsIdE##name##Ev();                   \
  const LaneRoots* __wrap__ZN10eigentropy4simd15LaneRootKernelsIdE##name##Ev() {                  \
    static const LaneRoots* real = __real__ZN10eigentropy4simd15LaneRootKernelsIdE##name##Ev();   \
    static const LaneRoots spoilt{                                                                \
        real->groups_at_once, [](index_t groups, index_t n, double* d, double* e2, double* roots, \
                                 const index_t* unused) {                                         \
          real->eigenvalues(groups, n, d, e2, roots, unused);                                     \
          if (lane_fault.strikes()) roots[0] += 0.5;                                              \
        }};                                                                                       \
    return &spoilt;                                                                               \
  }
EIGENTROPY_WRAP_LANES(8baseline)
#ifdef EIGENTROPY_X86
EIGENTROPY_WRAP_LANES(4avx2)
EIGENTROPY_WRAP_LANES(6avx512)
#endif
#undef EIGENTROPY_WRAP_LANES
// NOLINTEND
}

namespace eigentropy::testing {
namespace {

class Faults : public ::testing::Test {
 protected:
  void TearDown() override {
    for (Fault* fault : {&sytrd_fault, &sterf_fault, &syevr_fault, &panel_fault, &lane_fault}) {
      fault->calls = 0;
    }
  }
};

constexpr index_t small_order = 50;   // one stage, and sterf
constexpr index_t large_order = 600;  // two stages, and no LAPACK
const std::string sytrd_error = "LAPACK's sytrd returned info = 2, which has no meaning for it";
const std::string sterf_error =
    "LAPACK's sterf did not converge in 30 n iterations: 2 off-diagonal entries are "
    "not zero";

std::string wrong_sums(index_t n) {
  const std::string order = std::to_string(n);
  return "the eigenvalues do not add up to the traces of the " + order + " x " + order +
         " matrix, or are outside of its bounds";
}

template <class Error, class Run>
std::string message_of(const Run& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error of this kind";
}

CenteredRows<double> sample(index_t n) { return centered(gaussian_rows<double>(n, 3, 1)); }

std::vector<double> spectrum_of(const CenteredRows<double>& X) {
  Control control;
  return as_doubles(diffusion_spectrum(X, {0.8, 0.5, true}, 2, control).eigenvalues);
}

void solve(index_t n, Reduction reduction) {
  auto A = with_spectrum<double>(prescribed_spectra(n)[0].lambda);
  std::vector<double> w(static_cast<std::size_t>(n));
  Control control;
  eigenvalues(A.symmetric(), w.data(), reduction, 2, control, 0.0, 1.0);
}

void solve_top(index_t n) {
  auto A = with_spectrum<double>(prescribed_spectra(n)[0].lambda);
  std::vector<double> w(3);
  Matrix<double> vectors(n, 3);
  Control control;
  top_eigenpairs(A.symmetric(), 3, w.data(), vectors.view(), control);
}

TEST_F(Faults, AnIllegalArgumentIsAnErrorOfOursInEveryRoutine) {
  struct Call {
    Fault& fault;
    std::string routine;
    std::function<void()> run;
  };
  SmallEigensolver<double> small(small_order);
  std::vector<double> w(small_order);
  const std::vector<Call> calls{
      {sytrd_fault, "sytrd", [] { solve(small_order, Reduction::one_stage); }},
      {sytrd_fault, "sytrd", [] { solve(large_order, Reduction::lapack); }},
      {sytrd_fault, "sytrd",
       [&] {
         auto A = with_spectrum<double>(prescribed_spectra(small_order)[0].lambda);
         small.eigenvalues(A.symmetric(), w.data());
       }},
      {sterf_fault, "sterf", [] { solve(small_order, Reduction::one_stage); }},
      {sterf_fault, "sterf", [] { solve(large_order, Reduction::lapack); }},
      {syevr_fault, "syevr", [] { solve_top(small_order); }},
  };
  for (const Call& call : calls) {
    call.fault.of(1, -7);
    EXPECT_EQ(message_of<std::logic_error>(call.run),
              "LAPACK's " + call.routine + ": argument 7 is illegal");
    EXPECT_EQ(call.fault.calls, 0);
    EXPECT_NO_THROW(call.run());
  }
}

TEST_F(Faults, AFailureOfSyevrIsItsInternalError) {
  syevr_fault.of(1, 4);
  EXPECT_EQ(message_of<SolverError>([] { solve_top(small_order); }),
            "LAPACK's syevr failed with an internal error (info = 4)");
  syevr_fault.silently(1);
  EXPECT_EQ(message_of<SolverError>([] { solve_top(small_order); }),
            "syevr found fewer eigenvectors than were asked for");
}

// Once: the first driver fails, the second one gives the right answer.
TEST_F(Faults, AFirstDriverThatFailsLeadsToTheSecond) {
  const auto X = sample(small_order);
  const auto expected = spectrum_of(X);
  for (Fault* fault : {&sytrd_fault, &sterf_fault}) {
    fault->of(1, 2);
    EXPECT_TRUE(all_near(spectrum_of(X), expected, 1e-13));
    EXPECT_EQ(fault->calls, 0);
    fault->silently(1);
    EXPECT_TRUE(all_near(spectrum_of(X), expected, 1e-13));
    EXPECT_EQ(fault->calls, 0);
  }
}

// Whichever panel it is, and whichever thread factors it.
TEST_F(Faults, AWrongPanelLeadsToTheSecondDriver) {
  const auto X = sample(large_order);
  const auto expected = spectrum_of(X);
  for (const int before : {0, 1, 2, 5}) {
    panel_fault.silently(1);
    panel_fault.after = before;
    EXPECT_TRUE(all_near(spectrum_of(X), expected, 1e-13));
    EXPECT_EQ(panel_fault.calls, 0);
  }
}

// `count` copies of a matrix of order n.
Buffer<double> spectra_of_copies(index_t count, index_t n) {
  const auto A = with_spectrum<double>(prescribed_spectra(n)[0].lambda);
  Buffer<double> stack(count * n * n);
  for (index_t i = 0; i < count; ++i) std::copy(A.begin(), A.end(), stack.data() + i * n * n);
  Control control;
  return symmetric_spectra(MatrixBatch<double>{stack.data(), count, n, n * n, n, 1},
                           Reduction::automatic, 2, control);
}

// The first driver of a single matrix, of a stack in lanes, and of one solved one to a thread.
TEST_F(Faults, AGivenMatrixWhoseSolverFailsIsSolvedByAnother) {
  struct Stack {
    index_t count, n;
    Fault& fault;
  };
  const Stack stacks[]{{1, small_order, sytrd_fault},
                       {1, small_order, sterf_fault},
                       {40, small_order, lane_fault},
                       {3, 150, panel_fault}};
  for (const Stack& stack : stacks) {
    const auto solve_stack = [&] { return spectra_of_copies(stack.count, stack.n); };
    const auto expected = solve_stack();
    stack.fault.silently(1);
    EXPECT_TRUE(all_near(solve_stack(), expected, 1e-13)) << stack.count;
    EXPECT_EQ(stack.fault.calls, 0);
    if (stack.count == 1) {
      stack.fault.of(1, 2);
      EXPECT_TRUE(all_near(solve_stack(), expected, 1e-13));
      EXPECT_EQ(stack.fault.calls, 0);
    }
  }
}

TEST_F(Faults, AGivenMatrixThatNoSolverSolvesIsAnErrorWithBothReasons) {
  sytrd_fault.of(always, 2);
  EXPECT_EQ(message_of<SolverError>([] { spectra_of_copies(1, small_order); }),
            sytrd_error + "; another solver failed, too: " + sytrd_error);
  lane_fault.silently(1);
  EXPECT_EQ(message_of<SolverError>([] { spectra_of_copies(40, small_order); }),
            "the eigenvalues do not add up to the trace of the matrix; another solver failed, "
            "too: " +
                sytrd_error);
}

TEST_F(Faults, TwoDriversThatFailAreAnErrorWithBothReasons) {
  sterf_fault.of(always, 2);
  EXPECT_EQ(message_of<SolverError>([] { spectrum_of(sample(small_order)); }),
            sterf_error + "; another solver failed, too: " + sterf_error);
  panel_fault.silently(1);
  EXPECT_EQ(message_of<SolverError>([] { spectrum_of(sample(large_order)); }),
            wrong_sums(large_order) + "; another solver failed, too: " + sterf_error);
}

TEST_F(Faults, TwoDriversThatAreSilentlyWrongAreAnError) {
  sytrd_fault.silently(always);
  const std::string wrong = wrong_sums(small_order);
  EXPECT_EQ(message_of<SolverError>([] { spectrum_of(sample(small_order)); }),
            wrong + "; another solver failed, too: " + wrong);
}

TEST_F(Faults, AnErrorOfOursIsNoReasonForASecondDriver) {
  sytrd_fault.of(2, -7);
  EXPECT_THROW(spectrum_of(sample(small_order)), std::logic_error);
  EXPECT_EQ(sytrd_fault.calls, 1);
}

// Groups of the rows of a sample, each of consecutive ones.
SubsetSpectra<double> spectra_of_groups(const std::vector<index_t>& sizes, SubsetKernels kernels) {
  const auto X = sample(std::accumulate(sizes.begin(), sizes.end(), index_t{0}));
  Subsets subsets{Buffer<index_t>(static_cast<index_t>(sizes.size()) + 1), Buffer<index_t>(X.n)};
  subsets.offsets[0] = 0;
  std::partial_sum(sizes.begin(), sizes.end(), subsets.offsets.begin() + 1);
  for (index_t i = 0; i < X.n; ++i) subsets.indices[i] = i;
  Control control;
  return subset_spectra(X, subsets, {0.8, 0.5, true}, kernels, 1e9, 2, control);
}

const std::vector<index_t> sizes_alone{150, 40};
const std::vector<index_t> sizes_in_lanes(40, 21);

TEST_F(Faults, ASubsetWhoseSolverFailsIsSolvedByAnother) {
  struct Subset {
    std::vector<index_t> sizes;
    Fault& fault;
  };
  for (const auto kernels : {SubsetKernels::shared, SubsetKernels::recomputed}) {
    for (const Subset& subset : {Subset{sizes_alone, sytrd_fault}, Subset{sizes_alone, panel_fault},
                                 Subset{sizes_in_lanes, lane_fault}}) {
      const auto expected = spectra_of_groups(subset.sizes, kernels);
      subset.fault.silently(1);
      const auto spectra = spectra_of_groups(subset.sizes, kernels);
      EXPECT_EQ(subset.fault.calls, 0);
      EXPECT_TRUE(all_near(spectra.eigenvalues, expected.eigenvalues, 1e-13));
      EXPECT_TRUE(all_near(spectra.kernel_sums, expected.kernel_sums, 1e-10));
      EXPECT_TRUE(all_near(spectra.traces, expected.traces, 1e-13));
    }
    const auto expected = spectra_of_groups(sizes_alone, kernels);
    sytrd_fault.of(1, 2);
    EXPECT_TRUE(
        all_near(spectra_of_groups(sizes_alone, kernels).eigenvalues, expected.eigenvalues, 1e-13));
    EXPECT_EQ(sytrd_fault.calls, 0);
  }
}

TEST_F(Faults, ASubsetThatNoSolverSolvesIsAnErrorWithAllReasons) {
  sytrd_fault.of(always, 2);
  EXPECT_EQ(message_of<SolverError>([] { spectra_of_groups({40}, SubsetKernels::shared); }),
            sytrd_error + "; another solver failed, too: " + sytrd_error);
  lane_fault.silently(1);
  EXPECT_EQ(
      message_of<SolverError>([] { spectra_of_groups(sizes_in_lanes, SubsetKernels::shared); }),
      wrong_sums(21) + "; another solver failed, too: " + sytrd_error);
}

}  // namespace
}  // namespace eigentropy::testing
