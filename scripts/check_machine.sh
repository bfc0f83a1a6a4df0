#!/usr/bin/env bash
# Says what this machine lacks for building eigentropy: all of it at once, with Debian's names.
#
# usage: scripts/check_machine.sh [python]
set -euo pipefail

python=${1:-python3}
compiler=${CXX:-c++}
problems=0

missing() {
  echo "missing: $1" >&2
  echo "         $2" >&2
  problems=1
}

asks_python() { "$python" -c "$1" >/dev/null 2>&1; }

if ! "$python" --version >/dev/null 2>&1; then
  missing "Python >= 3.10 ('$python' does not run)" \
    "Debian: apt install python3 python3-venv python3-dev; or name another one: make PYTHON=..."
elif ! asks_python 'import sys; sys.exit(sys.version_info < (3, 10))'; then
  missing "Python >= 3.10 ('$python' is $("$python" --version 2>&1))" \
    "name a newer one: make PYTHON=python3.12 ..."
else
  asks_python 'import venv, ensurepip' || missing "Python's venv module" \
    "Debian: apt install python3-venv"
  asks_python 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' ||
    missing "Python.h" "Debian: apt install python3-dev"
fi

if ! "$compiler" --version >/dev/null 2>&1; then
  missing "a C++ compiler ('$compiler' does not run)" \
    "Debian: apt install g++; or name another one: CXX=... make ..."
elif ! echo 'struct { int i; } s; auto [i] = s; int main() {}' |
  "$compiler" -std=c++17 -x c++ -fsyntax-only - 2>/dev/null ||
  ! echo '#include <thread>' | "$compiler" -std=c++17 -x c++ -fsyntax-only - 2>/dev/null; then
  missing "a C++ compiler with C++17 and its library ('$compiler' has not)" \
    "Debian: apt install g++"
fi

exit $problems
