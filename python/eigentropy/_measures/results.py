"""What the measurements return: numbers that remember how they were obtained."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from eigentropy._kernels.diffusion import DiffusionMatrix
from eigentropy._kernels.matrix import KernelMatrix
from eigentropy._measures.null_counts import PERMUTATION
from eigentropy._measures.sampling.entropies import EntropySource, entropy_variation
from eigentropy._measures.sampling.errors import known_sampling_error
from eigentropy._measures.sampling.halves import Halves
from eigentropy._measures.sampling.variation import OVER, Variation, widened
from eigentropy._spectra.functionals import Functional, Shannon
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.spectrum import Spectrum, level_of
from eigentropy._support.interval import LEVEL, Interval, checked_level, student_quantile
from eigentropy._support.number import Number
from eigentropy._support.options import one_of, positive
from eigentropy._support.units import rounded_up, unit
from eigentropy.plot import html, partitions, spectra
from eigentropy.plot.inputs import p_value

OneEntropy = TypeVar("OneEntropy", bound="Entropy")

# What an interval may be over.
INTERVALS = ("computation", "sample")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Entropy(Number, ABC):
    """An entropy of a spectrum. Works as the float `value`.

    `DiffusionEntropy` and `KernelEntropy` say which.

    Attributes
    ----------
    value : float
        In the unit of `base`.
    standard_error : float
        Of a stochastic estimate; 0 for the other methods. It is of the computation.
    sampling_error : float
        Standard deviation over other samples of as many rows, found at the first use.
    method : str
        How it was obtained: "exact", "stochastic" or "lowrank".
    n : int
        Number of rows.
    sigma, base : float
        The settings that were used; `sigma` is a number also where a rule was asked for, and NaN
        for a precomputed kernel.
    seed : int
        Of the random numbers.
    dtype : str
        The precision of the computation, "float64" or "float32".
    error_bound : float
        Guaranteed bound of the error, in the unit of `base`: of "lowrank", and of the rounding of
        an exact result in float32. 0 for an exact one in float64, where the error is some 1e-13
        for powers from 1 on: `interval` has it. NaN for an estimate, which has `standard_error`.
    sampled_from : int or None
        How many rows Z has, if `max_points` chose n of them at random. S of all rows is another:
        `eigentropy.converge` says how far off, and which differences n rows can tell.
    spectrum : Spectrum
        What is known of the eigenvalues.
    eigenvalues : array of shape (n,), or None
        All of them, descending, where they were computed. A torch tensor or CuPy array on a GPU
        where Z is one.
    rank : int or None
        Of the factor, for "lowrank".
    """

    value: float
    standard_error: float
    method: str
    n: int
    sigma: float
    base: float
    seed: int
    spectrum: Spectrum
    dtype: str = "float64"
    error_bound: float = 0.0
    sampled_from: int | None = None
    _source: EntropySource | None = None

    @property
    @abstractmethod
    def which(self) -> Functional:
        """Which entropy of the spectrum it is."""

    @abstractmethod
    def which_at(self, power: float) -> Functional:
        """The same with another power of the eigenvalues."""

    @property
    def eigenvalues(self) -> Any:
        """All eigenvalues, descending, where they were computed; otherwise None."""
        return self.spectrum.eigenvalues

    @property
    def rank(self) -> int | None:
        """Rank of the factor, for "lowrank"; otherwise None."""
        return self.spectrum.rank

    @property
    def bound(self) -> float:
        """The same as `error_bound`: a guarantee, where `standard_error` is a probability."""
        return self.error_bound

    @property
    def sampling_error(self) -> float:
        """Standard deviation of the entropy over other samples of as many rows.

        In the unit of `base`; a sigma that a rule has chosen is chosen anew for each sample. At
        t = 1 and order 1 it is found from what leaving out each row changes; otherwise, and where
        the sigma of the rule would jump from sample to sample, from subsets of the rows. Computed
        at the first use, and kept. The study `sampling` has measured how good it is.

        Raises
        ------
        ValueError
            Too few rows; or a result that was pickled before, which leaves the data behind.
        """
        return self._variation().standard_error

    def sampling_note(self) -> str:
        """Why `sampling_error` is NaN, or which subsets of the rows it lacks; mostly empty."""
        return self._variation().note

    def interval(self, level: float = LEVEL, of: str = "computation") -> Interval:
        """Where S is, as far as the computation tells, or as far as the sample does.

        Parameters
        ----------
        level : float
            Probability with which the interval covers what it is of.
        of : {"computation", "sample"}
            - "computation": S of these rows. Over the random vectors of an estimate, with the
              probability `level`, by Student's t; over what a factor of low rank leaves out, or
              over rounding, certainly. **It is not over other samples of the data**: another sample
              of as many rows has another S, which may lie far outside.
            - "sample": the mean of S over all samples of as many rows. `sampling_error` times the
              quantile of Student's t, and the error of the computation in quadrature. It is not
              about S of more rows, which is larger.

        Returns
        -------
        Interval
            A tuple `(low, high)` with the attributes `low`, `high`, `level` (1 where it is certain)
            and `over`: what it is over. It prints all of that. Between 0 and log n.

        Raises
        ------
        ValueError
            level not between 0 and 1; of="sample" where there is no `sampling_error`.
        """
        level = checked_level(level)
        computed = self.spectrum.interval(self.which, self.base, level)
        if one_of(of, "of", INTERVALS) == "computation":
            return computed
        low, high = widened(self.value, computed, self._variation(), level)
        return Interval(max(low, 0.0), min(high, math.log(self.n, self.base)), level, OVER)

    def over_blocks(self: OneEntropy, blocks: Any) -> OneEntropy:
        """The same result, whose sampling error is over blocks of rows that belong together.

        `blocks` has the block of each row; None: each row is independent. `eigentropy.entropies`
        checks it.
        """
        source = self._source
        own = None if source is None else EntropySource(source.matrix, source.plan, blocks)
        return replace(self, _source=own)

    def _variation(self) -> Variation:
        """How the entropy moves with its rows; found once."""
        known: Variation | None = self.__dict__.get("_varied")
        if known is None:
            if self._source is None:
                raise ValueError(
                    "sampling_error needs the data, which were left behind when this result was "
                    "pickled; use it once before"
                )
            known = entropy_variation(self._source, self.which, self.base, self.value)
            self.__dict__["_varied"] = known
        return known

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the data."""
        return {**self.__dict__, "_source": None}

    def density(self, x: Any, width: float = 0.02) -> npt.NDArray[np.float64]:
        """Spectral density at x, smoothed: eigenvalues a unit of length, over n.

        Gaussians of standard deviation `width` around the eigenvalues, or around the quadrature
        nodes of an estimate, reflected at 0 and 1, so that it integrates to 1 over [0, 1].
        """
        return self.spectrum.density(x, width)

    def plot(self, kind: str = "spectrum", **options: Any) -> Any:
        """Draw the spectrum, or the entropy over its power, and return the axes.

        Parameters
        ----------
        kind : {"spectrum", "entropy"}
        **options
            Of `eigentropy.plot.spectrum` or `eigentropy.plot.entropy`, such as `ax`.
        """
        one_of(kind, "kind", ("spectrum", "entropy"))
        return (spectra.spectrum if kind == "spectrum" else spectra.entropy)(self, **options)

    def _of(self, which: Functional) -> dict[str, Any]:
        """What another entropy of the same spectrum has of its own."""
        value = self.spectrum.entropy(which, self.base)
        self.spectrum.warn_if_imprecise(which, self.base)
        return {
            "value": value,
            "standard_error": self.spectrum.standard_error(which, self.base),
            "error_bound": self.spectrum.bound(which, self.base),
        }

    def _repr_html_(self) -> str:
        return html.of_entropy(self, known_sampling_error(self))

    @property
    @abstractmethod
    def settings(self) -> dict[str, float]:
        """What was chosen beside sigma, by name."""

    def __repr__(self) -> str:
        rows = f"n={self.n}" + (f" of {self.sampled_from} rows" if self.sampled_from else "")
        return (
            f"{type(self).__name__}({self.value:.6g} {unit(self.base)}, {_how(self)}, {rows}, "
            f"{_settings(self)})"
        )


