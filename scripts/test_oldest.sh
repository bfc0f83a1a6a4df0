#!/usr/bin/env bash
# Runs the quick tests, and those that need no more than the named extras beside them, with the oldest
# version of each package that pyproject.toml allows, in an environment of its own, build/oldest.
# Nothing is compiled: the wheel is that of build/as-installed.
#
# usage: scripts/test_oldest.sh [EXTRA,...]        (make test-oldest)
set -euo pipefail
cd "$(dirname "$0")/.."

extras=${1:-}
python=$PWD/build/oldest/bin/python
rm -rf build/oldest
.venv/bin/python -m venv build/oldest
wheel=$(echo build/as-installed/*.whl)
# Of the packages that these need in turn, the newest that go with them.
.venv/bin/python scripts/oldest_versions.py "$extras" >build/oldest/constraints.txt
cat build/oldest/constraints.txt
"$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
  --constraint build/oldest/constraints.txt "$wheel${extras:+[$extras]}" "pytest>=8"
"$python" -m pip list --disable-pip-version-check --format freeze >build/oldest/installed.txt
.venv/bin/python scripts/oldest_versions.py "$extras" --installed build/oldest/installed.txt
# The names under which the packages are imported.
beside=$(cut -d= -f1 build/oldest/constraints.txt | sed 's/^scikit-learn$/sklearn/' | paste -sd,)
read -ra more <<<"${PYTEST_ARGS:-}"
# An old package uses what newer ones that it needs have deprecated since.
"$python" -m pytest --quick --beside "$beside" -W ignore::DeprecationWarning "${more[@]}"
