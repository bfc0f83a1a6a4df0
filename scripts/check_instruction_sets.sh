#!/usr/bin/env bash
# One library serves every x86-64 machine: only the objects named ..._avx2 and ..._avx512 may hold
# AVX code, since only they are chosen at run time. Says which object breaks that.
#
# usage: scripts/check_instruction_sets.sh libeigentropy_core.a libeigentropy_base.a
set -euo pipefail

archives=("$@")
if [ "$(uname -m)" != x86_64 ]; then
  echo "not x86-64: nothing to check"
  exit 0
fi
for tool in ar objdump; do
  command -v $tool >/dev/null || { echo "error: $tool is missing (package binutils)" >&2; exit 1; }
done

# Objects with an instruction whose name begins with v: those are AVX, but for verr and verw, which
# no compiler writes.
objects_with_avx() {
  objdump -d --no-show-raw-insn "${archives[@]}" |
    awk '/file format/ { object = $1; sub(/:$/, "", object) }
         $1 ~ /^[0-9a-f]+:$/ && $2 ~ /^v/ && !seen[object]++ { print object }' | sort
}
# Not the other way round alone: a check that sees no AVX code where it must be would pass anything.
objects_meant_for_avx() {
  for archive in "${archives[@]}"; do ar t "$archive"; done | grep -E '_avx(2|512)\.' | sort
}

if ! difference=$(diff <(objects_meant_for_avx) <(objects_with_avx)); then
  echo "error: AVX code is not where it must be (<: missing there, >: must not be there)" >&2
  echo "$difference" >&2
  exit 1
fi
echo "AVX code only in: $(objects_meant_for_avx | tr '\n' ' ')"