def known_of(
    spectrum: Spectrum, matrix: KernelMatrix, which: Functional, base: float, plan: SpectrumPlan
) -> Any:
    """What an `Entropy` takes of a spectrum of this matrix, with the warnings that belong to it."""
    spectrum.warn_if_imprecise(which, base)
    return {
        "value": spectrum.entropy(which, base),
        "standard_error": spectrum.standard_error(which, base),
        "error_bound": spectrum.bound(which, base),
        "method": spectrum.method,
        "n": matrix.n,
        "sigma": matrix.sigma,
        "base": base,
        "seed": matrix.seed,
        "spectrum": spectrum,
        "dtype": spectrum.dtype,
        "_source": EntropySource(matrix.without_results(), plan),
    }


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DiffusionEntropy(Entropy):
    """A diffusion spectral entropy. Works as the float `value`, which is S(t).

    Attributes
    ----------
    alpha, t : float
        The settings that were used.
    n_neighbors : int or None
        Of kernel="knn".
    value, standard_error, error_bound, ...
        As in `Entropy`, of the eigenvalues of the diffusion operator.
    """

    alpha: float
    t: float
    n_neighbors: int | None = None

    @classmethod
    def of(
        cls,
        spectrum: Spectrum,
        matrix: DiffusionMatrix,
        t: float,
        base: float,
        plan: SpectrumPlan,
    ) -> DiffusionEntropy:
        """S(t) of a spectrum of this matrix, with the warnings that belong to it."""
        known = known_of(spectrum, matrix, Shannon(t), base, plan)
        return cls(alpha=matrix.alpha, t=t, n_neighbors=matrix.n_neighbors, **known)

    @property
    def which(self) -> Functional:
        """Which entropy of the spectrum it is."""
        return Shannon(self.t)

    def which_at(self, power: float) -> Functional:
        """The entropy at another diffusion time."""
        return Shannon(power)

    def at(self, t: float) -> DiffusionEntropy:
        """The entropy at another diffusion time, from the same spectrum.

        Where that is less accurate than `tol`, because "auto" has chosen float32 for another t or
        the probes of an estimate were too few, a `PrecisionWarning` says so; `error_bound` and
        `standard_error` have the figure.

        Raises
        ------
        ValueError
            t <= 0; or a spectrum of low rank, which is for t = 1 only.
        """
        t = positive(t, "t")
        return replace(self, t=t, **self._of(Shannon(t)))

    def count(self, threshold: float = 0.5, t: float = 1.0) -> int:
        r"""How many eigenvalues have :math:`|\lambda|^t` above the threshold.

        With k clusters between which diffusion does not pass, k eigenvalues are 1, and the others
        fall below any threshold as t grows.

        Raises
        ------
        ValueError
            threshold not between 0 and 1; t <= 0; or an entropy without eigenvalues: an estimate,
            or bounds. `DiffusionOperator.count` counts them.
        """
        return self.spectrum.count(level_of(threshold, t))

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen beside sigma, by name."""
        return _diffusion_settings(self)


def _diffusion_settings(result: DiffusionEntropy | DiffusionInformation) -> dict[str, float]:
    neighbours = {} if result.n_neighbors is None else {"n_neighbors": result.n_neighbors}
    return {**neighbours, "alpha": result.alpha, "t": result.t}


def _settings(result: Entropy | MutualInformation) -> str:
    named = {} if math.isnan(result.sigma) else {"sigma": f"{result.sigma:.4g}"}
    named.update((name, f"{value:g}") for name, value in result.settings.items())
    return ", ".join(f"{name}={value}" for name, value in named.items())


def _how(result: Entropy | MutualInformation) -> str:
    """The method, its error and, where it is not float64, the precision."""
    if isinstance(result, Entropy) and result.method == "stochastic":
        return f"+- {result.standard_error:.1g}, stochastic"
    if result.method == "lowrank":
        return f"within {rounded_up(result.error_bound)}, lowrank"
    if result.dtype == "float64" or not result.error_bound > 0.0:  # an estimate has no bound
        return result.method
    return f"{result.method} in {result.dtype} +- {rounded_up(result.error_bound)}"


class InformationSource(Protocol):
    """What a mutual information was computed from: the spectra of its groups."""

    def at(self, which: Functional) -> MutualInformation:
        """The information by another entropy."""

    def uncertainty(self, which: Functional) -> float:
        """What rounding may have changed of the information by this entropy."""

    def adjusted(self, which: Functional) -> tuple[float, str]:
        """`MutualInformation.adjusted` by this entropy, and its note."""

    def halves(self, which: Functional, what: str, value: float) -> Halves:
        """`MutualInformation._variation` by this entropy."""


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class MutualInformation(Number, ABC):
    """A mutual information by entropies of spectra. Works as the float `value`.

    `DiffusionInformation` and `KernelInformation` say which.

    Attributes
    ----------
    value : float
        I(Z; Y) in the unit of `base`; a negative estimate is reported as it is.
    standard_error : float
        Of the computation, printed as "null se": of the random baseline, which is the standard
        deviation over the null partitions, divided by the root of their number. Where entropies
        are estimated, the standard error of the observed groups' conditional entropy is added in
        quadrature. It says what other random partitions would change, and **nothing about other
        samples of the data**: `sampling_error` does, and is much larger. It does not measure
        significance either: `p_value` does, and `null.std()` is the spread under independence. 0
        for the plain estimator with exact entropies, which has no random part.
    error_parts : tuple of (float, float)
        The parts of `standard_error` that `interval` needs, each with its degrees of freedom: of
        the baseline (n_null - 1), and of the observed groups' estimated entropies.
    p_value : float
        Probability of as much information where Z and Y are independent; NaN without null
        partitions. Of an asked number of partitions it is that of the permutation test, (1 +
        number of null partitions at least as informative) / (1 + n_null), exact, and never below
        1 / (1 + n_null). With n_null="auto" there are too few partitions for that. The p-value is
        then that of Student's t test with n_null - 1 degrees of freedom, of one more value of the
        normal distribution of the null partitions, and is printed as "p~". A small one tells an
        order of magnitude, is never below 1e-6, and comes too often where the null distribution is
        skewed. For an exact p of 0.001, ask for n_null=1000. The permutation test is valid if the
        rows are exchangeable under independence: if all orders of the labels are then equally
        likely. Rows of a series, or of one subject, patch or batch, are not: a slow drift is told
        apart by any labels in blocks, and p is then as small as can be whatever Y is. Measure rows
        that are far enough apart, or one row (such as the mean) of each block.
    p_value_from : {"permutation", "student"}
        Which test the p-value is of.
    conditional_entropy : float
        sum_y p_y S(Z | y).
    null : array of shape (n_null,)
        The value that each random partition gets, with the same group sizes.
    group_sizes : array of int
        n_y, in the order of the sorted labels.
    clusters : array of int, shape (n,)
        The group of each row, 0 .. number of groups - 1: pass it as `clusters=` to reuse it.
    label_entropy : float
        H(Y) in the unit of `base`.
    method, estimator : str
        How the spectra and how the baseline were obtained; "stochastic" where the spectra of large
        groups were estimated.
    dtype : str
        "float32" where any of the spectra is, "float64" otherwise.
    error_bound : float
        Bound of the rounding error of `value` in float32, in the unit of `base`; 0 in float64, as
        in `Entropy`.
    n, sigma, base, seed
        As in `Entropy`.
    rows : array of int, or None
        The rows of Z that `max_points` chose; `clusters` has their groups.
    """

    value: float
    standard_error: float
    p_value: float
    conditional_entropy: float
    null: npt.NDArray[np.float64]
    group_sizes: npt.NDArray[np.int64]
    clusters: npt.NDArray[np.int64]
    label_entropy: float
    method: str
    estimator: str
    n: int
    sigma: float
    base: float
    seed: int
    p_value_from: str = PERMUTATION
    dtype: str = "float64"
    error_bound: float = 0.0
    error_parts: tuple[tuple[float, float], ...] = ()
    rows: npt.NDArray[np.int64] | None = None
    _source: InformationSource | None = None

    # What has a sampling error.
    _forms: ClassVar[tuple[str, ...]] = ("value", "adjusted")

    @property
    @abstractmethod
    def which(self) -> Functional:
        """Which entropy of the spectra it is made of."""

    @property
    def n_null(self) -> int:
        """Number of null partitions behind the baseline, its error and the p-value."""
        return len(self.null)

    @property
    def sampling_error(self) -> float:
        """Standard deviation of the information over other samples of as many rows.

        Of the value, in the unit of `base`, found from random subsets of the rows. Computed at the
        first use, which takes several times as long as the information, and kept.
        """
        return self.sampling_error_of("value")

    def sampling_error_of(self, what: str) -> float:
        """The same of a form of the information: "adjusted" or, of `KernelInformation`, "bits".

        NaN where too many subsets have no such form: `sampling_note` says so.

        Raises
        ------
        ValueError
            Fewer than 16 rows; a result that was pickled before.
        """
        return self._variation(what).standard_error

    def sampling_note(self, what: str = "value") -> str:
        """How many subsets lack a value, such as an `adjusted` within the noise; mostly empty."""
        return self._variation(what).note

    def _variation(self, of: str = "value") -> Halves:
        """How the information, or a form of it, moves with the rows; found once."""
        one_of(of, "of", self._forms)
        known: dict[str, Halves] = self.__dict__.setdefault("_variations", {})
        if of not in known:
            name = "sampling_error" if of == "value" else f"sampling_error_of({of!r})"
            source = self._known_source(name)
            value = self.value if of == "value" else float(getattr(self, of)())
            known[of] = source.halves(self.which, of, value)
        return known[of]

    def interval(self, level: float = LEVEL, of: str = "computation") -> Interval:
        """Where the information of these rows is, as far as the computation tells.

        With the probability `level`, it covers the value that infinitely many null partitions (and,
        for an estimate, random vectors) would give for the same rows and groups. Its half width is
        `standard_error` times the quantile of Student's t with n_null - 1 degrees of freedom, and
        rounding: two partitions have a quantile of 12.7 standard errors, twenty have 2.09. Where
        entropies are estimated, each part of the error has its own quantile, and the products are
        added in quadrature; the interval then covers at least with this probability. The plain
        estimator with exact entropies has no random part: its interval is of rounding, and certain.

        **It is not over other samples of the data**, nor does it measure significance. With
        ``of="sample"`` it is over other samples: `sampling_error` times its own quantile is added
        in quadrature.

        Parameters
        ----------
        level : float
        of : {"computation", "sample"}

        Returns
        -------
        Interval
            As `Entropy.interval` does. It is not cut at 0: an estimate may be negative.

        Raises
        ------
        ValueError
            level not between 0 and 1; of="sample" where there is no `sampling_error`.
        """
        level = checked_level(level)
        if one_of(of, "of", INTERVALS) == "sample":
            return self._interval_over_samples(level)
        half = math.hypot(*(student_quantile(level, v) * error for error, v in self.error_parts))
        # Left behind by pickling: the bound in float32 was kept.
        rounding = self._source.uncertainty(self.which) if self._source else self.error_bound
        low, high = self.value - half - rounding, self.value + half + rounding
        drawn = self._random_parts()
        return Interval(low, high, level if drawn else 1.0, drawn or "rounding")

    def _interval_over_samples(self, level: float) -> Interval:
        low, high = widened(self.value, self.interval(level), self._variation(), level)
        return Interval(low, high, level, OVER)

    def _random_parts(self) -> str:
        """What another seed would draw anew; empty where that is nothing."""
        is_matched = self.estimator == "matched"
        estimated = self.error_parts[1:] if is_matched else self.error_parts
        null = f"{self.n_null} random partitions" if is_matched else ""
        probes = "random vectors" if any(error for error, _ in estimated) else ""
        return " and ".join(filter(None, (null, probes)))

    def adjusted(self) -> float:
        """Matched information over the most that H(Y) allows: 0 for independence, about 1 at best.

        matched / (H(Y) - (S(Z) - mean null conditional entropy)). Needs S(Z), the entropy of all
        rows, and computes it in the first call: that may take seconds. NaN where the denominator is
        within the noise; `adjusted_note` then says why.
        """
        return self._adjusted()[0]

    def adjusted_note(self) -> str:
        """Why `adjusted` is NaN; empty where it is a number."""
        return self._adjusted()[1]

    def _adjusted(self) -> tuple[float, str]:
        cached: tuple[float, str] | None = self.__dict__.get("_adjusted_value")
        if cached is None:
            cached = self._known_source("adjusted").adjusted(self.which)
            self.__dict__["_adjusted_value"] = cached
        return cached

    def _known_source(self, what: str) -> InformationSource:
        if self._source is None:
            raise ValueError(
                f"{what} needs the data, which were left behind when this result was pickled; "
                "call it once before"
            )
        return self._source

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the data and spectra behind it."""
        return {**self.__dict__, "_source": None}

    def plot(self, **options: Any) -> Any:
        """Draw the null distribution with the value, and return the axes.

        `options` are those of `eigentropy.plot.null`, such as `ax`.
        """
        return partitions.null(self, **options)

    @property
    @abstractmethod
    def settings(self) -> dict[str, float]:
        """What was chosen beside sigma, by name."""

    def _repr_html_(self) -> str:
        known: tuple[float, str] | None = self.__dict__.get("_adjusted_value")
        adjusted = None if known is None else known[0]
        return html.of_information(self, adjusted, known_sampling_error(self))

    def __repr__(self) -> str:
        name = "null se" if self.estimator == "matched" else "se"
        groups = f"{len(self.group_sizes)} groups, " if len(self.group_sizes) else ""
        error = f"{name} {self.standard_error:.2g}, " if self.standard_error else ""
        return (
            f"{type(self).__name__}({self.value:.6g} {unit(self.base)}, {error}{self.estimator}, "
            f"{self.n_null} partitions, {_how(self)}, p{p_value(self)}, n={self.n}, "
            f"{groups}"
            f"{_settings(self)})"
        )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DiffusionInformation(MutualInformation):
    """A diffusion spectral mutual information. Works as the float `value`.

    Attributes
    ----------
    alpha, t : float
        The settings that were used.
    n_neighbors : int or None
        Of kernel="knn".
    value, standard_error, p_value, ...
        As in `MutualInformation`.
    """

    alpha: float
    t: float
    n_neighbors: int | None = None

    @property
    def which(self) -> Functional:
        """Which entropy of the spectra it is made of."""
        return Shannon(self.t)

    def at(self, t: float) -> DiffusionInformation:
        """The information at another diffusion time, from the same spectra.

        Where "auto" has chosen float32 and that is not enough for this t, a `PrecisionWarning`
        says so.
        """
        found: Any = self._known_source("another t").at(Shannon(positive(t, "t")))
        result: DiffusionInformation = replace(found, rows=self.rows)
        return result

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen beside sigma, by name."""
        return _diffusion_settings(self)
