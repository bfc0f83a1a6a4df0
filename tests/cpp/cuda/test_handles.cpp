#include "cuda/handles.hpp"

#include <gtest/gtest.h>

namespace eigentropy::cuda {
namespace {

TEST(Handles, AreKeptForTheNextUser) {
  const Queue queue(0, nullptr);
  cublasHandle_t first = nullptr;
  {
    const BlasHandle lease(queue);
    first = lease;
    EXPECT_NE(first, nullptr);
    const BlasHandle at_the_same_time(queue);
    EXPECT_NE(static_cast<cublasHandle_t>(at_the_same_time), first);
  }
  const BlasHandle again(queue);
  EXPECT_EQ(static_cast<cublasHandle_t>(again), first);
}

TEST(Handles, ErrorsNameTheRoutine) {
  try {
    check(CUSOLVER_STATUS_INTERNAL_ERROR, "cusolverDnCreate");
    FAIL() << "no error";
  } catch (const DeviceError& error) {
    EXPECT_EQ(std::string(error.what()), "cusolverDnCreate: CUSOLVER_STATUS_INTERNAL_ERROR (7)");
    EXPECT_EQ(error.code, 7);
  }
  EXPECT_THROW(check(CUBLAS_STATUS_INVALID_VALUE, "cublasDgemm_64"), DeviceError);
  EXPECT_NO_THROW(check(CUBLAS_STATUS_SUCCESS, "cublasDgemm_64"));
}

}  // namespace
}  // namespace eigentropy::cuda
