#!/usr/bin/env bash
# GoogleTest and Google Benchmark for the C++ tests, without root.
#
# Nothing is done where CMake finds both already. Otherwise Debian's packages are downloaded by apt
# and unpacked into build/third_party, where the CMake presets look.
#
# usage: scripts/fetch_cpp_test_libraries.sh        (CMAKE=/path/to/cmake, if it is not on PATH)
set -euo pipefail
cd "$(dirname "$0")/.."

third_party=$PWD/build/third_party
# The sources, in googletest, are for compilers with a C++ library of their own.
packages=(libgtest-dev googletest libbenchmark-dev libbenchmark1debian)

# True if find_package finds both: the question that the build itself will ask.
found() {
  local probe status=0
  probe=$(mktemp -d)
  cat >"$probe/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.24)
project(probe LANGUAGES CXX)
find_package(Threads REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
CMAKE
  "${CMAKE:-cmake}" -S "$probe" -B "$probe/build" -DCMAKE_PREFIX_PATH="$third_party/usr" \
    >"$probe/log" 2>&1 || status=1
  rm -rf "$probe"
  [ -d "$third_party/usr/src/googletest/googletest" ] || [ -d /usr/src/googletest/googletest ] || status=1
  return $status
}

give_up() {
  echo "error: $1" >&2
  echo "The C++ tests need GoogleTest and Google Benchmark: Debian's packages libgtest-dev and" >&2
  echo "libbenchmark-dev, or any installation that CMake's find_package finds." >&2
  exit 1
}

if found; then exit 0; fi
for tool in apt-get dpkg; do
  command -v "$tool" >/dev/null || give_up "this is not a Debian machine ($tool is missing)"
done

echo "Fetching ${packages[*]} into build/third_party"
mkdir -p "$third_party/archives"
# Package lists of our own: the machine's may be absent or old, and updating them needs root.
state=$third_party/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
own_lists=(-o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache"
  -o Debug::NoLocking=true -o APT::Sandbox::User= -qq)

download() { (cd "$third_party/archives" && apt-get "$@" download "${packages[@]}"); }
if ! download -o APT::Sandbox::User= -qq 2>/dev/null; then
  apt-get "${own_lists[@]}" update || give_up "apt-get update failed; is there a network?"
  download "${own_lists[@]}" || give_up "apt-get could not download ${packages[*]}"
fi
for archive in "$third_party"/archives/*.deb; do dpkg -x "$archive" "$third_party"; done
rm -rf "$third_party/archives" "$state"
found || give_up "CMake does not find the unpacked packages"
