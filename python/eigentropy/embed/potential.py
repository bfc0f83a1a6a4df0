"""PHATE and M-PHATE: potential distances of a diffusion in a few dimensions, by the library phate.

The library makes potentials and metric MDS; the multislice kernel, and the von Neumann entropy by
which the diffusion time is chosen, are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from eigentropy import _core
from eigentropy._backends.host_arrays import as_matrix
from eigentropy._support.options import integer, one_of, positive, random_seed
from eigentropy._support.signatures import named_options
from eigentropy._support.warnings import recorded_warnings, warn
from eigentropy.embed.multislice import THRESHOLD, KernelSettings, kernel_of
from eigentropy.embed.results import UnitEmbedding
from eigentropy.embed.units import z_scores

Doubles = npt.NDArray[np.float64]

# With more points than these, diffusion is between as many landmarks: phate's default.
LANDMARKS = 2000

SOLVERS = ("sgd", "smacof")

# t="auto" chooses among the times up to this one: phate's default.
LONGEST = 100


@named_options()
def phate(
    Z: Any,
    *,
    n_components: int = 2,
    t: int | str = "auto",
    knn: int = 5,
    decay: float = 40.0,
    gamma: float = 1.0,
    n_landmark: int | None = LANDMARKS,
    mds_solver: str = "sgd",
    seed: int = 0,
) -> Doubles:
    r"""PHATE of the rows of Z, by the library `phate`.

    Distances in it approximate those between the potentials of the rows, which for gamma = 1 are
    -log(P^t), for gamma = 0 are 2 sqrt(P^t). Rows of more than 100 columns are projected onto 100
    principal components first, as the library does.

    Where it is weak: MDS in two dimensions cannot keep all distances, and the picture has no error
    bar. Distances between groups that the kernel does not join mean nothing; a warning says so.

    Parameters
    ----------
    Z : array-like of shape (n, d)
    n_components : int
        Columns of the result, fewer than n.
    t : int or "auto"
        Diffusion time; "auto" is the knee of the von Neumann entropy of P^t over t.
    knn : int
        The kernel is exp(-(r / sigma)^decay), with sigma the distance of a row to its neighbour of
        this number, at most n - 2.
    decay : float
        > 0.
    gamma : float
        From -1 to 1: 1 the logarithm, 0 the square root.
    n_landmark : int, optional
        With more rows, diffusion is between this many landmarks; None: never.
    mds_solver : {"sgd", "smacof"}
        "smacof" is slower and somewhat closer to the distances.
    seed : int
        Of landmarks, of MDS, and of principal components.

    Returns
    -------
    array of shape (n, n_components)

    Raises
    ------
    ImportError
        `phate`, which is under the GPL, is missing: ``pip install 'eigentropy[embed]'``.
    ValueError, TypeError
        An argument of the wrong value or type; NaN or infinity in Z; rows that are all equal.

    Warns
    -----
    UserWarning
        What the library warns of, such as rows that are equal or groups that are not joined.

    References
    ----------
    Moon, van Dijk, Wang et al.: Visualizing structure and transitions in high-dimensional
    biological data. Nature Biotechnology 37 (2019).
    """
    library = _phate()
    rows = as_matrix(Z).astype(np.float64)
    if (rows == rows[0]).all():
        raise ValueError(f"all {len(rows)} rows of Z are equal: there are no distances to draw")
    known = Drawing.checked(len(rows), n_components, t, gamma, n_landmark, mds_solver, seed)
    knn = integer(knn, "knn", at_least=1, at_most=max(1, len(rows) - 2))
    own = {"knn": knn, "decay": positive(decay, "decay")}
    return known.drawn(known.fitted(library, rows, **own))[0]


@named_options()
def mphate(
    units: Any,
    *,
    n_components: int = 2,
    t: int | str = "auto",
    knn: int | None = None,
    decay: float = 5.0,
    interslice_knn: int | None = None,
    threshold: float = THRESHOLD,
    gamma: float = 0.0,
    n_landmark: int | None = LANDMARKS,
    mds_solver: str = "sgd",
    seed: int = 0,
) -> UnitEmbedding:
    r"""M-PHATE of units over epochs: PHATE of their multislice kernel.

    Each unit at each epoch is a point. Points are near where diffusion by the kernel of
    `multislice_kernel` comes from them to the same places in t steps.

    The kernel and, without landmarks, the potential distances are those of PyPI's m-phate for as
    many samples as it has principal components, 100; of more samples it takes these, and this
    function all. With landmarks, and in MDS, random numbers differ. Its defaults are 4000 landmarks
    and "smacof".

    Where it is weak: as `phate`. Look at `unit_entropies` before you read the picture.

    Parameters
    ----------
    units : array-like of shape (epochs, units, samples)
        Activations of each unit on the same samples.
    knn, decay, interslice_knn, threshold
        As in `multislice_kernel`.
    n_components, t, gamma, n_landmark, mds_solver, seed
        As in `phate`; the rows are the units at the epochs.

    Returns
    -------
    UnitEmbedding
        `coordinates` of shape (epochs, units, n_components), the settings, and `plot()`.

    Raises
    ------
    ImportError
        `phate`, which is under the GPL, is missing: ``pip install 'eigentropy[embed]'``.
    TypeError, ValueError
        units of another shape, with NaN, or all of them constant; an option out of its range.

    Warns
    -----
    UserWarning
        Some units are constant: they are placed at the origin. Or groups of units are not joined.

    References
    ----------
    Gigante, Charles, Krishnaswamy, Mishne: Visualizing the PHATE of neural networks. NeurIPS 2019,
    arXiv:1908.02831.
    """
    library = _phate()
    scores = z_scores(units)
    settings = KernelSettings.checked(scores.shape, knn, decay, interslice_knn, threshold)
    epochs, count, _ = scores.shape
    known = Drawing.checked(epochs * count, n_components, t, gamma, n_landmark, mds_solver, seed)
    points, chosen = known.drawn(
        known.fitted_kernel(library, kernel_of(scores, settings), settings)
    )
    coordinates = points.reshape(epochs, count, known.n_components)
    return UnitEmbedding(coordinates, settings, chosen, known.gamma, known.n_landmark, known.seed)


@dataclass(frozen=True)
class Drawing:
    """How potentials are made of n points, and drawn."""

    n_components: int
    t: int | str
    gamma: float
    n_landmark: int | None
    mds_solver: str
    seed: int

    @classmethod
    def checked(
        cls,
        n: int,
        n_components: Any,
        t: Any,
        gamma: Any,
        n_landmark: Any,
        mds_solver: Any,
        seed: Any,
    ) -> Drawing:
        """Of n points; no landmarks where there are not more points than these."""
        if n < 3:
            raise ValueError(f"a picture takes at least 3 points, got {n}: pass more rows")
        landmarks = None if n_landmark is None else integer(n_landmark, "n_landmark", at_least=3)
        most = min(n, landmarks or n) - 1
        return cls(
            integer(n_components, "n_components", at_least=1, at_most=most),
            t if isinstance(t, str) and one_of(t, "t", ("auto",)) else integer(t, "t", at_least=1),
            _between_minus_one_and_one(gamma),
            landmarks if landmarks is not None and landmarks < n else None,
            one_of(mds_solver, "mds_solver", SOLVERS),
            random_seed(seed),
        )

    def fitted_kernel(self, library: Any, kernel: Any, settings: KernelSettings) -> Any:
        """The library's object for points with this kernel."""
        own = {"knn": settings.knn, "thresh": settings.threshold}
        matrix = _csr_matrix(kernel)  # the library's own type of sparse matrix
        return self.fitted(library, matrix, knn_dist="precomputed_affinity", **own)

    def fitted(self, library: Any, points: Any, **options: Any) -> Any:
        """The library's object for these points, with the diffusion time."""
        with recorded_warnings() as lines:
            found = library.PHATE(
                n_components=self.n_components,
                t=1 if self.t == "auto" else self.t,
                gamma=self.gamma,
                n_landmark=self.n_landmark,
                mds_solver=self.mds_solver,
                random_state=self.seed,
                n_jobs=1,
                verbose=-1,  # or warnings on the standard output
                **options,
            ).fit(points)
        for line in lines:
            warn(line)
        if self.t == "auto":
            entropies = von_neumann_entropies(found.diff_op)
            found.set_params(t=int(library.vne.find_knee_point(entropies)))
        return found

    def drawn(self, found: Any) -> tuple[Doubles, int]:
        """Coordinates of the points, and the diffusion time."""
        return np.ascontiguousarray(found.transform(), dtype=np.float64), int(found.t)


