#include "bindings/cuda/device_array.hpp"

#include <utility>

namespace eigentropy::cuda::bindings {
namespace {

struct Name {
  Type type;
  const char* dtype;    // ours
  const char* typestr;  // that of the interface; it knows no bfloat16
  py::ssize_t size;
};
constexpr Name names[] = {{Type::float16, "float16", "<f2", 2},
                          {Type::bfloat16, "bfloat16", "<V2", 2},
                          {Type::float32, "float32", "<f4", 4},
                          {Type::float64, "float64", "<f8", 8}};

const Name& name_of(Type type) { return names[static_cast<int>(type)]; }

Type parse_type(const std::string& dtype) {
  for (const Name& name : names) {
    if (dtype == name.dtype) return name.type;
  }
  throw std::invalid_argument("dtype must be float16, bfloat16, float32 or float64, got " + dtype);
}

}  // namespace

std::vector<py::ssize_t> contiguous_strides(const std::vector<py::ssize_t>& shape,
                                            py::ssize_t item_size) {
  std::vector<py::ssize_t> strides(shape.size(), item_size);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

DeviceArray::DeviceArray(std::uintptr_t pointer, std::vector<py::ssize_t> shape,
                         std::vector<py::ssize_t> strides, const std::string& dtype, int device,
                         py::object owner)
    : data_(reinterpret_cast<void*>(pointer)),
      shape_(std::move(shape)),
      strides_(std::move(strides)),
      type_(parse_type(dtype)),
      device_(device),
      owner_(std::move(owner)) {
  if (strides_.size() != shape_.size()) {
    throw std::invalid_argument("there must be as many strides as dimensions");
  }
  // A kernel that reads a misaligned address makes the device unusable for the whole process.
  if (pointer % static_cast<std::uintptr_t>(name_of(type_).size) != 0) {
    throw std::invalid_argument("the memory is not aligned to its item size; pass a copy");
  }
}

DeviceArray::DeviceArray(DeviceArray&& other) noexcept
    : data_(other.data_),
      shape_(std::move(other.shape_)),
      strides_(std::move(other.strides_)),
      type_(other.type_),
      device_(other.device_),
      owner_(std::move(other.owner_)),
      is_ours_(std::exchange(other.is_ours_, false)),
      stream_(other.stream_) {}

DeviceArray::~DeviceArray() {
  if (is_ours_ && data_ != nullptr) give_back(data_, device_, stream_);
}

std::string DeviceArray::dtype() const { return name_of(type_).dtype; }

index_t DeviceArray::size() const {
  index_t size = 1;
  for (const py::ssize_t extent : shape_) size *= extent;
  return size;
}

// The stride of a dimension with one entry is arbitrary; torch stores any number there.
bool DeviceArray::is_contiguous() const {
  const auto wanted = contiguous_strides(shape_, name_of(type_).size);
  for (std::size_t i = 0; i < shape_.size(); ++i) {
    if (shape_[i] > 1 && strides_[i] != wanted[i]) return false;
  }
  return true;
}

py::dict DeviceArray::cuda_array_interface() const {
  py::dict description;
  description["shape"] = py::tuple(py::cast(shape_));
  description["strides"] = py::tuple(py::cast(strides_));
  description["typestr"] = name_of(type_).typestr;
  description["data"] = py::make_tuple(reinterpret_cast<std::uintptr_t>(data_), false);
  description["version"] = 3;
  description["stream"] = stream_ == nullptr ? 1 : reinterpret_cast<std::uintptr_t>(stream_);
  return description;
}

Source DeviceArray::source() const {
  if (shape_.size() != 2) throw std::invalid_argument("Z must be two-dimensional");
  const py::ssize_t size = name_of(type_).size;
  if (strides_[0] % size != 0 || strides_[1] % size != 0) {
    throw std::invalid_argument("the strides of Z are not multiples of its item size");
  }
  return {data_, type_, shape_[0], shape_[1], strides_[0] / size, strides_[1] / size, nullptr};
}

}  // namespace eigentropy::cuda::bindings
