#!/usr/bin/env bash
# Settles the CUDA back end on a machine with an NVIDIA GPU: builds it, runs its C++ and Python tests
# on the device, looks for bad accesses and races, and measures. Less than ten minutes on 16 cores.
#
# usage: scripts/device_check.sh [folder for results]
#
# It needs nvcc 13 and a Python with NumPy, pybind11, scikit-build-core, cmake, ninja, pytest and
# hypothesis; torch and CuPy take part where they are there. Nothing is downloaded: wheels that are
# missing may lie in .whl/, GoogleTest and Google Benchmark in build/third_party.
# CUDA=EMULATED does all of it on the device that the tests emulate, to try this script.
set -uo pipefail
cd "$(dirname "$0")/.."

out=$(mkdir -p "${1:-build/device-check}" && cd "${1:-build/device-check}" && pwd)
python=${PYTHON:-python3}
cuda=${CUDA:-ON}
build=$PWD/build/device
site=$build/site
jobs=$(nproc)
summary=()
failed=0

# step NAME SECONDS COMMAND...: goes on after a failure, so that one run tells everything. Nothing
# lasts beyond ten minutes from the start.
most_seconds=${MOST_SECONDS:-590}
step() {
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  limit=$((limit < most_seconds - start ? limit : most_seconds - start))
  if [ $limit -lt 5 ]; then
    summary+=("    0 s  $name  NOT RUN: no time was left")
    failed=1
    return 1
  fi
  echo "=== $name"
  # A shell of its own, as timeout knows no functions.
  timeout "$limit" bash -c '"$@"' step "$@" >"$out/$name.log" 2>&1 || status=$?
  tail -n "$([ $status = 0 ] && echo 5 || echo 60)" "$out/$name.log"
  [ $status = 0 ] || failed=1
  summary+=("$(printf '%5d s  %-20s %s' $((SECONDS - start)) "$name" \
    "$([ $status = 0 ] && echo passed || echo "FAILED ($status)")")")
  return $status
}

describe() {
  nvidia-smi || [ "$cuda" = EMULATED ] || return
  nvcc --version || [ "$cuda" = EMULATED ] || return
  "$python" --version
}

wheels() {
  mkdir -p "$site"
  ls .whl/*.whl >/dev/null 2>&1 || return 0
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade \
    --target "$site" .whl/*.whl
}

configure() {
  cmake -S . -B "$build/cpp" -G Ninja -DCMAKE_BUILD_TYPE=Release -DEIGENTROPY_CUDA="$cuda" \
    -DCMAKE_CUDA_ARCHITECTURES="${CUDA_ARCHITECTURES:-native}" -DPython_EXECUTABLE="$(command -v "$python")" \
    -DCMAKE_PREFIX_PATH="$PWD/build/third_party/usr" -DEIGENTROPY_WERROR=OFF
}

# Both packages, side by side in one folder.
packages() {
  CMAKE_ARGS="-DPython_EXECUTABLE=$(command -v "$python")" "$python" -m pip install --quiet --no-deps \
    --no-build-isolation --no-index --upgrade --target "$site" . || return
  if [ "$cuda" = EMULATED ]; then
    cp -r "$build/cpp/python/eigentropy_cuda13" "$site"
  else
    # NVIDIA's libraries are not beside the plug-in here, but where the build has found them.
    CMAKE_ARGS="-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-native} -DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON" \
      "$python" -m pip install --quiet --no-deps --no-build-isolation --no-index --upgrade \
      --target "$site" ./packaging/cuda13 || return
  fi
  "$python" -m eigentropy info
}

# PyTorch is no part of the emulated device.
with_torch() {
  [ "$cuda" != EMULATED ] && "$python" -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null
}

# What needs the real device is not run on the emulated one.
sanitized() {
  local tool=$1 options=()
  # Tests ask for devices and for memory that are not there.
  [ "$tool" != memcheck ] || options=(--report-api-errors no)
  compute-sanitizer --tool "$tool" --error-exitcode 1 ${options[@]+"${options[@]}"} \
    "$build/cpp/tests/cpp/cuda/eigentropy_cuda_tests" --gtest_brief=1
}

export python cuda build site
export -f describe wheels configure packages sanitized
export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
step describe 30 describe
step wheels 60 wheels
built=no
step configure 120 configure &&
  step build 240 cmake --build "$build/cpp" -j "$jobs" --target eigentropy_cuda_tests eigentropy_cuda_benchmarks \
    $([ "$cuda" = EMULATED ] && echo _cuda_core) &&
  built=yes &&
  step cpp-tests 120 "$build/cpp/tests/cpp/cuda/eigentropy_cuda_tests" --gtest_brief=1
step packages 240 packages &&
  step python-tests 180 "$python" -m pytest -q -p no:cacheprovider --device cuda \
    tests/backends/test_cuda.py tests/backends/test_device_arrays.py tests/backends/test_plugin.py \
    tests/cli/test_cuda_cli.py tests/benchmarks/test_gpu.py &&
  step benchmarks 240 "$python" -m benchmarks.gpu.beside_torch --output "$out/gpu.json" ${GPU_BENCHMARK_ARGS:-}
if with_torch; then
  step torch-tests 120 "$python" -m pytest -q -p no:cacheprovider tests/torch/losses/test_modules.py \
    tests/torch/losses/test_resolvents.py tests/torch/losses/test_threads.py
  step gradients 60 "$python" -m benchmarks.compare.torch_gradient --device cuda --output "$out/torch_gradient.json"
fi
if [ $built = yes ]; then
  step microbenchmarks 120 "$build/cpp/benchmarks/cuda/eigentropy_cuda_benchmarks" \
    --benchmark_filter='-eigenvalues_alone|tridiagonal' \
    --benchmark_out="$out/microbenchmarks.json" ${MICROBENCHMARK_ARGS:-}
  # Whether eigenvalues have a limit that is worth getting around: docs/explanations/profiling.md.
  step solver-limits 90 "$build/cpp/benchmarks/cuda/eigentropy_cuda_benchmarks" \
    --benchmark_filter='gemm|copy|eigenvalues_alone|tridiagonal' \
    --benchmark_out="$out/solver_limits.json" ${MICROBENCHMARK_ARGS:-}
  if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck; do step "$tool" 120 sanitized "$tool"; done
  fi
fi

printf '%s\n' "${summary[@]}" | tee "$out/summary.txt"
exit $failed
