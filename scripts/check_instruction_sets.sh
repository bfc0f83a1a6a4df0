#!/usr/bin/env bash
# One library serves every x86-64 machine: only the objects named ..._avx2 and ..._avx512 may hold
# AVX code, since only they are chosen at run time. And the linker, which keeps one of several
# functions of one name, must have nothing to choose: what such an object, or one named
# ..._baseline, defines for others belongs to its instruction set by name, and to no other object.
# Says which object breaks that.
#
# usage: scripts/check_instruction_sets.sh libeigentropy_core.a libeigentropy_base.a
#        NM and OBJDUMP name other programs than nm and objdump
set -euo pipefail

archives=("$@")
if [ "$(uname -m)" != x86_64 ]; then
  echo "not x86-64: nothing to check"
  exit 0
fi
for tool in ar "${OBJDUMP:=objdump}" "${NM:=nm}"; do
  command -v "$tool" >/dev/null || { echo "error: $tool is missing (package binutils)" >&2; exit 1; }
done

# Objects with an instruction whose name begins with v: those are AVX, but for verr and verw, which
# no compiler writes.
objects_with_avx() {
  "$OBJDUMP" -d --no-show-raw-insn "${archives[@]}" |
    awk '/file format/ { object = $1; sub(/:$/, "", object) }
         $1 ~ /^[0-9a-f]+:$/ && $2 ~ /^v/ && !seen[object]++ { print object }' | sort
}
# Not the other way round alone: a check that sees no AVX code where it must be would pass anything.
objects_meant_for_avx() {
  for archive in "${archives[@]}"; do ar t "$archive"; done | grep -E '_avx(2|512)\.' | sort
}

# What the objects of the families define for others, with what is wrong about it. Lines of nm are
# "archive:object:address kind name"; kinds in capitals, and u, v, w, are seen by the linker.
symbols_to_choose_from() {
  "$NM" -A -C --defined-only "${archives[@]}" |
    awk '{ split($1, place, ":"); object = place[2]; kind = $2
           name = $0; sub(/^[^ ]+ [^ ]+ /, "", name) }
         !match(object, /_(baseline|avx2|avx512)\./) || kind !~ /^[A-Zuvw]$/ { next }
         { set = substr(object, RSTART + 1, RLENGTH - 2) }
         name !~ ("::" set "(::|\\(\\))") { print object ": " name " belongs to no instruction set" }
         name in owner && owner[name] != object { print object ": " name " is in " owner[name] ", too" }
         { owner[name] = object }'
}

if ! difference=$(diff <(objects_meant_for_avx) <(objects_with_avx)); then
  echo "error: AVX code is not where it must be (<: missing there, >: must not be there)" >&2
  echo "$difference" >&2
  exit 1
fi
choices=$(symbols_to_choose_from)
if [ -n "$choices" ]; then
  echo "error: the linker would choose one of several" >&2
  echo "$choices" >&2
  exit 1
fi
echo "AVX code only in: $(objects_meant_for_avx | tr '\n' ' ')"
