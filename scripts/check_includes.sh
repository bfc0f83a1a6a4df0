#!/usr/bin/env bash
# Data moves one way in csrc/, too: base/ includes base/ alone, cpu/ and cuda/ include base/ but not
# each other, and neither includes the bindings. What only some systems have is in base/platform.cpp.
# Names each line that breaks that.
#
# usage: scripts/check_includes.sh [csrc]
set -euo pipefail

cd "${1:-$(dirname "$0")/../csrc}"
status=0

# check FOLDER ALLOWED...: includes with quotes in FOLDER name files of the allowed folders only.
check() {
  local folder=$1 allowed
  shift
  allowed=$(IFS='|'; echo "$*")
  [ -d "$folder" ] || { echo "error: there is no $PWD/$folder" >&2; exit 1; }
  if grep -rnE '#include "' "$folder" | grep -vE "#include \"($allowed)/" >&2; then
    echo "error: $folder/ may include nothing but: $*" >&2
    status=1
  fi
}

check base base
check cpu base cpu
check cuda base cuda
check bindings/common base bindings/common
check bindings/cpu base cpu bindings/common bindings/cpu
check bindings/cuda base cuda bindings/common bindings/cuda

# Of the systems' headers, all are in one file.
if grep -rnE '#include <(fcntl|pthread|sched|signal|unistd|windows|sys/.*)\.?h?>' . | grep -v '^./base/platform.cpp:' >&2; then
  echo "error: csrc/base/platform.cpp is the place for what only some systems have" >&2
  status=1
fi
exit $status
