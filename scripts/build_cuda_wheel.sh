#!/usr/bin/env bash
# Builds the plug-in wheel eigentropy-cuda13 into dist/, and tests it, where there need not be a GPU,
# in an empty environment with NVIDIA's libraries from PyPI and without a compiler. A kernel that
# spills registers is an error.
# Once for each Python: the one given, or .venv's.
#
# usage: scripts/build_cuda_wheel.sh [python...]        (make wheel-cuda installs what it needs first)
#
# It needs nvcc 13 on PATH or in CUDACXX, and the wheel of eigentropy in dist/ (make wheel).
set -euo pipefail
cd "$(dirname "$0")/.."

# Machine code for each of these; GPUs that are newer than the last one take its PTX.
architectures=${CUDA_ARCHITECTURES:-75-real;80-real;86-real;89-real;90-real;100-real;120}
most_bytes=100000000

for tool in auditwheel patchelf; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing; run make wheel-cuda" >&2; exit 1; }
done
if ! "${CUDACXX:-nvcc}" --version 2>/dev/null | grep -q 'release 13\.'; then
  echo "error: nvcc 13 is missing: install CUDA 13's compiler, and put it on PATH or into CUDACXX" >&2
  exit 1
fi

tag_of() { "$1" -c 'import sys; print("cp{}{}".format(*sys.version_info))' 2>/dev/null; }

# None of NVIDIA's libraries, which have wheels of their own; not too large for PyPI.
check_contents() {
  local wheel=$1 foreign size
  foreign=$(.venv/bin/python -m zipfile --list "$wheel" | grep -oE 'lib(cu|nv)[A-Za-z]+[^ ]*\.so[^ ]*' || true)
  [ -z "$foreign" ] || { echo "error: $wheel holds $foreign" >&2; exit 1; }
  size=$(stat --format=%s "$wheel")
  [ "$size" -le $most_bytes ] || { echo "error: $wheel has $size bytes, more than $most_bytes" >&2; exit 1; }
  case $wheel in
    *-manylinux_*) ;;
    *) echo "error: $wheel has no manylinux tag" >&2; exit 1 ;;
  esac
}

build_and_test() {
  local python=$1 tag work wheel cpu_wheel chosen
  tag=$(tag_of "$python")
  work=$PWD/build/wheel-cuda/$tag
  cpu_wheel=$(find dist -name "eigentropy-*-$tag-*.whl" | head -n 1)
  [ -n "$cpu_wheel" ] || { echo "error: dist/ has no wheel of eigentropy for $tag; run make wheel" >&2; exit 1; }
  rm -rf "$work"
  mkdir -p "$work"
  echo "== $tag: building for $architectures"
  "$python" -m venv "$work/tools"
  # Without .venv's cmake and ninja: as for anyone who builds from source. ptxas tells of each kernel
  # what check_cuda_code.sh reads.
  if ! PATH=${PATH//"$PWD/.venv/bin:"/} "$work/tools/bin/pip" wheel --verbose --disable-pip-version-check --no-deps \
    --config-settings=build-dir="$work/cmake" \
    --config-settings=cmake.define.CMAKE_CUDA_ARCHITECTURES="$architectures" \
    --config-settings=cmake.define.CMAKE_CUDA_FLAGS=-Xptxas=-v \
    --config-settings=cmake.define.EIGENTROPY_WERROR=ON --wheel-dir "$work/raw" ./packaging/cuda13 >"$work/build.log" 2>&1; then
    tail -n 60 "$work/build.log" >&2
    exit 1
  fi
  IFS=';' read -ra chosen <<<"$architectures"
  scripts/check_cuda_code.sh --benchmarks "${chosen[@]}" >>"$work/build.log" 2>&1 ||
    { tail -n 60 "$work/build.log" >&2; exit 1; }
  scripts/check_cuda_code.sh --log "$work/build.log" "${chosen[@]}"
  # NVIDIA's libraries are those of its wheels, which are found by their place beside the module.
  auditwheel repair --exclude 'libcu*' --exclude 'libnv*' --wheel-dir "$work/repaired" "$work"/raw/*.whl
  wheel=$(echo "$work"/repaired/*.whl)
  check_contents "$wheel"

  echo "== $tag: testing in an empty environment"
  "$python" -m venv "$work/empty"
  # No compiler, no library of a toolkit, and nothing of this checkout, within reach.
  (
    export PATH=$work/empty/bin
    unset PYTHONPATH VIRTUAL_ENV LD_LIBRARY_PATH
    "$work/empty/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$cpu_wheel" "$wheel"
    cd "$work"
    "$work/empty/bin/python" -I "$OLDPWD/scripts/smoke_test_cuda.py"
  )
  rm -f dist/eigentropy_cuda13-*-"$tag"-*.whl
  cp "$wheel" dist/
  built+=("dist/$(basename "$wheel")")
}

built=()
pythons=("$@")
[ $# -gt 0 ] || pythons=(.venv/bin/python)
for python in "${pythons[@]}"; do build_and_test "$python"; done

for wheel in "${built[@]}"; do
  name=$(basename "$wheel" .whl)
  echo "$wheel: $(du --apparent-size --si "$wheel" | cut -f1)B, platform tag ${name##*-}"
done
