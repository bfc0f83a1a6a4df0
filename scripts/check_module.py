"""Checks that the compiled core of a folder computes, and which compiler has built it.

python -I scripts/check_module.py build/clang/csrc/bindings/cpu Clang        (make test-clang)
"""

from __future__ import annotations

import sys

import numpy as np


def main(folder: str, compiler: str) -> None:
    """The eigenvalues of a diagonal matrix are its entries, the largest first."""
    sys.path.insert(0, folder)
    import _core

    if f" by {compiler} " not in _core.built_with():
        sys.exit(f"error: {_core.built_with()}, not by {compiler}")
    expected = np.arange(300.0, 0.0, -1.0)
    (found,) = _core.symmetric_eigenvalues(np.diag(expected)[np.newaxis])
    if not np.allclose(found, expected, rtol=1e-13):
        sys.exit(f"error: the eigenvalues of a diagonal matrix are wrong by {found - expected}")
    print(_core.built_with())


if __name__ == "__main__":
    main(*sys.argv[1:])
