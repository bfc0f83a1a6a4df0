// Where libFuzzer enters. A fuzzer includes this once, and defines run<T>.
#pragma once

#include "bytes.hpp"

namespace eigentropy::fuzzing {

// What the fuzzer does with the bytes that follow the first one, which chooses T.
template <class T>
void run(Bytes& bytes);

}  // namespace eigentropy::fuzzing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  eigentropy::fuzzing::Bytes bytes(data, size);
  if (bytes.number(0, 1) == 0) {
    eigentropy::fuzzing::run<double>(bytes);
  } else {
    eigentropy::fuzzing::run<float>(bytes);
  }
  return 0;
}
