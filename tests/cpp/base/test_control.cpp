#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "base/control.hpp"
#include "base/subsets.hpp"
#include "cpu/eigen/eigenvalues.hpp"
#include "cpu/kernel/knn_adjacency.hpp"
#include "cpu/operator/diffusion.hpp"
#include "cpu/operator/subsets.hpp"
#include "cpu/rows/distances.hpp"
#include "cpu/rows/nearest_rows.hpp"
#include "matrices.hpp"

namespace eigentropy::testing {
namespace {

TEST(Control, ChecksPassUntilItIsCancelled) {
  Control control;
  EXPECT_NO_THROW(control.check());
  control.cancel();
  EXPECT_THROW(control.check(), Interrupted);
}

TEST(Control, IsDetachableWithinAScopeOnly) {
  Control control;
  EXPECT_FALSE(control.detachable());
  {
    const Control::Detachable scope(control);
    EXPECT_TRUE(control.detachable());
  }
  EXPECT_FALSE(control.detachable());
}

TEST(Control, NoScopeOpensOnceItIsCancelled) {
  Control control;
  control.cancel();
  EXPECT_THROW(const Control::Detachable scope(control), Interrupted);
  EXPECT_FALSE(control.detachable());
}

TEST(Stage, DividesItsStretchIntoEqualTasks) {
  Control control;
  Stage stage(control, 0.2, 0.6, 4);
  stage.finish_task();
  EXPECT_DOUBLE_EQ(control.progress(), 0.3);
  for (int i = 0; i < 3; ++i) stage.finish_task();
  EXPECT_DOUBLE_EQ(control.progress(), 0.6);
}

TEST(Stage, StopsWhenItIsCancelled) {
  Control control;
  Stage stage(control, 0.0, 1.0, 2);
  control.cancel();
  EXPECT_THROW(stage.finish_task(), Interrupted);
  EXPECT_THROW(Stage(control, 0.0, 1.0, 2), Interrupted);
}

TEST(Stage, ThatIsSilentStopsButReportsNothing) {
  Control control;
  Stage stage(control);
  stage.finish_task();
  EXPECT_EQ(control.progress(), 0.0);
  control.cancel();
  EXPECT_THROW(stage.finish_task(), Interrupted);
}

// The long calls of the core, on n rows.
struct LongCall {
  const char* name;
  std::function<void(const CenteredRows<double>&, Control&)> run;
};

// Rows [0, first) and [first, n).
Subsets two_parts(index_t n, index_t first) {
  Subsets subsets{Buffer<index_t>(3), Buffer<index_t>(n)};
  const index_t offsets[] = {0, first, n};
  std::copy_n(offsets, 3, subsets.offsets.begin());
  for (index_t i = 0; i < n; ++i) subsets.indices[i] = i;
  return subsets;
}

const std::vector<LongCall>& long_calls() {
  static const std::vector<LongCall> calls{
      {"squared_distances",
       [](const CenteredRows<double>& X, Control& control) {
         Matrix<double> r2(X.n, X.n);
         squared_distances(X, r2.view(), 2, control);
       }},
      {"knn_adjacency",
       [](const CenteredRows<double>& X, Control& control) {
         Matrix<double> adjacency(X.n, X.n);
         knn_adjacency(X, 3, adjacency.view(), 2, control);
       }},
      {"nearest_rows",
       [](const CenteredRows<double>& X, Control& control) { nearest_rows(X, 3, 2, control); }},
      {"build_matrix",
       [](const CenteredRows<double>& X, Control& control) {
         build_matrix(X, {1.0, 0.5, true}, 2, control, 0.0, 1.0);
       }},
      {"diffusion_spectrum",
       [](const CenteredRows<double>& X, Control& control) {
         diffusion_spectrum(X, {1.0, 0.5, true}, 2, control);
       }},
      {"subset_spectra",
       [](const CenteredRows<double>& X, Control& control) {
         Subsets subsets = two_parts(X.n, X.n / 2);
         subset_spectra(X, subsets, {1.0, 0.5, true}, SubsetKernels::automatic, 1e9, 2, control);
       }},
      {"top_eigenpairs",
       [](const CenteredRows<double>& X, Control& control) {
         auto built = build_matrix(X, {1.0, 0.5, true}, 2, control, 0.0, 0.5);
         std::vector<double> w(3);
         Matrix<double> vectors(X.n, 3);
         top_eigenpairs(built.view(), 3, w.data(), vectors.view(), control);
       }},
  };
  return calls;
}

CenteredRows<double> sample(index_t n) { return centered(gaussian_rows<double>(n, 8, 1)); }

TEST(Cancelling, BeforehandStopsEveryLongCallAtItsStart) {
  const auto X = sample(600);
  for (const LongCall& call : long_calls()) {
    Control control;
    control.cancel();
    EXPECT_THROW(call.run(X, control), Interrupted) << call.name;
  }
}

// True if the call was stopped by a user who waited until it had begun.
bool is_stopped_in_the_middle(const LongCall& call, const CenteredRows<double>& X) {
  Control control;
  std::atomic<bool> finished{false};
  std::thread user([&] {
    while (control.progress() == 0.0 && !control.detachable() && !finished) {
      std::this_thread::yield();
    }
    control.cancel();
  });
  bool stopped = false;
  try {
    call.run(X, control);
  } catch (const Interrupted&) {
    stopped = true;
  }
  finished = true;
  user.join();
  return stopped;
}

TEST(Cancelling, InTheMiddleStopsEveryLongCall) {
  const auto X = sample(1'500);
  for (const LongCall& call : long_calls()) {
    bool stopped = false;
    // On a busy machine the user may wake up when it is all over.
    for (int attempt = 0; attempt < 50 && !stopped; ++attempt) {
      stopped = is_stopped_in_the_middle(call, X);
    }
    EXPECT_TRUE(stopped) << call.name;
  }
}

TEST(Cancelling, LeavesTheNextCallIntact) {
  const auto X = sample(600);
  Control cancelled;
  cancelled.cancel();
  EXPECT_THROW(diffusion_spectrum(X, {1.0, 0.5, true}, 2, cancelled), Interrupted);
  Control control;
  EXPECT_NO_THROW(diffusion_spectrum(X, {1.0, 0.5, true}, 2, control));
}

// What a progress bar sees: the values in the order in which they appear.
std::vector<double> watched_progress(const LongCall& call, const CenteredRows<double>& X,
                                     Control& control) {
  std::vector<double> seen;
  std::atomic<bool> done{false};
  std::thread watcher([&] {
    while (!done) {
      const double now = control.progress();
      if (seen.empty() || seen.back() != now) seen.push_back(now);
    }
  });
  call.run(X, control);
  done = true;
  watcher.join();
  return seen;
}

TEST(Progress, NeverFallsAndEndsAtOne) {
  const auto X = sample(1'100);
  for (const LongCall& call : long_calls()) {
    if (std::string(call.name) == "top_eigenpairs") continue;  // one LAPACK call, no news from it
    Control control;
    const std::vector<double> seen = watched_progress(call, X, control);
    EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end())) << call.name;
    EXPECT_NEAR(control.progress(), 1.0, 1e-9) << call.name;
  }
}

// Groups of more than 1500 rows are solved one after the other and report from within.
TEST(Progress, NeverFallsBetweenLargeGroups) {
  const auto X = sample(1'510);
  Subsets subsets{Buffer<index_t>(3), Buffer<index_t>(2 * X.n)};
  for (index_t s = 0; s < 3; ++s) subsets.offsets[s] = s * X.n;
  for (index_t i = 0; i < 2 * X.n; ++i) subsets.indices[i] = i % X.n;
  const LongCall call{"large groups", [&](const CenteredRows<double>& rows, Control& control) {
                        subset_spectra(rows, subsets, {1.0, 0.5, true}, SubsetKernels::automatic,
                                       1e9, 2, control);
                      }};
  Control control;
  const std::vector<double> seen = watched_progress(call, X, control);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_NEAR(control.progress(), 1.0, 1e-9);
}

}  // namespace
}  // namespace eigentropy::testing
