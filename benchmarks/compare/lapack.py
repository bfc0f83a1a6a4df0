"""Symmetric eigenvalue drivers of any LAPACK in a shared library, called by ctypes.

Loaded by path, so that two builds of one library can be measured on one machine, and without the
copies and checks of a Python wrapper.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
from pathlib import Path
from typing import Any

import numpy as np

INT = ctypes.POINTER(ctypes.c_int)
LETTER = {np.dtype(np.float64): "d", np.dtype(np.float32): "s"}


class Lapack:
    """`prefix` stands before, `suffix` after the Fortran names."""

    def __init__(self, path: Path, prefix: str = "", suffix: str = "_") -> None:
        self.library = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        self.prefix, self.suffix = prefix, suffix

    def call(self, name: str, dtype: np.dtype, *arguments: object) -> None:
        """Arguments as Fortran wants them: strings, integers and numbers by reference."""
        function = self._function(name, dtype)
        function(*[_by_reference(argument, dtype) for argument in arguments])

    def _function(self, name: str, dtype: np.dtype) -> Any:
        function = getattr(self.library, f"{self.prefix}{LETTER[dtype]}{name}{self.suffix}")
        function.restype = None
        return function

    def eigenvalues(self, driver: str, A: np.ndarray) -> np.ndarray:
        """Ascending eigenvalues by `syevd`, `syevr`, ... with jobz = 'N'. Destroys A."""
        n = len(A)
        w, info = np.empty(n, A.dtype), ctypes.c_int(0)
        size, integer_size = np.empty(1, A.dtype), ctypes.c_int(0)

        def solve(work: np.ndarray, work_size: int, integers: object, integer_count: int) -> None:
            tail = [work, work_size]
            if "syevd" in driver or "syevr" in driver:
                tail += [integers, integer_count]
            if "syevr" in driver:
                found, none = ctypes.c_int(0), np.empty(1, A.dtype)
                support = np.empty(2 * n, np.int32)
                middle = [0.0, 0.0, 0, 0, 0.0, found, w, none, 1, support]
                head = ["N", "A", "L", n, A, n]
            else:
                middle, head = [w], ["N", "L", n, A, n]
            self.call(driver, A.dtype, *head, *middle, *tail, info)
            if info.value != 0:
                raise ArithmeticError(f"{driver} returned info = {info.value}")

        solve(size, -1, integer_size, -1)
        count = max(1, integer_size.value)
        work = np.empty(int(size[0]), A.dtype)
        solve(work, len(work), np.empty(count, np.int32), count)
        return w

    def eigenvalues_of_stack(self, driver: str, A: np.ndarray) -> np.ndarray:
        """The same by `syevd` for a stack, with one workspace for all. Destroys A."""
        count, n = A.shape[:2]
        w, info = np.empty((count, n), A.dtype), ctypes.c_int(0)
        size, integer_size = np.empty(1, A.dtype), ctypes.c_int(0)
        head = ["N", "L", n, A[0], n, w[0]]
        self.call(driver, A.dtype, *head, size, -1, integer_size, -1, info)
        work = np.empty(int(size[0]), A.dtype)
        integers = np.empty(max(1, integer_size.value), np.int32)
        function = self._function(driver, A.dtype)
        rest = [work, len(work), integers, len(integers), info]
        start = [_by_reference(argument, A.dtype) for argument in head]
        tail = [_by_reference(argument, A.dtype) for argument in rest]
        base, found = A.ctypes.data, w.ctypes.data
        for i in range(count):  # short, since only one thread at a time is in Python
            start[3] = ctypes.c_void_p(base + i * A.strides[0])
            start[5] = ctypes.c_void_p(found + i * w.strides[0])
            function(*start, *tail)
            if info.value != 0:
                raise ArithmeticError(f"{driver} returned info = {info.value}")
        return w

    def product(self, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> None:
        """C <- A B for square Fortran-ordered matrices."""
        n = len(A)
        self.call("gemm", A.dtype, "N", "N", n, n, n, 1.0, A, n, B, n, 0.0, C, n)


def _by_reference(argument: object, dtype: np.dtype) -> object:
    if isinstance(argument, str):
        return ctypes.c_char_p(argument.encode())
    if isinstance(argument, int):
        return ctypes.byref(ctypes.c_int(argument))
    if isinstance(argument, float):
        number = ctypes.c_double if dtype == np.float64 else ctypes.c_float
        return ctypes.byref(number(argument))
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return ctypes.byref(argument)


def mkl() -> Lapack:
    """MKL of the installed distribution `mkl`; its threading layer is that of the environment."""
    if os.environ.get("MKL_THREADING_LAYER") == "TBB":  # MKL looks for it on the system's path only
        ctypes.CDLL(str(_file_of("tbb", "libtbb.so")), mode=os.RTLD_NOW | os.RTLD_GLOBAL)
    return Lapack(_file_of("mkl", "libmkl_rt.so"))


def openblas() -> Lapack:
    """OpenBLAS of the installed distribution `scipy-openblas32`."""
    import scipy_openblas32

    folder = Path(scipy_openblas32.get_lib_dir())
    return Lapack(folder / f"lib{scipy_openblas32.get_library()}.so", prefix="scipy_")


def _file_of(distribution: str, name: str) -> Path:
    for file in importlib.metadata.files(distribution) or []:
        if file.name.startswith(name):
            return Path(file.locate())
    raise FileNotFoundError(f"{distribution} has no {name}")
