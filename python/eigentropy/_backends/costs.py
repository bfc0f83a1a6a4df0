"""What computations cost on a kind of device, by which method="auto" decides.

benchmarks/accuracy/approaches.py compares the predictions with measured times.
"""

from __future__ import annotations

from dataclasses import dataclass

# Smaller matrices take some milliseconds in either precision. Several that take as long together
# count as one of this order.
SINGLE_FROM = 1000


@dataclass(frozen=True)
class Costs:
    """The constants of the rule behind method="auto".

    The unit is one multiplication and addition of a large float32 product. In float64, everything
    but `start` costs twice as much.

    Attributes
    ----------
    entry : float
        Of one entry of the kernel, beside its product: exponential, sums, scaling.
    eigenvalues : float
        Of all eigenvalues, in units of n^3. The algorithm takes 4/3.
    start : float
        Of an estimate of few rows: small matrices, and Python.
    soon : float
        All eigenvalues are computed anyway where they cost less: some seconds.
    preference : float
        All eigenvalues are worth more than an estimate. An estimate must be predicted to be faster
        by this factor.
    kept : float
        An estimate keeps its matrix if the matrix takes at most this part of what may be used.
    memory : float
        The share of the free memory that a matrix may take.
    steps : int
        Products with the first block of vectors, as most kernels need them.
    narrow : float
        How much slower a product with this few columns is, for each entry, than a large one.
    smooth_trace : float
        A factor of low rank is tried where tr A is below: the eigenvalues add up to tr A, and the
        largest is 1.
    low_rank : float
        The rank of that factor must stay below this share of n.
    """

    entry: float = 60.0
    eigenvalues: float = 1.5
    start: float = 6e10
    soon: float = 4e11
    preference: float = 3.0
    kept: float = 0.5
    memory: float = 0.5
    steps: int = 10
    narrow: float = 2.0
    smooth_trace: float = 50.0
    low_rank: float = 0.1


# Measured: 4/3 n^3 at 0.9 of the rate of a product are 1.5 n^3.
CPU_COSTS = Costs()

# GUESSES, until a GPU has been measured. They follow from what a GPU of a data centre has: products
# at some 2e13 units a second; a tridiagonal reduction at the speed of its memory, which is a tenth
# of that; half a second for what an estimate does on the host; "soon" is two seconds. With these
# numbers all eigenvalues are computed up to some 15 000 rows.
GPU_COSTS = Costs(eigenvalues=12.0, start=1e13, soon=4e13, kept=1.0)
