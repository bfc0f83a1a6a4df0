"""Programs that measure, run from the root of the repository: `python -m benchmarks.compare.suite`.

compare    eigentropy beside other packages: time, memory, and whether the answers agree
accuracy   errors of estimates and of float32, and what a choice is based on
gpu        the CUDA back end beside PyTorch on one GPU
documents  the tables and figures that the documents show
shared     machine, stored results, the medians of a case, a browser
results    what was measured; tables and figures are made of it
cpp, cuda  microbenchmarks in C++, built by CMake
"""
