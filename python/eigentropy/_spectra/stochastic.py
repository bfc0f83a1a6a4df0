"""The entropies of a spectrum from products of the matrix with blocks of random vectors.

docs/explanations/stochastic.md derives the estimator and its variance.
benchmarks/accuracy/stochastic_variants.py compares it with simpler ones.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np

from eigentropy import _core
from eigentropy._backends.cpu import Block
from eigentropy._backends.devices import HOST, Device
from eigentropy._spectra.estimated import REMEMBERED, EstimatedSpectrum, History
from eigentropy._spectra.functionals import Functional, functionals
from eigentropy._spectra.lanczos import BlockLanczos, Doubles, Products, norm_bound
from eigentropy._spectra.quadrature import Rule, rules
from eigentropy._spectra.spectrum import Which
from eigentropy._support import memory
from eigentropy._support.options import one_of, positive, random_seed
from eigentropy._support.progress import Callback

# The first block has sketched columns, from which Q is built, and probes, whose number fixes the
# degrees of freedom of the standard error. Products are fastest with a power of two of columns.
SKETCHED = 16
PROBES = 16

# Q spans this many blocks of the Krylov space of the sketched columns: A is applied to them twice.
SKETCH_BLOCKS = 3

# If the first block is not enough, Q is replaced by MIN_SKETCH to MAX_SKETCH Ritz vectors. The
# error of their quadrature may take SKETCH_SHARE of the tolerance; to get there, Lanczos goes on
# until its basis has REFINED columns, or MOST_REFINED if need be. AFTER new probes then start
# outside of Q.
MIN_SKETCH, MAX_SKETCH = 32, 64
SKETCH_SHARE = 0.02
REFINED, MOST_REFINED = 6 * (SKETCHED + PROBES), 8 * (SKETCHED + PROBES)
AFTER = 32

# The most probes in one further block, and in all blocks together.
BLOCK_PROBES = 64
MAX_PROBES = 1024

# The most products with one block. The basis of the block may take BASIS_SHARE of the free memory,
# which can allow fewer.
MAX_STEPS = 24
BASIS_SHARE = 0.5

# With fewer rows the Krylov space is nearly the whole space, and all eigenvalues take less time.
SMALLEST_N = 8 * (SKETCHED + PROBES)

# Relative error of S that rounding of products in this precision may leave.
FLOOR = {"float32": 5e-5, "float64": 1e-9}

# The same in nats, for an S near 0.
ROUNDING = {"float32": 2e-6, "float64": 1e-12}

# A direction whose length is below this share of the longest one lies in Q already.
SAME_DIRECTION = 1e-7

# The sketch of no vector, by both rules.
NOTHING = (Rule(np.zeros(0), np.zeros((1, 0))),) * 2

# The variance is an estimate and may be too small, so this factor more probes are taken.
RESERVE = 1.1


Found = TypeVar("Found")


class AskedProduct(NamedTuple):
    """A block of vectors that A is to be multiplied with, and who is told how far that is."""

    vectors: Block
    progress: Callback | None


class Effort(NamedTuple):
    """How an estimate spends its products.

    Attributes
    ----------
    sketched, probes : int
        Columns of the first block.
    sketch_blocks : int
        Q spans this many blocks of the Krylov space of the sketched columns.
    stops : bool
        Whether it stops as soon as `tol` is met, though more products would make it better. All
        columns of the first block are then tried as probes at first, with nothing sketched.
    """

    sketched: int = SKETCHED
    probes: int = PROBES
    sketch_blocks: int = SKETCH_BLOCKS
    stops: bool = False


THOROUGH = Effort()

# Where a product takes long. FEW_PASSES is for kernels that each product computes anew from long
# rows, which costs far more than the columns. FEW_COLUMNS is for short rows and for kernels in 16
# bits: half as many columns take fewer than twice as many products, and Q is as large by more of
# their blocks.
FEW_PASSES = Effort(stops=True)
FEW_COLUMNS = Effort(8, 8, 6, stops=True)


# A computation that asks for one product after the other, is sent it, and returns its result. So
# several can go on side by side, with one pass over the kernel that they have in common.
Steps: TypeAlias = Generator[AskedProduct, Block, Found]


def supports(n: int) -> bool:
    """Whether there are rows enough for an estimate; below, all eigenvalues are the way."""
    return n >= SMALLEST_N


def estimate_spectrum(
    products: Products,
    wanted: Sequence[Which] = (1.0,),
    tol: float = 1e-3,
    seed: int = 0,
    progress: Callback | None = None,
    *,
    dtype: str = "float32",
    device: Device = HOST,
    has_unit_eigenvalue: bool = True,
    effort: Effort = THOROUGH,
) -> EstimatedSpectrum:
    r"""The entropies of the spectrum of A, from its products with random vectors.

    .. math:: S(t) = \log T - (t / T) M, \qquad
        T = \mathrm{tr}\,A^t, \quad M = \mathrm{tr}\,A^t \log A

    The traces are exact on a space that a random sketch finds and on the known eigenvector, and
    averages over probes on the rest, where tr A and \|A\|_F^2, which are known, take away most of
    their variance. docs/explanations/stochastic.md has the derivation.

    The relative error of each S(t) is below `tol` with a probability of 95 %. As many probes as
    that takes are used, up to 1024: `EstimatedSpectrum.meets` says whether it was reached.

    Parameters
    ----------
    products : Products
        A: n, trace, frobenius2, degrees, matmul.
    wanted : sequence of float or Functional
        The diffusion times, > 0, or other entropies, for which `tol` holds. Others can be asked for
        later, at no cost.
    tol : float
        Relative half-width of the 95 % interval. An S below tol nats counts as tol.
    seed : int
    progress : callable, optional
        Called with the fraction that is done. It starts from an upper bound of the work, so that it
        may end early.
    dtype : {"float32", "float64"}
        Of the vectors that A is multiplied with. The basis takes 32 n numbers of them a step.
    device : Device
        Where A is, and the vectors are. The probes are the same on all.
    has_unit_eigenvalue : bool
        Whether A has the eigenvalue 1 with the eigenvector sqrt(degrees).
    effort : Effort

    Returns
    -------
    EstimatedSpectrum

    Raises
    ------
    ValueError
        tol <= 0 or below what rounding in `dtype` allows; n < 256; wanted empty or not positive.
    MemoryError
        Not even the basis of four steps fits.

    References
    ----------
    Meyer, Musco, Musco, Woodruff: Hutch++. SOSA 2021, arXiv:2010.09649.
    Chen, Hallman: Krylov-aware stochastic trace estimation. SIMAX 2023, arXiv:2205.01736.
    """
    steps = estimation(
        products, wanted, tol, seed, progress, dtype=dtype, device=device,
        has_unit_eigenvalue=has_unit_eigenvalue, effort=effort,
    )  # fmt: skip
    try:
        asked = next(steps)
        while True:
            asked = steps.send(device.product(products, *asked))
    except StopIteration as end:
        found: EstimatedSpectrum = end.value
        return found


def estimation(
    products: Products,
    wanted: Sequence[Which] = (1.0,),
    tol: float = 1e-3,
    seed: int = 0,
    progress: Callback | None = None,
    *,
    dtype: str = "float32",
    device: Device = HOST,
    has_unit_eigenvalue: bool = True,
    effort: Effort = THOROUGH,
) -> Steps[EstimatedSpectrum]:
    """The steps of `estimate_spectrum`, for someone else who multiplies."""
    entropies = functionals(wanted)
    if not entropies:
        raise ValueError("wanted must have at least one entropy, got none")
    tol = _reachable(tol, one_of(dtype, "dtype", ("float32", "float64")))
    if not supports(products.n):
        raise ValueError(
            f"a stochastic estimate needs at least {SMALLEST_N} rows, got {products.n}; "
            "use method='exact', which takes no longer for so few"
        )
    seed = random_seed(seed)
    units = 1 if has_unit_eigenvalue else 0
    return _Run(products, entropies, tol, seed, dtype, progress, device, units, effort).steps()


def _reachable(tol: float, dtype: str) -> float:
    tol = positive(tol, "tol")
    if tol < FLOOR[dtype]:
        raise ValueError(
            f"tol must be at least {FLOOR[dtype]:g}, which rounding in {dtype} may cost, "
            f"got {tol!r}; use method='exact'"
        )
    return tol


def max_steps(n: int, dtype: str, device: Device = HOST) -> int:
    """How many products with one block there may be, by the memory that there is for its basis."""
    columns = BLOCK_PROBES + SKETCHED
    block = float(n) * columns * np.dtype(dtype).itemsize
    fewest = SKETCH_BLOCKS + 1
    # The blocks, and the product with its copies.
    memory.require(
        (fewest + 4) * block,
        f"a Krylov basis of {fewest} blocks of {columns} vectors of {n} numbers",
        "pass a random subset of the rows",
        free=device.available(),
    )
    fit = int(BASIS_SHARE * device.available() / block)
    return min(MAX_STEPS, max(fewest, fit))


class _Run:
    """One estimate while it is computed: the first block, then more probes as needed."""

    def __init__(
        self,
        products: Products,
        wanted: Sequence[Functional],
        tol: float,
        seed: int,
        dtype: str,
        progress: Callback | None,
        device: Device,
        units: int,
        effort: Effort,
    ) -> None:
        self._device, self._units, self._effort = device, units, effort
        self._products, self._wanted, self._tol, self._dtype = products, wanted, tol, dtype
        self._random = np.random.default_rng(seed)
        self._known = _unit_eigenvector(products) if units else None
        self._norm = norm_bound(products, has_unit_eigenvalue=units > 0)
        self._max_steps = max_steps(products.n, dtype, device)
        self._work = _Work(progress, self._max_steps * (effort.sketched + effort.probes))

    def steps(self) -> Steps[EstimatedSpectrum]:
        """To the estimate, as good as `tol` asks for or 1024 probes make it."""
        space, Q, result = yield from self._first()
        more = self._missing(result)
        if more > 0:
            refined = (yield from self._refined(space, result)) if more > PROBES else None
            if refined is not None:
                sketch, Q = refined
                result, more = self._estimate(sketch, []), AFTER
            vectors = self._device.combine(space.blocks(len(Q)), Q)
            space.basis.clear()  # its memory is needed
        while more > 0:
            result = yield from self._more(result, vectors, more)
            more = self._missing(result)
        self._work.finish()
        result.steps, result.columns = space.steps, self._work.done
        return result

    def _first(self) -> Steps[tuple[BlockLanczos, Doubles, EstimatedSpectrum]]:
        """The first block: its space, Q in coordinates of its basis, and the estimate."""
        sketched, count, blocks, stops = self._effort
        blocks = min(blocks, self._max_steps - 1)
        space = self._space(self._signs(sketched + count))
        columns: list[tuple[Rule, Rule]] = []
        sketch: list[tuple[Rule, Rule]] = []
        probes: list[tuple[Rule, Rule]] = []
        while True:
            yield from self._step(space)
            T, with_zero = space.matrix(), space.matrix_with_zero()
            if stops:
                columns.append((rules(T, space.start)[0], rules(with_zero, space.start)[0]))
                result = self._estimate([NOTHING] * REMEMBERED, [_last(columns)])
                if len(columns) > 1 and self._meets(result):
                    return space, np.zeros((0, 0)), result
            if space.steps < blocks and not space.exhausted:
                continue
            Q, Z = _split(T, space, sketched, blocks)
            gauss, radau = rules(T, Q, Z), rules(with_zero, Q, Z)
            sketch.append((gauss[0].total(), radau[0].total()))
            probes.append((gauss[1], radau[1]))
            result = self._estimate(_last(sketch), [_last(probes)])
            # What the sketch leaves out stays, however many probes follow.
            is_deep = not stops or self._columns(space) >= REFINED
            if self._is_enough(space, result, len(sketch), is_deep):
                return space, Q, result

    def _refined(
        self, space: BlockLanczos, result: EstimatedSpectrum
    ) -> Steps[tuple[History, Doubles] | None]:
        """A better sketch, for new probes: Ritz vectors, from the largest Ritz value down.

        As many Ritz vectors as are accurate enough are taken; if they are fewer than Q has now,
        some more steps of Lanczos follow. The probes of the first block lie in the same space and
        cannot be used outside of these vectors. Returns the rules of the sketch and its
        coordinates, or None where too few Ritz vectors become accurate.
        """
        while True:
            if self._columns(space) >= REFINED or space.exhausted:
                T = space.matrix()
                Y = _core.symmetric_eigenpairs(T)[1][:, : -MAX_SKETCH - 1 : -1]
                (gauss,), (radau,) = rules(T, Y), rules(space.matrix_with_zero(), Y)
                kept = min(self._accurate(gauss, radau, result, one) for one in self._wanted)
                if kept >= MIN_SKETCH:
                    kept_rules = (gauss.first(kept).total(), radau.first(kept).total())
                    return _last([kept_rules]), Y[:, :kept]
                if self._is_spent(space) or self._columns(space) >= MOST_REFINED:
                    return None
            yield from self._step(space)

    def _accurate(
        self, gauss: Rule, radau: Rule, result: EstimatedSpectrum, which: Functional
    ) -> int:
        """How many of the first vectors have quadrature errors that are small beside `tol`."""
        by_gauss, by_radau = (r.weights @ result.influence(which, r.nodes) for r in (gauss, radau))
        width = np.cumsum(np.abs(by_gauss - by_radau))
        return int(np.searchsorted(width, SKETCH_SHARE * result.allowed(result.at(which))))

    def _more(self, so_far: EstimatedSpectrum, Q: Block, count: int) -> Steps[EstimatedSpectrum]:
        """The estimate with `count` more probes, outside the span of Q."""
        self._work.expect(self._max_steps * count)
        probes_outside = self._signs(count)
        self._device.project_out([Q], probes_outside)
        space = self._space(probes_outside)
        probes: list[tuple[Rule, Rule]] = []
        while True:
            yield from self._step(space)
            gauss, radau = (
                rules(T, space.start)[0] for T in (space.matrix(), space.matrix_with_zero())
            )
            probes.append((gauss, radau))
            result = so_far.with_probes(_last(probes))
            if self._is_enough(space, result, len(probes)):
                return result

    def _estimate(self, sketch: History, batches: Sequence[History]) -> EstimatedSpectrum:
        A, rounding = self._products, ROUNDING[self._dtype]
        # Only now is |A|_F^2 asked for: the first product may have found it on the way.
        exact = np.array([A.n, A.trace, A.frobenius2]) - self._units
        return EstimatedSpectrum(
            exact, sketch, batches, self._tol, rounding, self._dtype, self._units
        )

    def _is_enough(
        self, space: BlockLanczos, estimate: EstimatedSpectrum, count: int, is_deep: bool = True
    ) -> bool:
        if self._is_spent(space):
            return True
        is_good = self._effort.stops and self._meets(estimate)
        is_converged = is_deep and all(map(estimate.is_converged, self._wanted))
        return count > 1 and (is_good or is_converged)

    def _is_spent(self, space: BlockLanczos) -> bool:
        return space.exhausted or space.steps >= self._max_steps

    def _columns(self, space: BlockLanczos) -> int:
        """Of the basis, where no block has lost a column."""
        return space.steps * (self._effort.sketched + self._effort.probes)

    def _meets(self, estimate: EstimatedSpectrum) -> bool:
        return all(estimate.excess(one) <= 1.0 for one in self._wanted)

    def _missing(self, estimate: EstimatedSpectrum) -> int:
        """How many more probes the tolerance needs, at most one block; 0 if no more are allowed."""
        excess = max(estimate.excess(one) for one in self._wanted)
        if excess <= 1.0 or estimate.probes >= MAX_PROBES:
            return 0
        wanted = math.ceil(RESERVE * estimate.probes * (excess**2 - 1.0))
        return min(max(wanted, PROBES), BLOCK_PROBES)

    def _space(self, start: Block) -> BlockLanczos:
        return BlockLanczos(
            self._products, start, self._known, self._dtype, self._device, self._norm
        )

    def _step(self, space: BlockLanczos) -> Steps[None]:
        columns = space.basis[-1].shape[1]
        space.take((yield AskedProduct(space.basis[-1], self._work.report(columns))))
        self._work.done += columns

    def _signs(self, count: int) -> Block:
        """Rademacher vectors, shape (n, count)."""
        signs = self._random.integers(0, 2, size=(self._products.n, count), dtype=np.int8)
        signs *= 2
        signs -= 1
        return self._device.block(signs, self._dtype)


def _unit_eigenvector(products: Products) -> Doubles:
    """The eigenvector of the eigenvalue 1."""
    roots = np.sqrt(np.asarray(products.degrees, dtype=np.float64))
    unit: Doubles = roots / np.linalg.norm(roots)
    return unit


def _split(
    T: Doubles, space: BlockLanczos, sketched: int, blocks: int = SKETCH_BLOCKS
) -> tuple[Doubles, Doubles]:
    """Q and the probes outside it, in coordinates of the basis of T.

    Q is an orthonormal basis of `blocks` blocks of the Krylov space of the first `sketched` columns
    of the start.
    """
    start = np.zeros((len(T), space.start.shape[1]))
    start[: len(space.start)] = space.start
    block, Z = start[:, :sketched], start[:, sketched:]
    Q = np.zeros((len(T), 0))
    for _ in range(min(blocks, space.steps)):
        length = np.linalg.norm(block, 2)
        for _ in range(2):
            block = block - Q @ (Q.T @ block)
        vectors, lengths, _ = np.linalg.svd(block, full_matrices=False)
        new = vectors[:, lengths > SAME_DIRECTION * length]
        if new.shape[1] == 0:
            break
        Q, block = np.hstack([Q, new]), T @ new
    rows = space.size(blocks)
    return Q[:rows], (Z - Q @ (Q.T @ Z))[:rows]


def _last(steps: Sequence[tuple[Rule, Rule]]) -> History:
    """The rules of the last steps; where there were fewer steps, the first rule is repeated."""
    return [*[steps[0]] * REMEMBERED, *steps][-REMEMBERED:]


class _Work:
    """Tells the caller how much is done, as a share of the most work that there can be."""

    def __init__(self, progress: Callback | None, most: int) -> None:
        self._progress, self._most = progress, most
        self._told = 0.0
        self.done = 0  # columns of products

    def expect(self, columns: int) -> None:
        self._most = self.done + columns

    def report(self, columns: int) -> Callback | None:
        """What a product with this many columns calls with the share of itself that is done."""
        if self._progress is None:
            return None
        return lambda share: self._tell((self.done + share * columns) / self._most)

    def finish(self) -> None:
        self._tell(1.0)

    def _tell(self, share: float) -> None:
        if self._progress is not None and share > self._told:
            self._told = share
            self._progress(share)
