#!/usr/bin/env bash
# What a cross-compiled wheel for aarch64 needs, without root, in build/aarch64: `root`, a Python of
# Debian's for aarch64 with its headers; `blas`, OpenBLAS; `wheels`, what the package depends on.
#
# usage: scripts/fetch_aarch64.sh        (build_aarch64_wheel.sh does so)
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
into=$PWD/build/aarch64
version=$("$python" -c 'import sys; print("{}.{}".format(*sys.version_info))')
abi=cp${version//./}
packages=(python"$version"-minimal libpython"$version"-minimal libpython"$version"-stdlib
  libpython"$version"-dev libc6 libgcc-s1 libstdc++6 zlib1g libexpat1 libffi8 libbz2-1.0 liblzma5
  libssl3 libuuid1 libcrypt1)

# Lists of our own, for another architecture than the machine's.
fetch_debian_packages() {
  local state=$into/apt
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$into/archives"
  touch "$state/status"
  local lists=(-o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$state"
    -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status"
    -o Dir::Cache="$state/cache" -o Debug::NoLocking=true -o APT::Sandbox::User= -qq)
  apt-get "${lists[@]}" update
  (cd "$into/archives" && apt-get "${lists[@]}" download "${packages[@]}") || {
    echo "error: this Debian has no Python $version for aarch64: make PYTHON=... names another Python" >&2
    exit 1
  }
  for archive in "$into"/archives/*.deb; do dpkg -x "$archive" "$into/root"; done
  rm -rf "$into/archives" "$state"
}

# NumPy and OpenBLAS for aarch64, and packages without compiled code.
fetch_wheels() {
  local where=(--quiet --disable-pip-version-check --only-binary :all: --python-version "$version"
    --implementation cp --abi "$abi" --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64
    --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64)
  "$python" -m pip install "${where[@]}" --abi none --platform any --no-deps --target "$into/blas" "scipy-openblas32>=0.3.31"
  "$python" -m pip download "${where[@]}" --dest "$into/wheels" numpy typer rich
}

if [ -e "$into/complete" ]; then exit 0; fi
for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null || { echo "error: this is not a Debian machine ($tool is missing)" >&2; exit 1; }
done
rm -rf "$into"
mkdir -p "$into"
fetch_debian_packages
fetch_wheels
touch "$into/complete"
