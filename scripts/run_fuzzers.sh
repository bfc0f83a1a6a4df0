#!/usr/bin/env bash
# Runs each fuzzer of build/fuzz for some seconds, first on the inputs that failed once, which are
# in tests/cpp/fuzz/seeds. Inputs that were interesting are kept in build/fuzz/corpus for the next
# run; one that fails lies in build/fuzz/findings, and is an error.
#
# usage: scripts/run_fuzzers.sh SECONDS        (make fuzz FUZZ_SECONDS=...)
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:?usage: scripts/run_fuzzers.sh SECONDS}
mkdir -p build/fuzz/findings
ran=0
for fuzzer in build/fuzz/tests/cpp/fuzz/fuzz_*; do
  if [ ! -f "$fuzzer" ] || [ ! -x "$fuzzer" ]; then continue; fi
  name=$(basename "$fuzzer")
  mkdir -p "build/fuzz/corpus/$name"
  # Of several folders new inputs go into the first.
  inputs=("build/fuzz/corpus/$name")
  if [ -d "tests/cpp/fuzz/seeds/$name" ]; then inputs+=("tests/cpp/fuzz/seeds/$name"); fi
  echo "== $name, $seconds s"
  "$fuzzer" -max_total_time="$seconds" -max_len=20000 -timeout=20 -print_final_stats=1 -verbosity=0 \
    -artifact_prefix="build/fuzz/findings/$name-" "${inputs[@]}"
  ran=$((ran + 1))
done
[ $ran -gt 0 ] || { echo "error: build/fuzz has no fuzzers; run make fuzz" >&2; exit 1; }
