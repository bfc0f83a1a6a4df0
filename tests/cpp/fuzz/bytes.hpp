// What a fuzzer makes of the bytes that it is given: small numbers and values of every size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/views.hpp"

namespace eigentropy::fuzzing {

// Reads the bytes one after the other; past their end all are zero.
class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  // One of low .. high.
  index_t number(index_t low, index_t high) {
    return low + static_cast<index_t>(take<std::uint8_t>()) % (high - low + 1);
  }

  // Any bit pattern: NaN, infinities and denormal numbers, too.
  template <class T>
  std::vector<T> values(index_t count) {
    std::vector<T> all(static_cast<std::size_t>(count));
    for (T& value : all) value = take<T>();
    return all;
  }

  template <class T>
  T take() {
    T value{};
    const std::size_t size = sizeof value < left_ ? sizeof value : left_;
    std::memcpy(&value, data_, size);
    data_ += size;
    left_ -= size;
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

}  // namespace eigentropy::fuzzing
