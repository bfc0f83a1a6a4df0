#!/usr/bin/env bash
# Builds here, where there need not be a GPU, what scripts/device_check.sh takes along to a machine
# with one: build/carried, with the C++ tests and the microbenchmarks of the CUDA back end, the
# static libraries that the Python packages are made of there, and wheels. Says what it all weighs
# together with the checkout, and fails where that is more than may travel.
#
# usage: scripts/prepare_device_check.sh [python with scipy-openblas32]
#        scripts/prepare_device_check.sh --check        builds nothing, looks at what is there
#
#   CUDA_ARCHITECTURES   the GPU's (90-real)
#   FOR_PYTHON           the other machine's (3.12)
#   MOST_BYTES           that may travel (64 MiB)
#   MOST_GLIBC           the versions of glibc and of libstdc++ that the other machine is known to have
#   MOST_GLIBCXX         (2.35 and 3.4.30: those of Ubuntu 22.04)
#
# It needs nvcc 13, CUDA 13's cuBLAS and cuSOLVER (as scripts/build_cuda_wheel.sh), and pip.
set -euo pipefail
cd "$(dirname "$0")/.."

architectures=${CUDA_ARCHITECTURES:-90-real}
for_python=${FOR_PYTHON:-3.12}
most_bytes=${MOST_BYTES:-$((64 << 20))}
most_glibc=${MOST_GLIBC:-2.35}
most_glibcxx=${MOST_GLIBCXX:-3.4.30}
carried=$PWD/build/carried
build=$PWD/build/carried-cpp
programs=(tests/cpp/cuda/eigentropy_cuda_tests benchmarks/cuda/eigentropy_cuda_benchmarks)
# What the packages are built with and tested with, where it may be missing.
wheels=(scipy-openblas32 pybind11 scikit-build-core pathspec packaging hypothesis sortedcontainers)

# libstdc++ stays outside of the programs: inside, it would ask for the glibc of this machine, and
# Google Benchmark's library would bring a second one. Line information is for the sanitizers, and
# changes no code.
compile() {
  scripts/fetch_cpp_test_libraries.sh
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DEIGENTROPY_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES="$architectures" -DCMAKE_CUDA_FLAGS=-lineinfo \
    -DCMAKE_BUILD_WITH_INSTALL_RPATH=ON -DCMAKE_INSTALL_RPATH='$ORIGIN' \
    -DCMAKE_EXE_LINKER_FLAGS=-Wl,--allow-shlib-undefined \
    -DCMAKE_GTEST_DISCOVER_TESTS_DISCOVERY_MODE=PRE_TEST -DPython_EXECUTABLE="$python" \
    -DCMAKE_PREFIX_PATH="$PWD/build/third_party/usr"
  cmake --build "$build" --target "${programs[@]##*/}" eigentropy_core
}

needed_by() { objdump -p "$1" | awk '$1 == "NEEDED" { print $2 }'; }

# newest NAME PROGRAM: the newest version of GLIBC or GLIBCXX that a program asks for, if any.
newest() {
  objdump -T "$2" | sed -nE "s/.*\b$1_([0-9.]+).*/\1/p" | sort -uV | tail -n 1
}

collect() {
  rm -rf "$carried"
  mkdir -p "$carried/bin" "$carried/lib" "$carried/wheels"
  local program library
  for program in "${programs[@]}"; do
    strip -o "$carried/bin/${program##*/}" "$build/$program"
  done
  for library in base core cuda; do
    strip -S -o "$carried/lib/libeigentropy_$library.a" \
      "$(find "$build/csrc" -name "libeigentropy_$library.a")"
  done
  # Google Benchmark's library, under the name that the program asks for.
  cp -L "$(sed -n 's/^benchmark_DIR:PATH=//p' "$build/CMakeCache.txt")/../../libbenchmark.so" \
    "$carried/bin/$(needed_by "$build/${programs[1]}" | grep '^libbenchmark')"
  # For a build there, should the programs not run.
  [ ! -d build/third_party ] || cp -r build/third_party "$carried"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version "$for_python" --implementation cp --platform manylinux_2_28_x86_64 \
    --platform manylinux_2_27_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --dest "$carried/wheels" "${wheels[@]}"
}

# at_most PROGRAM NAME LIMIT
at_most() {
  local version
  version=$(newest "$2" "$1")
  if [ "$(printf '%s\n' "$version" "$3" | sort -V | tail -n 1)" != "$3" ]; then
    echo "error: $1 needs $2 $version, more than $3; build it on an older system, or raise MOST_$2" >&2
    exit 1
  fi
}

check_programs() {
  local program
  for program in "$carried"/bin/*; do
    at_most "$program" GLIBC "$most_glibc"
    at_most "$program" GLIBCXX "$most_glibcxx"
    echo "$(basename "$program"): glibc $(newest GLIBC "$program"), libstdc++ $(newest GLIBCXX "$program"); needs" \
      $(needed_by "$program")
  done
}

check_size() {
  local tree size
  tree=$(git ls-files -z --cached --others --exclude-standard | du --files0-from=- --apparent-size --bytes -c |
    tail -n 1 | cut -f1)
  size=$(du --apparent-size --bytes -s "$carried" | cut -f1)
  printf '%s: %d MiB, and the checkout %d MiB, of %d MiB\n' "build/carried" $((size >> 20)) $((tree >> 20)) \
    $((most_bytes >> 20))
  if [ $((size + tree)) -gt "$most_bytes" ]; then
    echo "error: that is more than may travel; the largest files:" >&2
    find "$carried" -type f -printf '%s %P\n' | sort -rn | head -n 10 >&2
    exit 1
  fi
}

if [ "${1:-}" != --check ]; then
  python=$(command -v "${1:-.venv/bin/python}")
  compile
  collect
fi
check_programs
check_size
