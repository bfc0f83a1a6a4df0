# Cross-compiles for Linux on aarch64 with Debian's g++-aarch64-linux-gnu; programs run under
# qemu-aarch64. BLAS is in ScipyOpenBLAS_ROOT, since the Python that CMake finds is this machine's.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
# A processor without SVE: with that of qemu 7.2 OpenBLAS's products are wrong, NumPy's own, too.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu cortex-a72 -L /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
