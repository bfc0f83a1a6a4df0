#!/usr/bin/env bash
# Counts the instructions on vectors of NEON in each family of kernels of libraries for aarch64, and
# fails where a family has none: its loops would compute one number at a time.
#
# usage: scripts/count_neon.sh libeigentropy_core.a libeigentropy_base.a
set -euo pipefail

objdump=${OBJDUMP:-aarch64-linux-gnu-objdump}
command -v "$objdump" >/dev/null || objdump=objdump
[ $# -gt 0 ] || { echo "usage: $0 LIBRARY..." >&2; exit 2; }

# Kernel by kernel: multiply-adds (fmla, fmls), and all arithmetic, on vectors of 2 doubles or 4 floats.
# Disassembly has objects, "name.cpp.o:", then instructions with operands such as v0.2d.
counts=$("$objdump" -d --no-show-raw-insn "$@" |
  awk '/file format/ { object = $1; sub(/:$/, "", object); family = object ~ /_kernels_/ ? object : ""
                       sub(/_baseline\..*/, "", family); if (family != "") { add[family] += 0; all[family] += 0 } }
       family != "" && $2 ~ /^f[a-z]/ && /v[0-9]+\.(2d|4s)/ { all[family]++; if ($2 ~ /^fml[as]$/) add[family]++ }
       END { for (f in all) print f, add[f], all[f] }' | sort)
[ -n "$counts" ] || { echo "error: no kernels in $*" >&2; exit 1; }

status=0
while read -r family multiply_adds all; do
  echo "$family: $multiply_adds multiply-adds of $all instructions on vectors"
  case $family in
    max_norm_kernels | sturm_kernels) needed=$all ;; # whose loops compare
    *) needed=$multiply_adds ;;
  esac
  if [ "$needed" -eq 0 ]; then
    echo "error: $family computes without NEON" >&2
    status=1
  fi
done <<<"$counts"
exit $status
