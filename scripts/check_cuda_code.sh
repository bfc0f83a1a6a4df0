#!/usr/bin/env bash
# Compiles every kernel as the plug-in has it, for each generation of data centre GPUs, with warnings
# as errors, and names those that spill registers into memory. It needs nvcc 13, NVIDIA's headers
# (see cmake/FindCudaLibraries.cmake), and no GPU.
#
# usage: scripts/check_cuda_code.sh                                  (make check-cuda)
#        scripts/check_cuda_code.sh --log FILE ARCHITECTURE...       reads what a build has printed
#                                                                    that ran with -Xptxas=-v
#        scripts/check_cuda_code.sh --benchmarks ARCHITECTURE...     compiles what no wheel has, and
#                                                                    prints what goes into the log
set -euo pipefail
cd "$(dirname "$0")/.."

# In a list of CMake's. Of 9.0, what only that one has is compiled for 90a: csrc/cuda/CMakeLists.txt.
architectures=${CUDA_ARCHITECTURES:-80-real;90-real;100-real;120-real}

# Kernel by kernel: architecture, bytes of spill stores and loads, name.
kernels_in() {
  awk '/Compiling entry function/ { split($0, part, "\047"); name = part[2]; architecture = part[4] }
       /bytes spill stores/ && name != "" {
         match($0, /[0-9]+ bytes spill stores/); stores = substr($0, RSTART) + 0
         match($0, /[0-9]+ bytes spill loads/); loads = substr($0, RSTART) + 0
         print architecture, stores, loads, name
         name = ""
       }' "$1"
}

demangled() { if command -v c++filt >/dev/null; then c++filt; else cat; fi; }

# A source that is compiled, but not with this build, would never be looked at.
require_every_source() {
  local log=$1 source missing=""
  while read -r source; do
    grep -qF "$(basename "$source").o" "$log" || missing+=" $source"
  done < <(find csrc benchmarks -name '*.cu' | sort)
  [ -z "$missing" ] || { echo "error: the build has not compiled$missing" >&2; exit 1; }
}

# A log without kernels would pass anything.
require_kernels_of() {
  local list=$1 architecture
  shift
  for architecture in "$@"; do
    architecture=${architecture%%-*}
    grep -qE "^sm_$architecture[a-f]? " <<<"$list" ||
      { echo "error: the build shows no kernel for sm_$architecture" >&2; exit 1; }
  done
}

look_at() {
  local log=$1 list spilling
  shift
  require_every_source "$log"
  list=$(kernels_in "$log" | sort -u)
  require_kernels_of "$list" "$@"
  spilling=$(awk '$2 + $3 > 0' <<<"$list" | demangled)
  if [ -n "$spilling" ]; then
    echo "error: these kernels spill registers (architecture, bytes of stores and of loads):" >&2
    echo "$spilling" >&2
    exit 1
  fi
  echo "no kernel of $(wc -l <<<"$list") spills: $(cut -d' ' -f1 <<<"$list" | sort | uniq -c | xargs)"
}

# The kernels of the microbenchmarks.
compile_benchmarks() {
  local source architecture codes=()
  for architecture in "$@"; do
    architecture=${architecture%%-*}
    codes+=("-gencode=arch=compute_$architecture,code=sm_$architecture")
  done
  while read -r source; do
    echo "Building CUDA object $source.o"
    "${CUDACXX:-nvcc}" -std=c++17 -O3 -Icsrc -Ibenchmarks/cuda "${codes[@]}" -Xptxas=-v -Werror=all-warnings \
      -Xcompiler=-Wall,-Wextra,-Wshadow,-Werror -c "$source" -o /dev/null || return
  done < <(find benchmarks -name '*.cu' | sort)
}

if [ "${1:-}" = --benchmarks ]; then
  compile_benchmarks "${@:2}"
  exit
fi
if [ "${1:-}" = --log ]; then
  [ $# -ge 3 ] || { sed -n '6,10s/^# //p' "$0" >&2; exit 2; }
  look_at "${@:2}"
  exit
fi

if ! "${CUDACXX:-nvcc}" --version 2>/dev/null | grep -q 'release 13\.'; then
  echo "error: nvcc 13 is missing: install CUDA 13's compiler, and put it on PATH or into CUDACXX" >&2
  exit 1
fi
IFS=';' read -ra chosen <<<"$architectures"
# What has been compiled before prints nothing.
rm -rf build/check-cuda
mkdir -p build/check-cuda
log=build/check-cuda/build.log
python=${PYTHON:-.venv/bin/python}
if ! {
  cmake -S . -B build/check-cuda -G Ninja -DCMAKE_BUILD_TYPE=Release -DPython_EXECUTABLE="$python" \
    -DEIGENTROPY_CUDA=ON -DEIGENTROPY_TESTS=OFF -DEIGENTROPY_BENCHMARKS=OFF -DEIGENTROPY_WERROR=ON \
    -DCMAKE_CUDA_ARCHITECTURES="$architectures" -DCMAKE_CUDA_FLAGS=-Xptxas=-v &&
    cmake --build build/check-cuda --target eigentropy_cuda &&
    compile_benchmarks "${chosen[@]}"
} >"$log" 2>&1; then
  tail -n 60 "$log" >&2
  exit 1
fi
look_at "$log" "${chosen[@]}"
