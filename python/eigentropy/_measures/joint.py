r"""Mutual information by joint density matrices.

The joint kernel of variables is the product of their kernels, entry by entry. For Gaussian kernels
that is the Gaussian kernel of all columns side by side, each in units of its width; for labels it
is 1 within a group and 0 otherwise, so that

.. math:: S(Z, Y) = H(Y) + \sum_y p_y S(\rho_y)

for the von Neumann entropy: the matrix falls into blocks.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from eigentropy._backends.devices import HOST
from eigentropy._kernels.density import DensityMatrix
from eigentropy._kernels.groups import Codes, groups_of_rows
from eigentropy._kernels.partitions import Partitions
from eigentropy._measures.forms import (
    ONLY_ORDER_1,
    adjusted_information,
    nulls_of_subset,
    seed_of_subset,
    twice,
)
from eigentropy._measures.null_counts import (
    FIRST_ORDERS,
    MOST,
    enough_orders,
    p_value,
    p_value_from,
)
from eigentropy._measures.sampling.halves import MOST_ROWS, Halves, halves_of, one_by_one
from eigentropy._measures.statistics import TIES, ResultOf
from eigentropy._spectra.functionals import Functional, MinEntropy, Shannon
from eigentropy._spectra.groups import GroupSpectra, solve_groups
from eigentropy._spectra.plan import SpectrumPlan
from eigentropy._spectra.rounding import within
from eigentropy._spectra.solve import judge, solve
from eigentropy._spectra.spectrum import Spectrum
from eigentropy._support import memory
from eigentropy._support.interval import combined
from eigentropy._support.options import AUTO
from eigentropy._support.progress import Callback, part

Doubles = npt.NDArray[np.float64]


class Part(NamedTuple):
    """A variable: its density matrix, or its groups."""

    matrix: DensityMatrix | None
    codes: Codes | None

    def of_rows(self, chosen: npt.NDArray[np.int64]) -> Part:
        """The variable of some rows by themselves."""
        return Part(
            None if self.matrix is None else self.matrix.of_rows(chosen),
            None if self.codes is None else groups_of_rows(self.codes, chosen),
        )


def in_units(rows: npt.NDArray[Any], sigma: float, name: str) -> Doubles:
    """The rows over sigma; a median of each column is taken from it, which no distance sees.

    Before they are divided: differences of numbers that are far from 0 are exact. Few rows that are
    far from all others move no median. Of halves, so that no difference is infinite.
    """
    memory.require(
        16.0 * rows.size, f"copies of {rows.shape[0]} x {rows.shape[1]} numbers", "use fewer rows"
    )
    scaled: Doubles = np.multiply(rows, 0.5, dtype=np.float64)
    scaled -= np.quantile(scaled, 0.5, axis=0, method="lower")
    with np.errstate(over="ignore"):
        scaled /= np.float64(0.5 * sigma)
    if not np.isfinite(scaled).all():
        raise ValueError(
            f"{name}={sigma:.4g} is so far below the differences between the rows that their "
            "ratio is no float64; pass a larger one"
        )
    return scaled


class Value(NamedTuple):
    """An entropy in the unit of the base, and its errors."""

    value: float
    standard_error: float = 0.0
    degrees: float = math.inf
    bound: float = 0.0
    uncertainty: float = 0.0
    method: str = "exact"
    dtype: str = "float64"

    def minus(self, other: Value) -> Value:
        """The difference; errors add up, those of random vectors in quadrature."""
        return self.plus(Value(-other.value, *other[1:]))

    def plus(self, other: Value) -> Value:
        """The sum, with the errors of a difference."""
        error, degrees = combined(
            [(self.standard_error, self.degrees), (other.standard_error, other.degrees)]
        )
        methods, dtypes = {self.method, other.method}, {self.dtype, other.dtype}
        return Value(
            self.value + other.value,
            error,
            degrees,
            self.bound + other.bound,
            self.uncertainty + other.uncertainty,
            "stochastic" if "stochastic" in methods else self.method,
            "float32" if "float32" in dtypes else "float64",
        )


class MatrixOfY(DensityMatrix):
    """Of a Y of scalars or vectors."""

    rows_name, sigma_name = "Y", "sigma_y"


class MatrixOfGiven(DensityMatrix):
    """Of a `given` of scalars or vectors."""

    rows_name, sigma_name = "given", "the sigma of given"


class _JointMatrix(DensityMatrix):
    """Of several variables, each of which has been brought to its own unit."""

    sigma_name = None


@dataclass(frozen=True)
class JointInformation:
    """The information that Z has of Y, where Y is no label or something is given.

    Attributes
    ----------
    matrix : DensityMatrix
        Of Z.
    Y : Part
    W : Part or None
        What is given.
    which : Functional
    plan : SpectrumPlan
    result_of : callable
        From what all informations have, and the entropy, to the result.
    estimator, n_null, base, seed
        As in `kernel_information`.
    """

    matrix: DensityMatrix
    Y: Part
    W: Part | None
    which: Functional
    plan: SpectrumPlan
    result_of: ResultOf
    estimator: str
    n_null: int | str
    base: float
    seed: int
    _kept: dict[Any, Any] = field(default_factory=dict)

    def halves(self, which: Functional, what: str, value: float) -> Halves:
        """How the information, or a form of it, moves with the rows."""

        def on_rows(chosen: npt.NDArray[np.int64], number: int) -> tuple[float, float]:
            return self._of_rows(chosen, what, number).twice(what)

        return halves_of(value, one_by_one(on_rows), self.matrix.n, self.seed, most=MOST_ROWS)

    def twice(self, what: str) -> tuple[float, float]:
        """The information, or a form of it, from each half of the random orders alone."""
        observed, null = self._draws(None)
        values = np.array([draw.value for draw in null])
        is_matched = (what, self.estimator) == ("value", "matched")
        whole = (math.nan, math.nan) if is_matched else self._left_without_y()
        known = observed.value, values, whole, self._label_entropy(), self.base
        return twice(what, self.estimator, *known)

    def _of_rows(self, chosen: npt.NDArray[np.int64], what: str, number: int) -> JointInformation:
        """The same of some rows by themselves."""
        return replace(
            self,
            matrix=self.matrix.of_rows(chosen),
            Y=self.Y.of_rows(chosen),
            W=None if self.W is None else self.W.of_rows(chosen),
            n_null=nulls_of_subset(what, self.estimator, self.matrix.n),
            seed=seed_of_subset(self.seed, number),
            _kept={},
        )

    def measured(self, progress: Callback | None) -> Any:
        """The information; everything is computed."""
        if self._least_orders and not self._has_orders:
            raise ValueError(
                "given is no label, so that there are no groups of rows within which Y could be "
                "permuted: pass bins or clusters of it as integers, or estimator='plain', with "
                "n_null=0 or 'auto'"
            )
        observed, null = self._draws(progress)
        conditional = observed.minus(self._known())
        values = np.array([draw.value for draw in null])
        baseline, of_baseline, bound = self._baseline(null)
        parts = of_baseline, (observed.standard_error, observed.degrees)
        tie = TIES[observed.dtype] * max(1.0, abs(observed.value))
        codes = np.zeros(0, dtype=np.int64) if self.Y.codes is None else self.Y.codes
        found = {
            "value": baseline - observed.value,
            "standard_error": math.hypot(*(error for error, _ in parts)),
            "error_parts": parts,
            "p_value": p_value(self.n_null, observed.value, values, tie),
            "p_value_from": p_value_from(self.n_null, values, tie),
            "conditional_entropy": conditional.value,
            "null": baseline - values,
            "group_sizes": np.bincount(codes),
            "clusters": codes,
            "label_entropy": self._label_entropy(),
            "method": observed.method,
            "estimator": self.estimator,
            "n": self.matrix.n,
            "sigma": self.matrix.sigma,
            "base": self.base,
            "seed": self.seed,
            "dtype": observed.dtype,
            "error_bound": bound + observed.bound,
            "_source": self,
        }
        return self.result_of(found, self.which)

    def at(self, which: Functional) -> Any:
        """Another entropy takes other spectra."""
        raise ValueError(f"pass {which.label} to kernel_information")

    def uncertainty(self, which: Functional) -> float:
        """What rounding may have changed of the information."""
        observed, null = self._draws(None)
        if self.estimator == "matched":
            return observed.uncertainty + float(np.mean([draw.uncertainty for draw in null]))
        return observed.uncertainty + self._known().uncertainty + self._of_rest().uncertainty

    def adjusted(self, which: Functional) -> tuple[float, str]:
        """The ratio matched / (H(Y) - (S(Z) - mean null)), given W, and why it is NaN."""
        if self.Y.codes is None:
            return math.nan, "Y is no label: there is no H(Y)"
        if which != Shannon():
            return math.nan, ONLY_ORDER_1
        observed, null = self._draws(None)
        values = np.array([draw.value for draw in null])
        whole = self._left_without_y()
        return adjusted_information(observed.value, values, whole, self._label_entropy())

    def _left_without_y(self) -> tuple[float, float]:
        """S(Z | W) + S(Y, W), and its standard error."""
        whole = self._of_rest().plus(self._known())
        return whole.value, whole.standard_error

    def _draws(self, progress: Callback | None) -> tuple[Value, list[Value]]:
        """S(Z, Y, W) as observed, and with Y in random orders.

        S(Y, W) is the same in all of these orders: Y stays within the groups of W.
        """
        if "draws" not in self._kept:
            generator = np.random.default_rng(self.seed)
            count = self._least_orders
            most = max(count, MOST) if count and self.n_null == AUTO else count
            told = np.linspace(0.0, 1.0, most + 4)
            self._judge()
            self._of_rest(part(progress, told[0], told[1]))
            self._known(part(progress, told[1], told[2]))
            draws: list[Value] = []
            while len(draws) <= count:
                number = len(draws)
                order = self._order(generator) if number else None
                own = part(progress, told[number + 2], told[number + 3])
                draws.append(self._entropy([self._z, self.Y, *self._w], 3 + number, own, order))
                if number == count < most:
                    values = np.array([draw.value for draw in draws[1:]])
                    count = most = enough_orders(values, self.plan.tol, self.base)
            if progress is not None:
                progress(1.0)
            self._kept["draws"] = draws[0], draws[1:]
        kept: tuple[Value, list[Value]] = self._kept["draws"]
        return kept

    @property
    def _has_orders(self) -> bool:
        """Whether there are rows among which Y can be permuted."""
        return self.W is None or self.W.codes is not None

    @property
    def _least_orders(self) -> int:
        """How many random orders of Y there are at least."""
        if isinstance(self.n_null, int):
            return self.n_null
        return 0 if self.estimator == "plain" and not self._has_orders else FIRST_ORDERS

    def _judge(self) -> None:
        """Warn of a sigma that does not fit its rows, where no entropy is of these alone."""
        if self.W is not None:
            for one in (self._z, self.Y, self.W):
                if one.matrix is not None and one.matrix.samples.holds == "rows":
                    judge(one.matrix)

    def _baseline(self, null: list[Value]) -> tuple[float, tuple[float, float], float]:
        """What S(Z, Y, W) is subtracted from, its error with its degrees, and its bound."""
        if self.estimator == "plain":
            whole = self._of_rest().plus(self._known())
            return whole.value, (whole.standard_error, whole.degrees), whole.bound
        values = np.array([draw.value for draw in null])
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        bound = float(np.mean([draw.bound for draw in null]))
        return float(values.mean()), (error, len(values) - 1.0), bound

    def _order(self, generator: np.random.Generator) -> npt.NDArray[np.intp]:
        """A random order of the rows; within the groups of W where there are some."""
        order = generator.permutation(self.matrix.n)
        if self.W is None or self.W.codes is None:
            return order
        codes, within = self.W.codes, np.empty_like(order)
        within[np.argsort(codes, kind="stable")] = order[np.argsort(codes[order], kind="stable")]
        return within

    @property
    def _z(self) -> Part:
        return Part(self.matrix, None)

    @property
    def _w(self) -> list[Part]:
        return [] if self.W is None else [self.W]

    def _label_entropy(self) -> float:
        """S(Y | W) where Y is labels; otherwise NaN."""
        if self.Y.codes is None:
            return math.nan
        return self._known().minus(self._of_given()).value

    def _of_given(self) -> Value:
        """S(W)."""
        if "given" not in self._kept:
            self._kept["given"] = self._entropy(self._w, 2) if self._w else Value(0.0)
        given: Value = self._kept["given"]
        return given

    def _of_rest(self, progress: Callback | None = None) -> Value:
        """S(Z | W)."""
        if "rest" not in self._kept:
            joint = self._entropy([self._z, *self._w], 0, progress)
            self._kept["rest"] = joint.minus(self._of_given())
        rest: Value = self._kept["rest"]
        return rest

    def _known(self, progress: Callback | None = None) -> Value:
        """S(Y, W)."""
        if "known" not in self._kept:
            self._kept["known"] = self._entropy([self.Y, *self._w], 1, progress)
        known: Value = self._kept["known"]
        return known

    def _entropy(
        self,
        parts: list[Part],
        number: int,
        progress: Callback | None = None,
        order: npt.NDArray[np.intp] | None = None,
    ) -> Value:
        """The entropy of the joint density matrix of some variables, with Y in this order.

        `number` gives the seed.
        """
        rows, kernels, groups = [], [], []
        for one in parts:
            moved: Any = order if order is not None and one is self.Y else slice(None)
            if one.codes is not None:
                groups.append(one.codes[moved])
            elif len(parts) > 1 and self._is_given(one):
                kernels.append(self._kernel(one))
            elif len(parts) > 1:
                rows.append(self._in_units(one)[moved])
        codes = _joint_codes(groups)
        if len(groups) == len(parts):
            assert codes is not None
            shares = np.bincount(codes) / len(codes)
            return Value(self.which.of_eigenvalues(shares) / math.log(self.base))
        matrix: Any = copy.copy(parts[0].matrix)
        if len(parts) > 1:
            matrix = self._joint_matrix(rows, kernels)
        seed = np.random.SeedSequence([self.matrix.seed, number])
        matrix.seed = int(seed.generate_state(1)[0])
        if codes is not None:
            return self._in_blocks(matrix, codes, progress)
        return self._whole(matrix, progress)

    def _joint_matrix(self, rows: list[Doubles], kernels: list[Doubles]) -> _JointMatrix:
        """The density matrix of rows side by side, and of kernels that have no rows."""
        if not kernels:
            return _JointMatrix(
                np.hstack(rows), sigma=1.0, dtype=self.plan.dtype, device=self.matrix.device
            )
        if rows:
            kernels = [*kernels, HOST.matrix(np.hstack(rows), 1.0, None, "float64", None)[0]]
        return _JointMatrix(math.prod(kernels), kernel="precomputed", dtype=self.plan.dtype)

    def _is_given(self, one: Part) -> bool:
        """Whether the caller has its kernel or its distances, and no rows."""
        return one.matrix is not None and one.matrix.samples.holds != "rows"

    def _kernel(self, one: Part) -> Doubles:
        """The kernel of a variable that has no rows; found once."""
        matrix: Any = one.matrix
        if id(matrix) not in self._kept:
            samples = matrix.samples
            self._kept[id(matrix)] = samples.device.matrix(
                samples.array, matrix.sigma, None, "float64", None
            )[0]
        found: Doubles = self._kept[id(matrix)]
        return found

    def _in_units(self, one: Part) -> Doubles:
        """The rows of a variable in units of sigma; found once."""
        matrix: Any = one.matrix
        if id(matrix) not in self._kept:
            rows = matrix.samples.on_host()
            self._kept[id(matrix)] = in_units(rows, matrix.sigma, matrix.sigma_name)
        found: Doubles = self._kept[id(matrix)]
        return found

    def _whole(self, matrix: DensityMatrix, progress: Callback | None) -> Value:
        matrix.progress = progress or False
        return self._value(solve(matrix, [self.which], self.plan))

    def _in_blocks(self, matrix: DensityMatrix, codes: Codes, progress: Callback | None) -> Value:
        """Of a matrix whose entries between groups are 0: each group's is weighed by its rows."""
        partitions, plan = Partitions.drawn(codes, 0, 0), self.plan.on(matrix.samples.device)

        def joined(groups: GroupSpectra) -> Value:
            values = [self._value(spectrum) for spectrum in groups.spectra]
            return _of_blocks(partitions.shares, values, self.which, self.base)

        def is_within(groups: GroupSpectra) -> bool:
            found = joined(groups)
            return within(found.bound, found.value, plan.tol, self.base)

        wanted = [self.which]
        return joined(solve_groups(matrix, partitions, wanted, plan, is_within, progress))

    def _value(self, spectrum: Spectrum) -> Value:
        which, base = self.which, self.base
        bound, uncertainty = (
            float(np.nan_to_num(error))
            for error in (spectrum.bound(which, base), spectrum.uncertainty(which, base))
        )
        return Value(
            spectrum.entropy(which, base),
            spectrum.standard_error(which, base),
            spectrum.degrees,
            bound,
            uncertainty,
            spectrum.method,
            spectrum.dtype,
        )


