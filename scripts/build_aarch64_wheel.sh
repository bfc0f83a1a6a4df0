#!/usr/bin/env bash
# Cross-compiles the wheel for aarch64 into dist/, and tests under qemu what can be tested without
# such a machine: small C++ tests, and the wheel in an empty Python of Debian's for aarch64.
#
# usage: scripts/build_aarch64_wheel.sh        (make wheel-aarch64 installs what it needs first)
#
# It needs Debian's g++-aarch64-linux-gnu and qemu-user, and that .venv's Python has the version of
# Debian's. The wheels of a release are compiled on such machines: .github/workflows/wheels.yml.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$tool" >/dev/null ||
    { echo "error: $tool is missing: apt install g++-aarch64-linux-gnu qemu-user" >&2; exit 1; }
done
scripts/fetch_aarch64.sh

into=$PWD/build/aarch64
python=$PWD/.venv/bin/python
version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
# Those of each family of kernels and of each solver; an emulator takes some hundred times as long.
cpp_tests='^(Band|Buffer|DiffusionSpectrum|Distances|EntropyGradient|GaussianKernel|Kernel|LaneGaussian|MaxNorm|PanelQr|ParallelFor|Simd|SymmetricProduct|Tridiagonal)'
# Of the same kernels as others of these, and by far the slowest.
slow_tests='(HasTheEigenvaluesOfTheDenseMatrix|HasTheSameBitsForEveryNumberOfThreads|OfAPrescribedSpectrumKeepsIt|OfLongRowsAreThoseOfShortOnes|OfRowsOverTheDefaultBlockAreSumsOfSquaredDifferences)<'

# The newest symbols of libstdc++ and of libc are not on every machine of manylinux_2_28: the first
# library is linked statically, packaging/aarch64 has older ones of the second.
# The C++ tests are compiled beside the module, so that they test the library that is in the wheel.
build_wheel() {
  rm -rf "$into/raw" "$into/repaired"
  aarch64-linux-gnu-as -o "$into/older_symbols.o" packaging/aarch64/older_symbols.s
  local suffix=.cpython-${version//./}-aarch64-linux-gnu.so
  SETUPTOOLS_EXT_SUFFIX=$suffix _PYTHON_HOST_PLATFORM=linux-aarch64 \
    "$python" -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
    --config-settings=build-dir="$into/cmake" \
    --config-settings=cmake.define.CMAKE_TOOLCHAIN_FILE="$PWD/cmake/aarch64-linux-gnu.cmake" \
    --config-settings=cmake.define.CMAKE_CXX_FLAGS="-isystem $into/root/usr/include -include $PWD/packaging/aarch64/no_clockwait.hpp" \
    --config-settings=cmake.define.CMAKE_MODULE_LINKER_FLAGS="$into/older_symbols.o -static-libstdc++" \
    --config-settings=cmake.define.CMAKE_PREFIX_PATH="$PWD/build/third_party/usr" \
    --config-settings=cmake.define.PYTHON_MODULE_EXTENSION="$suffix" \
    --config-settings=cmake.define.pybind11_DIR="$("$python" -m pybind11 --cmakedir)" \
    --config-settings=cmake.define.ScipyOpenBLAS_ROOT="$into/blas/scipy_openblas32" \
    --config-settings=cmake.define.Python_INCLUDE_DIR="$into/root/usr/include/python$version" \
    --config-settings=cmake.define.EIGENTROPY_WERROR=ON \
    --config-settings=cmake.define.EIGENTROPY_TESTS=ON \
    --config-settings=cmake.define.EIGENTROPY_GTEST_FROM_SOURCE=ON \
    --config-settings=cmake.define.EIGENTROPY_SMALL_TESTS=ON \
    --wheel-dir "$into/raw" .
  scripts/count_neon.sh "$into"/cmake/csrc/{base,cpu}/libeigentropy_*.a
  # On x86-64 auditwheel knows no name of another processor's platform, but finds the oldest one.
  auditwheel repair --plat auto --wheel-dir "$into/repaired" "$into"/raw/*.whl
  local tag
  tag=$(basename "$into"/repaired/*.whl | sed -nE 's/.*-manylinux_2_([0-9]+)_aarch64\.whl/\1/p')
  [ "${tag:-99}" -le 28 ] || { echo "error: not for manylinux_2_28_aarch64: $(ls "$into/repaired")" >&2; exit 1; }
}

# The processor is that of cmake/aarch64-linux-gnu.cmake, which says why.
# There is no compiler for aarch64 in reach of this Python, and nothing of this checkout.
test_wheel() {
  local site=$into/root/usr/local/lib/python$version/dist-packages
  rm -rf "$site"
  "$python" -m pip install --quiet --disable-pip-version-check --no-index --find-links "$into/wheels" \
    --only-binary :all: --python-version "$version" --implementation cp --abi "cp${version//./}" \
    --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
    --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
    --target "$site" "$into"/repaired/*.whl
  (
    unset PYTHONPATH
    cd "$into"
    env PATH=/nonexistent "$(command -v qemu-aarch64)" -cpu cortex-a72 -L "$into/root" \
      "$into/root/usr/bin/python$version" -I "$OLDPWD/scripts/smoke_test.py" --emulated
  )
}

echo "== the wheel"
build_wheel
echo "== the wheel under qemu"
test_wheel
echo "== the C++ tests under qemu"
ctest --test-dir "$into/cmake" --output-on-failure --parallel "$(nproc)" \
  --tests-regex "$cpp_tests" --exclude-regex "$slow_tests"
mkdir -p dist
rm -f dist/eigentropy-*-manylinux*_aarch64.whl
cp "$into"/repaired/*.whl dist/
ls dist/eigentropy-*_aarch64.whl
