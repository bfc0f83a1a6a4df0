#include <gtest/gtest.h>

#include "cpu/blas_threads.hpp"

int main(int argc, char** argv) {
  eigentropy::apply_blas_threads();  // as in the Python module, before anything is computed
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
