// What every call of cuSOLVER here needs: its status, its parameters, its workspace.
#pragma once

#include <vector>

#include "cuda/handles.hpp"

namespace eigentropy::cuda {

// Throws SolverError unless status is success.
void check_solver(cusolverStatus_t status, const char* routine, index_t n);

// Throws SolverError unless info is 0, or logic_error if info names an illegal argument.
void check_info(const char* routine, int info);

class Parameters {
 public:
  Parameters() { check(cusolverDnCreateParams(&params_), "cusolverDnCreateParams"); }
  ~Parameters() { cusolverDnDestroyParams(params_); }
  Parameters(const Parameters&) = delete;
  Parameters& operator=(const Parameters&) = delete;
  operator cusolverDnParams_t() const { return params_; }

 private:
  cusolverDnParams_t params_ = nullptr;
};

// The workspace of a cuSOLVER routine.
struct Workspace {
  Workspace(const Queue& queue, std::size_t device_bytes, std::size_t host_bytes)
      : on_device(queue, static_cast<index_t>(device_bytes)), on_host(host_bytes) {
    // XsyevBatched of cuSOLVER 11.7.1.2 reads workspace that it has not written; a NaN there would
    // spoil the result. Of other routines and versions nobody has said that they do not.
    if (device_bytes == 0) return;
    check(cudaMemsetAsync(on_device.data(), 0, device_bytes, queue.stream()), "cudaMemsetAsync");
  }
  DeviceBuffer<unsigned char> on_device;
  std::vector<unsigned char> on_host;
};

// The upper triangle of a row-major matrix is the lower triangle of cuSOLVER's column-major matrix.
// cuSOLVER's documentation says of its eigenvalue routines which triangle is stored. Of Xpotrf it
// says that the other one is left untouched, and of these it does not: they get both triangles.
constexpr cublasFillMode_t triangle = CUBLAS_FILL_MODE_LOWER;

template <class T>
constexpr cudaDataType data_type = sizeof(T) == sizeof(double) ? CUDA_R_64F : CUDA_R_32F;

}  // namespace eigentropy::cuda
