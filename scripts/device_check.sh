#!/usr/bin/env bash
# Settles the CUDA back end on a machine with an NVIDIA GPU, in two calls of some five minutes each:
# tests, comparison with torch and with the card's limits, then sanitizers, profiles and the rest.
# docs/explanations/profiling.md says how, and what comes back.
#
# usage: scripts/device_check.sh one|two [folder for results]
#
# It needs what scripts/prepare_device_check.sh has left in build/carried, and a Python with NumPy,
# pip, CMake, Ninja, pytest and scikit-learn. torch, compute-sanitizer and ncu take part where they
# are there. Nothing is downloaded. CUDA=EMULATED does all of it on the device that the tests
# emulate, with build/release and small sizes, to try this script.
set -euo pipefail
cd "$(dirname "$0")/.."

exec "${PYTHON:-python3}" -m benchmarks.device_check "$@"
