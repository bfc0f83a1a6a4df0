#!/usr/bin/env bash
# The steps of scripts/device_check.sh that build: what was carried is unpacked, and what cannot be
# carried is compiled. What an earlier call has built stays.
#
# usage: scripts/device_builds.sh describe|programs|packages
set -euo pipefail
cd "$(dirname "$0")/.."

carried=$PWD/build/carried
device=$PWD/build/device
python=${PYTHON:-python3}
emulated=no
[ "${CUDA:-ON}" != EMULATED ] || emulated=yes

describe() {
  nvidia-smi || [ $emulated = yes ]
  nvcc --version || true
  "$python" --version
  "$python" -c 'import importlib.metadata as m
print(*sorted({f"{d.name} {d.version}" for d in m.distributions()}), sep=", ")'
  grep -m 1 'model name' /proc/cpuinfo
  echo "$(nproc) cores"
}

runs() { "$1" "$2" >/dev/null; }
programs_run() {
  runs "$1/eigentropy_cuda_tests" --gtest_list_tests &&
    runs "$1/eigentropy_cuda_benchmarks" --benchmark_list_tests
}

# The test program and the microbenchmarks: those that were carried, or, where they do not run,
# those of a build here.
programs() {
  local target=$device/programs
  if [ $emulated = yes ]; then
    runs build/release/tests/cpp/cuda/eigentropy_cuda_tests --gtest_list_tests
    runs build/release/benchmarks/cuda/eigentropy_cuda_benchmarks --benchmark_list_tests
    return
  fi
  if programs_run "$target"; then return; fi
  mkdir -p "$target"
  # The library of BLAS is beside them in a wheel.
  unpacked_wheels
  if programs_run "$carried/bin"; then
    cp "$carried"/bin/* "$target"
    return
  fi
  echo "what was carried does not run here: building"
  cmake -S . -B "$device/cpp" -G Ninja -DCMAKE_BUILD_TYPE=Release -DEIGENTROPY_CUDA=ON \
    -DCMAKE_CUDA_ARCHITECTURES=native -DPython_EXECUTABLE="$(command -v "$python")" \
    -DCMAKE_PREFIX_PATH="$carried/third_party/usr" -DEIGENTROPY_WERROR=OFF
  cmake --build "$device/cpp" --target eigentropy_cuda_tests eigentropy_cuda_benchmarks
  cp "$device"/cpp/tests/cpp/cuda/eigentropy_cuda_tests \
    "$device"/cpp/benchmarks/cuda/eigentropy_cuda_benchmarks "$target"
}

# Two steps unpack at the same time: the first one does it.
unpacked_wheels() {
  mkdir -p "$device"
  (
    flock 9
    [ ! -e "$device/wheels.stamp" ] || exit 0
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade \
      --target "$device/site" "$carried"/wheels/*.whl
    touch "$device/wheels.stamp"
  ) 9>"$device/wheels.lock"
}

# Both packages. Only the code between Python and the libraries that were carried is compiled.
packages() {
  if [ $emulated = no ]; then
    unpacked_wheels
    if ! import_packages 2>/dev/null; then
      local options="-DEIGENTROPY_PREBUILT=$carried/lib -DPython_EXECUTABLE=$(command -v "$python")"
      installed "$device/core" . "$options" &
      installed "$device/plugin" ./packaging/cuda13 "$options -DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON"
      wait $!
      cp -r "$device"/core/* "$device"/plugin/* "$device/site"
    fi
  fi
  import_packages
}

# installed FOLDER SOURCE OPTIONS: the package in a folder of its own, as two are made at a time.
installed() {
  CMAKE_ARGS=$3 CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) "$python" -m pip install --quiet --no-deps \
    --no-build-isolation --no-index --upgrade --target "$1" "$2"
}

import_packages() {
  "$python" -c 'import eigentropy, eigentropy_cuda13; print(eigentropy_cuda13._core.devices())'
}

"$1"
