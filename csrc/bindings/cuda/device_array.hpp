// Arrays in the memory of a device, in and out of Python.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/rows/centered_rows.hpp"
#include "cuda/runtime.hpp"

namespace eigentropy::cuda::bindings {

namespace py = pybind11;

// The caller's stream as a number. 0 and 1 are the legacy default stream. 2 is the per-thread
// default stream; a computation on a thread of its own would have another one, and would not be
// ordered after its caller's work. The legacy stream replaces it, because it and the per-thread
// streams wait for each other.
inline cudaStream_t stream_of(std::uintptr_t stream) {
  return stream <= 2 ? nullptr : reinterpret_cast<cudaStream_t>(stream);
}

// Memory of a device with a shape and strides in bytes. The memory is the caller's, whose `owner`
// is kept alive, or ours, which is freed with the array, in the order of the stream on which it was
// made.
class DeviceArray {
 public:
  DeviceArray(std::uintptr_t pointer, std::vector<py::ssize_t> shape,
              std::vector<py::ssize_t> strides, const std::string& dtype, int device,
              py::object owner);
  // Takes the buffer over.
  template <class T>
  DeviceArray(DeviceBuffer<T>&& buffer, std::vector<py::ssize_t> shape, const Queue& queue);
  ~DeviceArray();
  DeviceArray(DeviceArray&& other) noexcept;
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  void* data() const { return data_; }
  const std::vector<py::ssize_t>& shape() const { return shape_; }
  const std::vector<py::ssize_t>& strides() const { return strides_; }
  Type type() const { return type_; }
  int device() const { return device_; }
  // Whether the memory is freed in the order of another stream, which does not wait for this one.
  bool goes_back_elsewhere(cudaStream_t stream) const { return is_ours_ && stream != stream_; }
  std::string dtype() const;
  index_t size() const;
  bool is_contiguous() const;
  py::dict cuda_array_interface() const;
  // Keeps the object of its stream alive until the memory has been freed: after a stream is
  // destroyed, a new stream may get the same number, and the memory would be freed in the wrong
  // order. The caller frees the caller's memory.
  void keep_stream(py::object stream) {
    if (is_ours_) owner_ = std::move(stream);
  }

  // Its rows, for a two-dimensional array; ValueError for others.
  Source source() const;

  // A contiguous view, of shape rows x columns; ValueError where it is not one, or not of T.
  template <class T>
  MatrixView<T> matrix() const;

 private:
  void* data_;
  std::vector<py::ssize_t> shape_, strides_;
  Type type_;
  int device_;
  py::object owner_;
  bool is_ours_ = false;
  cudaStream_t stream_ = nullptr;  // of ours: where it was made
};

template <class T>
constexpr Type type_of = sizeof(T) == sizeof(float) ? Type::float32 : Type::float64;

std::vector<py::ssize_t> contiguous_strides(const std::vector<py::ssize_t>& shape,
                                            py::ssize_t item_size);

template <class T>
DeviceArray::DeviceArray(DeviceBuffer<T>&& buffer, std::vector<py::ssize_t> shape,
                         const Queue& queue)
    : data_(buffer.release()),
      shape_(std::move(shape)),
      strides_(contiguous_strides(shape_, sizeof(T))),
      type_(type_of<T>),
      device_(queue.device()),
      is_ours_(true),
      stream_(queue.stream()) {}

template <class T>
MatrixView<T> DeviceArray::matrix() const {
  if (shape_.size() != 2 || !is_contiguous() || type_ != type_of<std::remove_const_t<T>>) {
    throw std::invalid_argument("expected contiguous matrices of one dtype");
  }
  return {static_cast<T*>(data_), shape_[0], shape_[1], shape_[1]};
}

// call(T()) with the element type of an array of float32 or float64.
template <class Call>
auto with_type(const DeviceArray& array, const Call& call) {
  if (array.type() == Type::float64) return call(double());
  if (array.type() == Type::float32) return call(float());
  throw std::invalid_argument("the array must be float32 or float64");
}

}  // namespace eigentropy::cuda::bindings