def von_neumann_entropies(P: Any, longest: int = LONGEST) -> Doubles:
    """Entropies in nats of the singular values of P, to the powers 1, 2, .. `longest`.

    It is what phate chooses t by. The singular values are roots of the eigenvalues of P P', which
    our solver computes in less time. Those below some 1e-8 come out as 0, and have no share.
    """
    squares = _core.symmetric_eigenvalues((P @ P.T)[None], "auto", True, None)[0]
    values = np.sqrt(np.maximum(squares, 0.0))
    powers = values[None] ** np.arange(1, longest + 1)[:, None]
    shares = powers / powers.sum(axis=1, keepdims=True)
    entropies: Doubles = -(shares * np.log(np.where(shares > 0.0, shares, 1.0))).sum(axis=1)
    return entropies


def _between_minus_one_and_one(gamma: Any) -> float:
    number = float(gamma) if isinstance(gamma, Real) else float("nan")
    if not -1.0 <= number <= 1.0:
        raise ValueError(
            f"gamma must be a number from -1 to 1, got {gamma!r}: 1 is the logarithm, 0 the square "
            "root"
        )
    return number


def _csr_matrix(kernel: Any) -> Any:
    from scipy import sparse

    return sparse.csr_matrix(kernel)


def _phate() -> Any:
    try:
        import phate as library
    except ImportError as error:
        raise ImportError(
            "PHATE needs the library phate, which is under the GPL: pip install 'eigentropy[embed]'"
        ) from error
    return library
