// Solvers that fail when told to: every status and info is read, and a wrong answer is never
// returned.
#include <cusolverDn.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "checkers.hpp"
#include "cuda/eigen/eigenvalues.hpp"
#include "cuda/eigen/given_matrices.hpp"
#include "cuda/operator/diffusion.hpp"
#include "cuda/operator/subsets.hpp"
#include "on_device.hpp"

namespace eigentropy::cuda {
namespace {

using testing::all_near;
using testing::sorted;

constexpr index_t n = 50;
constexpr int always = 1'000'000;
const OperatorOptions options{0.8, 0.5, true};

emulated::SolverFault info_of(int times, int info) {
  return {times, info, CUSOLVER_STATUS_SUCCESS};
}
emulated::SolverFault silent(int times) { return info_of(times, 0); }
emulated::SolverFault nan(int times) {
  return {times, 0, CUSOLVER_STATUS_SUCCESS, std::numeric_limits<double>::quiet_NaN()};
}
emulated::SolverFault status_of(int times, cusolverStatus_t status) { return {times, 0, status}; }

const std::string not_converged = "cuSOLVER's cusolverDnXsyevd did not converge (info = 3)";
const std::string second = "; another solver failed, too: ";

std::string wrong_sums(index_t order) {
  const std::string size = std::to_string(order);
  return "the eigenvalues do not add up to the traces of the " + size + " x " + size +
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

class SolverFaults : public ::testing::Test {
 protected:
  void TearDown() override {
    emulated::set_solver_fault({});
    emulated::set_product_fault({});
    emulated::set_memory(std::size_t{8} << 30);
  }

  std::vector<double> spectrum() {
    const auto found = diffusion_spectrum(queue, X, options, control);
    return doubles(found.eigenvalues);
  }
  // Three groups, which are solved together.
  std::vector<double> spectra_of_groups(SubsetKernels kernels) {
    Subsets subsets{Buffer<index_t>(4), Buffer<index_t>(n)};
    const index_t offsets[] = {0, 20, 38, n};
    std::copy_n(offsets, 4, subsets.offsets.begin());
    for (index_t i = 0; i < n; ++i) subsets.indices[i] = i;
    const auto found = subset_spectra(queue, X, subsets, options, kernels, 1e9, control);
    return doubles(found.eigenvalues);
  }
  std::vector<double> spectra_of_stack(index_t count) {
    const auto lambda = testing::prescribed_spectra(n)[0].lambda;
    const auto A = testing::with_spectrum<double>(lambda);
    std::vector<double> stack;
    for (index_t b = 0; b < count; ++b) stack.insert(stack.end(), A.begin(), A.end());
    const auto there = to_device(queue, stack.data(), count * n * n);
    return doubles(symmetric_spectra(queue, there.data(), count, n, control));
  }
  std::vector<double> values_of_pairs() {
    return doubles(diffusion_eigenpairs(queue, X, options, 3, control).values);
  }
  std::vector<std::function<std::vector<double>()>> all_runs() {
    return {[this] { return spectrum(); },
            [this] { return values_of_pairs(); },
            [this] { return spectra_of_groups(SubsetKernels::shared); },
            [this] { return spectra_of_groups(SubsetKernels::recomputed); },
            [this] { return spectra_of_stack(1); },
            [this] { return spectra_of_stack(3); }};
  }

  const Queue queue{0, nullptr};
  const DeviceRows<double> X = rows_on_device(queue, testing::gaussian_rows<double>(n, 3, 1));
  Control control;
};

// Once: the first driver fails, the second one gives the right answer.
TEST_F(SolverFaults, AFirstDriverThatFailsLeadsToTheSecond) {
  for (const auto& run : all_runs()) {
    const auto expected = run();
    for (const auto& fault :
         {info_of(1, 3), silent(1), status_of(1, CUSOLVER_STATUS_INTERNAL_ERROR),
          status_of(1, CUSOLVER_STATUS_NOT_SUPPORTED)}) {
      emulated::set_solver_fault(fault);
      EXPECT_TRUE(all_near(run(), expected, 1e-13));
    }
  }
}

TEST_F(SolverFaults, TwoDriversThatFailAreAnErrorWithBothReasons) {
  emulated::set_solver_fault(info_of(always, 3));
  EXPECT_EQ(message_of<SolverError>([&] { spectrum(); }), not_converged + second + not_converged);
  emulated::set_solver_fault(silent(always));
  EXPECT_EQ(message_of<SolverError>([&] { spectrum(); }), wrong_sums(n) + second + wrong_sums(n));
}

TEST_F(SolverFaults, NoRunReturnsAWrongAnswer) {
  for (const auto& run : all_runs()) {
    for (const auto& fault : {info_of(always, 3), silent(always),
                              status_of(always, CUSOLVER_STATUS_EXECUTION_FAILED)}) {
      emulated::set_solver_fault(fault);
      EXPECT_THROW(run(), SolverError);
    }
  }
}

TEST_F(SolverFaults, AnIllegalArgumentIsAnErrorOfOurs) {
  for (const auto& run : all_runs()) {
    emulated::set_solver_fault(info_of(1, -5));
    const std::string message = message_of<std::logic_error>(run);
    EXPECT_NE(message.find(": argument 5 is illegal"), std::string::npos) << message;
  }
}

// The first driver fails once, and the second one, which is today's first, gives the right answer.
TEST_F(SolverFaults, AReductionThatFailsLeadsToTheNextDriver) {
  const std::function<std::vector<double>()> runs[] = {[this] { return spectrum(); },
                                                       [this] { return spectra_of_stack(1); }};
  for (const auto& run : runs) {
    const auto expected = run();
    const TunedDrivers tuned(one_stage_first());
    EXPECT_TRUE(all_near(run(), expected, 1e-13));
    for (const auto& fault :
         {info_of(1, 3), silent(1), nan(1), status_of(1, CUSOLVER_STATUS_INTERNAL_ERROR),
          status_of(1, CUSOLVER_STATUS_NOT_SUPPORTED), info_of(2, 3), silent(2), nan(2)}) {
      emulated::set_solver_fault(fault);
      EXPECT_TRUE(all_near(run(), expected, 1e-13));
    }
    emulated::set_solver_fault(info_of(1, -5));
    EXPECT_THROW(run(), std::logic_error);
  }
}

TEST_F(SolverFaults, AllDriversThatFailAreAnErrorWithAllReasons) {
  const TunedDrivers tuned(one_stage_first());
  emulated::set_solver_fault(info_of(always, 3));
  EXPECT_EQ(message_of<SolverError>([&] { spectrum(); }),
            "cuSOLVER's cusolverDnDsytrd did not converge (info = 3)" + second + not_converged +
                second + not_converged);
}

// No routine of cuSOLVER is in two stages; a product that goes wrong is seen in the traces.
TEST_F(SolverFaults, TwoStagesThatGoWrongLeadToTheNextDriver) {
  const auto expected = spectra_of_stack(1), of_three = spectra_of_stack(3);
  for (const double error : {0.5, std::numeric_limits<double>::quiet_NaN()}) {
    {
      const TunedDrivers tuned(two_stages_first());
      EXPECT_TRUE(all_near(spectra_of_stack(1), expected, 1e-13));
      emulated::set_product_fault({always, error});
      EXPECT_TRUE(all_near(spectra_of_stack(1), expected, 1e-13));
      emulated::set_solver_fault(silent(always));
      EXPECT_THROW(spectra_of_stack(1), SolverError);
    }
    emulated::set_solver_fault({});
    emulated::set_product_fault({});
    const TunedDrivers tuned(together_above(0));
    EXPECT_TRUE(all_near(spectra_of_stack(3), of_three, 1e-13));
    emulated::set_product_fault({always, error});
    EXPECT_TRUE(all_near(spectra_of_stack(3), of_three, 1e-13));
    emulated::set_product_fault({});
  }
}

TEST_F(SolverFaults, GroupsReducedTogetherAreTheSame) {
  for (const auto kernels : {SubsetKernels::shared, SubsetKernels::recomputed}) {
    const auto expected = spectra_of_groups(kernels);
    const TunedDrivers tuned(together_above(0));
    EXPECT_TRUE(all_near(spectra_of_groups(kernels), expected, 1e-13));
  }
}

// Whichever of the matrices it is, of those that are filled up, too.
TEST_F(SolverFaults, AProblemOfABatchIsSolvedAgainAlone) {
  const auto expected = spectra_of_groups(SubsetKernels::recomputed);
  for (int times = 1; times <= 3; ++times) {
    emulated::set_solver_fault(info_of(times, 7));
    EXPECT_TRUE(all_near(spectra_of_groups(SubsetKernels::recomputed), expected, 1e-13));
  }
  // The fourth strikes the first problem when it is solved alone.
  emulated::set_solver_fault(info_of(4, 7));
  EXPECT_EQ(message_of<SolverError>([&] { spectra_of_groups(SubsetKernels::recomputed); }),
            "cuSOLVER's cusolverDnXsyevBatched did not converge (info = 7)" + second +
                "cuSOLVER's cusolverDnXsyevd did not converge (info = 7)");
}

TEST_F(SolverFaults, AMatrixThatIsTooLargeIsCalledSo) {
  emulated::set_solver_fault(status_of(always, CUSOLVER_STATUS_NOT_SUPPORTED));
  const std::string too_large =
      "cuSOLVER's cusolverDnXsyevd returned CUSOLVER_STATUS_NOT_SUPPORTED: a matrix of order n = "
      "50 may be too large for it; method='stochastic' needs no such solver";
  EXPECT_EQ(message_of<SolverError>([&] { spectrum(); }), too_large + second + too_large);
}

TEST_F(SolverFaults, AnErrorOfTheDeviceIsNoReasonForASecondDriver) {
  emulated::fail_once(cudaErrorIllegalAddress);
  EXPECT_THROW(spectrum(), DeviceError);
}

// A matrix of which there is no copy is solved in its own memory, once.
TEST_F(SolverFaults, WithoutRoomForACopyThereIsOneDriver) {
  const auto expected = spectra_of_stack(1);
  const auto A = testing::with_spectrum<double>(testing::prescribed_spectra(400)[0].lambda);
  const auto there = to_device(queue, A.data(), 400 * 400);
  const DeviceMemory memory = device_memory(0);
  emulated::set_memory(memory.total - memory.free + (1 << 19));
  const auto found = symmetric_spectra(queue, there.data(), 1, 400, control);
  EXPECT_TRUE(
      all_near(sorted(doubles(found)), sorted(testing::prescribed_spectra(400)[0].lambda), 1e-12));
  copy(queue, there.data(), A.data(), 400 * 400);
  emulated::set_solver_fault(info_of(1, 3));
  EXPECT_EQ(
      message_of<SolverError>([&] { symmetric_spectra(queue, there.data(), 1, 400, control); }),
      not_converged);
}

// Room for the copy and not for the vectors of two stages.
TEST_F(SolverFaults, WithoutRoomForTwoStagesTheMatrixIsSolvedInPlace) {
  const TunedDrivers tuned(two_stages_first());
  const index_t order = 400;
  const auto lambda = testing::prescribed_spectra(order)[0].lambda;
  const auto A = testing::with_spectrum<double>(lambda);
  const auto there = to_device(queue, A.data(), order * order);
  const DeviceMemory memory = device_memory(0);
  emulated::set_memory(memory.total - memory.free + order * order * sizeof(double) + (60 << 10));
  {
    const auto work = to_device(queue, A.data(), order * order);
    EXPECT_THROW(eigenvalues(queue, work.data(), order, Driver::two_stages, control),
                 OutOfDeviceMemory);
  }
  const auto found = symmetric_spectra(queue, there.data(), 1, order, control);
  EXPECT_TRUE(all_near(sorted(doubles(found)), sorted(lambda), 1e-12));
}

TEST_F(SolverFaults, WithoutRoomForTheMatrixThereIsAnErrorOfMemory) {
  const DeviceMemory memory = device_memory(0);
  emulated::set_memory(memory.total - memory.free + (1 << 13));
  EXPECT_THROW(spectrum(), OutOfDeviceMemory);
  emulated::set_memory(std::size_t{8} << 30);
  EXPECT_NO_THROW(spectrum());
}

}  // namespace
}  // namespace eigentropy::cuda
