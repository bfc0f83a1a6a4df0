#!/usr/bin/env bash
# Builds the manylinux wheel into dist/ and tests it in an empty environment without a compiler.
# Once for each Python: the one given, or .venv's and a Python 3.12 where there is one.
#
# usage: scripts/build_wheel.sh [python...]        (make wheel installs what it needs first)
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in auditwheel patchelf; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing; run make wheel" >&2; exit 1; }
done

tag_of() { "$1" -c 'import sys; print("cp{}{}{}".format(*sys.version_info[:2], sys.abiflags))' 2>/dev/null; }

# A Python 3.12 that runs: on PATH, or among pyenv's versions.
find_python312() {
  local candidates=(python3.12) candidate
  if command -v pyenv >/dev/null; then
    candidates+=("$(pyenv root)"/versions/3.12*/bin/python3.12)
  fi
  for candidate in "${candidates[@]}"; do
    if [ "$(tag_of "$candidate")" = cp312 ]; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# BLAS exactly once, and a tag that pip on other machines accepts.
check_contents() {
  local wheel=$1 copies
  copies=$(unzip_list "$wheel" | grep -c 'openblas.*\.so' || true)
  [ "$copies" = 1 ] || { echo "error: $wheel holds $copies copies of OpenBLAS" >&2; exit 1; }
  case $wheel in
    *-manylinux_*) ;;
    *) echo "error: $wheel has no manylinux tag" >&2; exit 1 ;;
  esac
}
unzip_list() { .venv/bin/python -m zipfile --list "$1"; }

# On an emulated processor of 2008, where there is the emulator (Debian's qemu-user).
test_without_avx2() {
  local work=$1 qemu
  if [ "$(uname -m)" != x86_64 ] || ! qemu=$(command -v qemu-x86_64); then
    echo "== skipped: a processor without AVX2, since there is no qemu-x86_64"
    return
  fi
  (
    cd "$work"
    export PATH=$work/empty/bin
    unset PYTHONPATH VIRTUAL_ENV LD_LIBRARY_PATH OPENBLAS_CORETYPE
    "$qemu" -cpu Nehalem "$work/empty/bin/python" -I "$OLDPWD/scripts/smoke_test.py" --emulated --without-avx2
  )
}

build_and_test() {
  local python=$1 tag work cmake wheel
  tag=$(tag_of "$python")
  work=$PWD/build/wheel/$tag
  # As deep as the builds of pip: a compiler cache with relative paths finds the same core again.
  cmake=$PWD/build/wheel-cmake/$tag
  rm -rf "$work" "$cmake"
  mkdir -p "$work" dist
  echo "== $tag: building"
  "$python" -m venv "$work/tools"
  # Without .venv's cmake and ninja: as for anyone who builds from source.
  PATH=${PATH//"$PWD/.venv/bin:"/} "$work/tools/bin/pip" wheel --quiet --disable-pip-version-check --no-deps \
    --config-settings=build-dir="$cmake" --wheel-dir "$work/raw" .
  scripts/check_instruction_sets.sh "$cmake"/csrc/{base,cpu}/libeigentropy_*.a
  auditwheel repair --wheel-dir "$work/repaired" "$work"/raw/*.whl
  wheel=$(echo "$work"/repaired/*.whl)
  check_contents "$wheel"

  echo "== $tag: testing in an empty environment"
  "$python" -m venv "$work/empty"
  # No compiler, and nothing of this checkout, within reach.
  (
    cd "$work"
    export PATH=$work/empty/bin
    unset PYTHONPATH VIRTUAL_ENV LD_LIBRARY_PATH
    "$work/empty/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$wheel"
    "$work/empty/bin/python" -I "$OLDPWD/scripts/smoke_test.py"
  )
  test_without_avx2 "$work"
  rm -f dist/eigentropy-*-"$tag"-*_"$(uname -m)".whl
  cp "$wheel" dist/
  built+=("dist/$(basename "$wheel")")
}

built=()
if [ $# -gt 0 ]; then
  pythons=("$@")
else
  pythons=(.venv/bin/python)
  if [ "$(tag_of .venv/bin/python)" != cp312 ]; then
    if python312=$(find_python312); then
      pythons+=("$python312")
    else
      echo "== cp312: skipped, there is no Python 3.12 on PATH or among pyenv's versions"
    fi
  fi
fi
for python in "${pythons[@]}"; do build_and_test "$python"; done

for wheel in "${built[@]}"; do
  name=$(basename "$wheel" .whl)
  echo "$wheel: $(du --apparent-size --si "$wheel" | cut -f1)B, platform tag ${name##*-}"
done