def _joint_codes(several: list[Codes]) -> Codes | None:
    """The groups of rows that agree in all of them."""
    if not several:
        return None
    joint: Codes = np.unique(np.stack(several), axis=1, return_inverse=True)[1]
    return joint.reshape(-1)


def _of_blocks(shares: Doubles, values: list[Value], which: Functional, base: float) -> Value:
    """The entropy of diagonal blocks whose traces are `shares`, from those of the blocks."""
    nats = np.array([one.value for one in values]) * math.log(base)
    if isinstance(which, Shannon):
        total, weights = float(shares @ (nats - np.log(shares))), shares
    elif isinstance(which, MinEntropy):
        each = nats - np.log(shares)
        total, weights = float(each.min()), (np.arange(len(each)) == each.argmin()).astype(float)
    else:
        a = which.order
        logs = a * np.log(shares) + (1.0 - a) * nats
        log_sum = float(np.logaddexp.reduce(logs))
        total, weights = log_sum / (1.0 - a), np.exp(logs - log_sum)
    error, degrees = combined(
        (weight * one.standard_error, one.degrees)
        for weight, one in zip(weights, values, strict=True)
    )
    estimated = any(one.method == "stochastic" for one in values)
    single = any(one.dtype == "float32" for one in values)
    return Value(
        total / math.log(base),
        error,
        degrees,
        float(weights @ [one.bound for one in values]),
        float(weights @ [one.uncertainty for one in values]),
        "stochastic" if estimated else values[0].method,
        "float32" if single else "float64",
    )
