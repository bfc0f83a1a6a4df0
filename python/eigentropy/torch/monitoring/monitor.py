"""Entropy and information of a model's layers while it trains."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._kernels.groups import group_codes
from eigentropy._measures.measurement import Measurement, MeasurementSettings, Variable, measure
from eigentropy._support.options import integer, one_of
from eigentropy._support.warnings import warn
from eigentropy.report.recording import Recorder, as_recorder
from eigentropy.torch.monitoring import gathering
from eigentropy.torch.monitoring.budget import Budget
from eigentropy.torch.monitoring.evaluation import Evaluation
from eigentropy.torch.monitoring.layers import Pooling, checked_pooling, find_layers, unwrapped
from eigentropy.torch.monitoring.loggers import as_list, as_log
from eigentropy.torch.monitoring.probe import Probe
from eigentropy.torch.monitoring.recorded import checked_values, description
from eigentropy.torch.monitoring.reservoir import Reservoir
from eigentropy.torch.monitoring.samples import Numbers, Samples

MEASURES = ("dse", "dsmi_y", "dsmi_x", "dsmi_previous")

Array = npt.NDArray[Any]


class Monitor:
    r"""Measures layers of a model during training, without a trace in the training.

    On a fixed `probe`, which is passed through the model in evaluation mode without gradients; or
    on the passes by which the loop evaluates the model anyway; or on a `reservoir` of the
    activations of training itself. A probe leaves gradients, modes, buffers and random states as
    they are; its hooks exist only while it is measured.

    ========================== ===================================================================
    key                        what it is
    ========================== ===================================================================
    ``dse/L``                  entropy of layer L's activations
    ``dsmi_y/L``               information about the labels, matched estimator
    ``dsmi_x/L``               about the input, whose clusters are found once
    ``dsmi_previous/L``        about the watched layer that runs before L, clustered by k-means
    ``dsmi_y_adjusted/L``, ... the same on the scale 0 (independent) to about 1 (as separable as
                               the groups allow), which hardly depends on sigma or the width
    ========================== ===================================================================

    Parameters
    ----------
    model : torch.nn.Module
        Also compiled, or in DataParallel or DistributedDataParallel.
    layers : str or sequence of str
        Names of modules, as in `model.named_modules()`, or patterns: ``*`` is any part of a name
        without a dot, ``**`` any part.
    probe : x or (x, labels), optional
        Samples, a tensor or an array, also mapped from a file; or a dictionary or list of these,
        for models with several arguments. Labels or scalars as for
        `eigentropy.diffusion_spectral_mutual_information`.
    every : int
        `step` measures at each call whose number is a multiple.
    budget : float, optional
        Share of the time that measuring may take, such as 0.05. Of the steps that `every` names,
        those are left out that come so soon after the last measurement that it, with the time
        since, was a larger share. Which steps these are depends on the machine.
    log : callable, path, SummaryWriter, wandb run, or a list of these, optional
        ``log(values, step)``; a file ``.csv`` or ``.jsonl``; TensorBoard; Weights & Biases. One
        that fails is warned about once and does not stop the training.
    record : path or Recorder, optional
        A directory for a run that `eigentropy report` shows: the values, and spectra and maps of
        the layers. See `eigentropy.report.Recorder`. One that fails is treated as a logger is.
    measures : sequence of str, optional
        Of "dse", "dsmi_y", "dsmi_x", "dsmi_previous". By default "dse", and "dsmi_y" of a probe
        with labels and of an evaluation. "dsmi_x" needs a probe; it and "dsmi_previous" need
        scikit-learn.
    pooling : {"flatten", "mean", "cls"} or callable
        From a layer's output to one row a sample: all numbers; the mean over tokens of
        (n, tokens, d) or over positions of (n, channels, ...); the first token; any function of
        the tensor.
    evaluation : int, optional
        Instead of a probe: measure so many samples, the same each time, of those that the loop
        evaluates. It calls `collect` after each pass of a batch, and `step` behind the last one. An
        evaluation that is not one of `every` is forgotten.
    reservoir : int, optional
        Instead of a probe: the size of a random sample, without repetition, of what the layers
        return in training, of the last forward pass before each `step`. It is emptied by each
        measurement, so without `budget` the sample is of at most `every` batches.
    gather : bool, optional
        Under torch.distributed, whether the samples of all processes are brought together in the
        first, which measures them, and all get the values. All have to call `step` then. A probe,
        the same everywhere, is passed in shares. By default only rank 0 measures a probe, and
        evaluation and reservoir are gathered.
    max_points : int, optional
        A probe of more samples is thinned to so many, drawn once. None: never.
    batch_size : int
        Of the probe's passes.
    n_null : int
        Random partitions behind each information, at least 2: fewer than for a single measurement,
        since they are the same at every step and shift the whole curve alike.
    t, sigma, alpha, base, method, tol, n_clusters, clustering, seed
        As in `eigentropy.diffusion_spectral_mutual_information`; `clustering` is its `clusters`,
        for the input.

    Attributes
    ----------
    history : list of dict
        What was measured: the values by their keys, with "step".
    layers : tuple of str
    steps : int
        Number of calls of `step`.
    removed : bool
        By `remove`, or at the end of the `with` block.

    Raises
    ------
    ValueError
        A pattern matches nothing (the message has the nearest names); labels are missing.
    RuntimeError
        Samples are gathered, and the monitor of another process failed.
    FileExistsError, ValueError
        At the first measurement: `record` holds a run that cannot be gone on with.
    MemoryError
        The activations of the probe do not fit; raised before they are stored.

    Warns
    -----
    UserWarning
        A layer's activations have NaN or infinity (its values are NaN until they are finite
        again); a layer does not run, or runs several times in a pass (its last output counts); a
        logger or the recorder fails. Each once for each layer or logger.
    SaturationWarning
        Once for each layer.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import Monitor
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    >>> x, y = torch.randn(90, 4), torch.arange(90) % 3
    >>> with Monitor(model, ["1", "2"], probe=(x, y)) as monitor:
    ...     values = monitor.step()               # once an epoch, say
    >>> sorted(values)
    ['dse/1', 'dse/2', 'dsmi_y/1', 'dsmi_y/2', 'dsmi_y_adjusted/1', 'dsmi_y_adjusted/2']
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layers: str | Sequence[str],
        probe: Any = None,
        *,
        every: int = 1,
        budget: float | None = None,
        log: Any = None,
        record: Recorder | str | os.PathLike[str] | None = None,
        measures: Sequence[str] | None = None,
        pooling: str | Pooling = "flatten",
        evaluation: int | None = None,
        reservoir: int | None = None,
        gather: bool | None = None,
        max_points: int | None = 2048,
        batch_size: int = 64,
        t: float = 1.0,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        n_null: int = 2,
        n_clusters: int = 10,
        clustering: str = "spectral",
        seed: int = 0,
    ) -> None:
        if sum(source is not None for source in (probe, evaluation, reservoir)) != 1:
            raise ValueError(
                "give either probe=(x, labels), or evaluation=number of samples, or "
                "reservoir=number of samples"
            )
        self.every = integer(every, "every", at_least=1)
        self._budget = Budget(budget)
        self.settings = MeasurementSettings(
            t=(t,), sigma=sigma, alpha=alpha, base=base, method=method, tol=tol, n_null=n_null,
            n_clusters=n_clusters, clusters=clustering, seed=seed,
        )  # fmt: skip
        self._pooling = checked_pooling(pooling)
        self._model = model
        self._modules = find_layers(unwrapped(model), layers)
        self._logs = [as_log(one) for one in as_list(log)]
        self.layers = tuple(self._modules)
        self.history: list[dict[str, float]] = []
        self.steps = 0
        self.removed = False
        self._said: set[tuple[str, str]] = set()
        self._recording = False  # the measurement that is under way
        self._numbered = False  # the samples since the last measurement, by the caller
        self._gather = gather
        self._probe: Probe | None = None
        self._evaluation: Evaluation | None = None
        self._reservoir: Reservoir | None = None
        self._variables: dict[str, Variable] = {}
        x, labels = _samples_and_labels(probe)
        self.measures = _checked_measures(
            measures, labels is not None or evaluation is not None, probe is not None
        )
        watched = self._modules, self._pooling
        if evaluation is not None:
            self._evaluation = Evaluation(model, *watched, evaluation, seed)
        elif reservoir is not None:
            self._reservoir = Reservoir(model, *watched, reservoir, seed)
        else:
            self._probe = Probe(x, max_points, batch_size, seed)
            self._variables = self._shared(self._probe, labels)
        self._most = evaluation or reservoir or (self._probe.n if self._probe else 0)
        self._recorder = as_recorder(record) if gathering.rank() == 0 else None
        if self._recorder is not None:
            n, known = self._most, self._variables
            self._recorder.describe(
                **description(self.layers, self.measures, self.settings, n, known)
            )

    def _shared(self, probe: Probe, labels: Any) -> dict[str, Variable]:
        """What all layers are compared with; its groups are found here, once."""
        variables = {}
        if "dsmi_y" in self.measures:
            known = _as_array(labels)
            if len(known) != probe.given:
                raise ValueError(f"the probe has {probe.given} samples and {len(known)} labels")
            known = known if probe.rows is None else known[probe.rows]
            variables["dsmi_y"] = Variable("labels", known, "auto")
        if "dsmi_x" in self.measures:
            variables["dsmi_x"] = Variable("probe", probe.vectors(), "vectors")
        for variable in variables.values():
            s = self.settings
            variable.groups = group_codes(
                variable.values, probe.n, variable.kind, s.n_clusters, s.clusters
            )
        return variables

    def collect(self, labels: Any = None, index: Any = None) -> None:
        """Take what the layers returned for the last batch that the loop evaluated.

        Needs `evaluation`. Without `index`, the batches have to come in the same order each time
        for the samples to be the same, and duplicates of a distributed sampler are not known.

        Parameters
        ----------
        labels : array or tensor of shape (n,), optional
            Of the batch, for "dsmi_y".
        index : array or tensor of int, shape (n,), optional
            Which samples of the data set these are. A number that came before is dropped. For all
            batches of a measurement, or for none.
        """
        self._check_open()
        if self._evaluation is None:
            raise RuntimeError("collect needs Monitor(..., evaluation=number of samples)")
        if labels is None and "dsmi_y" in self.measures:
            raise ValueError(
                "labels are missing: dsmi_y needs collect(labels); or leave it out of measures"
            )
        known = None if labels is None else _as_array(labels)
        self._evaluation.collect(known, self._numbers(index, self._evaluation), *self._process())

    def step(
        self, labels: Any = None, values: Mapping[str, Any] | None = None, index: Any = None
    ) -> dict[str, float] | None:
        """Count a step of the loop; measure and log if it is one of `every`.

        Parameters
        ----------
        labels : array or tensor of shape (n,), optional
            Of the last training batch, for "dsmi_y" with a reservoir.
        values : mapping of str to number, optional
            Further values of this step, such as loss and accuracy: they join what is returned,
            logged and recorded. Passed over where nothing is measured. Under torch.distributed
            those of rank 0 count.
        index : array or tensor of int, shape (n,), optional
            Which samples of the data set the last training batch was, for a reservoir: of samples
            with the same number one counts, such as those that a distributed sampler repeats. For
            all batches of a measurement, or for none.

        Returns
        -------
        dict or None
            The values by their keys, None where nothing was measured.
        """
        self._check_open()
        self.steps += 1
        if self._reservoir is not None:
            known = None if labels is None else _as_array(labels)
            if known is None and "dsmi_y" in self.measures:
                raise ValueError("labels are missing: dsmi_y with a reservoir needs step(labels)")
            self._reservoir.commit(known, self._numbers(index, self._reservoir))
        if self.steps % self.every == 0 and self._may_measure():
            return self.measure(values)
        if self._evaluation is not None:
            self.discard()  # the weights will have changed when it is measured
        return None

    def _may_measure(self) -> bool:
        """The same in all processes that a measurement brings together."""
        if self._budget.share is None or not self._gathers():
            return self._budget.allows()
        return gathering.shared(self._budget.allows)

    def discard(self) -> None:
        """Forget what was collected since the last measurement.

        Of an evaluation that is not to count, such as one that was broken off.
        """
        for source in (self._evaluation, self._reservoir):
            if source is not None:
                source.take()

    def _numbers(self, index: Any, source: Evaluation | Reservoir) -> Numbers | None:
        """Which samples a batch is; all batches of a measurement have an index, or none.

        Without one they are counted, and a count may be the number of another sample.
        """
        if source.seen == 0:
            self._numbered = index is not None
        elif self._numbered != (index is not None):
            this, others = ("none", "one") if self._numbered else ("one", "none")
            raise ValueError(
                f"index: this batch has {this}, those before it since the last measurement have "
                f"{others}: give it for all or for none"
            )
        return _as_numbers(index)

    def measure(self, values: Mapping[str, Any] | None = None) -> dict[str, float]:
        """Measure and log now, whatever `every` and `budget` say; before the loop, for its start.

        Parameters
        ----------
        values : mapping of str to number, optional
            As for `step`.

        Returns
        -------
        dict
            The values by their keys. Under torch.distributed the same in all processes where
            samples are gathered, otherwise empty in all but that of rank 0.
        """
        self._check_open()
        with self._budget.measuring():
            if self._gathers():
                samples = gathering.gathered(self._samples)
                found = gathering.shared(lambda: self._measured(samples, values))
            elif gathering.rank() == 0:
                found = self._measured(self._samples(), values)
            else:
                return {}
            self.history.append({"step": self.steps, **found})
            if gathering.rank() == 0:
                self._log(found)
        return found

    def _gathers(self) -> bool:
        wanted = self._probe is None if self._gather is None else self._gather
        return wanted and gathering.is_distributed()

    def _process(self) -> tuple[int, int]:
        """Which of how many processes this is, as far as that matters here."""
        return (gathering.rank(), gathering.world_size()) if self._gathers() else (0, 1)

    def _samples(self) -> Samples:
        """What this process has."""
        place = self._process()
        if self._evaluation is not None:
            samples, repeated = self._evaluation.take(), self._evaluation.repeated
        elif self._reservoir is not None:
            samples, repeated = self._reservoir.take(*place), self._reservoir.repeated
        else:
            assert self._probe is not None
            found = self._probe.activations(self._model, self._modules, self._pooling, *place)
            samples = Samples(found.rows, np.arange(place[0], self._probe.n, place[1]))
            repeated = found.repeated
        for name in sorted(repeated):
            self._say(name, "runs several times in one forward pass; its last output counts")
        return samples

    def _measured(
        self, samples: Samples | None, values: Mapping[str, Any] | None
    ) -> dict[str, float]:
        """The values of all layers, and the caller's."""
        assert samples is not None
        further = checked_values(values)
        self._recording = self._begins_to_record()
        samples = samples.distinct(self._most, self.settings.seed)
        variables = self._known_variables(samples)
        found: dict[str, float] = {}
        previous: Array | None = None
        for name in list(samples.rows):
            rows = samples.rows.pop(name)  # its memory is free after the next layer
            found.update(self._measure_layer(name, rows, previous, variables))
            previous = rows
        ordered = {key: found[key] for key in sorted(found, key=self._place)}
        for key in ordered.keys() & further.keys():
            raise ValueError(f"values: {key!r} is the name of what the monitor measures")
        return ordered | further

    def _place(self, key: str) -> tuple[str, int]:
        """Keys of one measure stand together, in the order of the model."""
        kind, _, name = key.partition("/")
        return kind, self.layers.index(name)

    def _known_variables(self, samples: Samples) -> dict[str, Variable]:
        """What the layers are compared with. Says which layers have no rows."""
        for name in self.layers:
            if name not in samples.rows:
                why = _NOT_CALLED if self._probe is not None else _NOT_HOOKED
                self._say(name, f"did not run, or not for all samples: {why}")
        if self._probe is not None or "dsmi_y" not in self.measures or samples.labels is None:
            return self._variables
        return {"dsmi_y": Variable("labels", samples.labels, "auto")}

    def _measure_layer(
        self, name: str, rows: Array, previous: Array | None, shared: dict[str, Variable]
    ) -> dict[str, float]:
        variables = dict(shared)
        if "dsmi_previous" in self.measures and previous is not None:
            variables["dsmi_previous"] = self._clustered(previous)
        if not np.isfinite(rows).all():
            self._say(name, _NOT_FINITE)
            return self._values(name, None, variables)
        self._said.discard((name, _NOT_FINITE))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            measured = measure(rows, variables, self.settings, name=name)
        for warning in caught:
            self._say(name, str(warning.message), warning.category)
        if self._recorder is not None and self._recording:
            labels = variables.get("dsmi_y")
            groups = None if labels is None else labels.groups
            layer = name, rows, measured.entropies[0], groups
            self._attempt(self._recorder, self._recorder.layer, *layer)
        return self._values(name, measured, variables)

    def _clustered(self, previous: Array) -> Variable:
        """The layer before, in clusters; none where it is not finite."""
        n, k = len(previous), self.settings.n_clusters
        groups = np.zeros(n, dtype=np.int64)
        if np.isfinite(previous).all():
            groups = group_codes(previous, n, "vectors", k, "kmeans")
        return Variable("the layer before", groups, "labels", groups)

    def _values(
        self, name: str, measured: Measurement | None, variables: dict[str, Variable]
    ) -> dict[str, float]:
        values = {}
        if "dse" in self.measures:
            values[f"dse/{name}"] = float(measured.entropies[0]) if measured else math.nan
        for role in variables:
            information = measured.informations[role][0] if measured else None
            value, adjusted = math.nan, math.nan
            if information is not None:  # which is false as a number where it is 0
                value, adjusted = float(information), information.adjusted()
            values[f"{role}/{name}"], values[f"{role}_adjusted/{name}"] = value, adjusted
        return values

    def _say(self, name: str, text: str, category: type[Warning] = UserWarning) -> None:
        """A warning about a layer, once; texts with figures in them count by their category."""
        key = (name, text if category is UserWarning else category.__name__)
        if key not in self._said:
            self._said.add(key)
            warn(f"layer {name!r}, step {self.steps}: {text}", category)

    def _log(self, values: dict[str, float]) -> None:
        if self._recorder is not None and self._recording:
            self._attempt(self._recorder, self._recorder.write, dict(values), self.steps)
        for log in self._logs:
            self._attempt(log, log, dict(values), self.steps)

    def _begins_to_record(self) -> bool:
        """Whether what is measured now can be recorded.

        A run that is refused is the caller's mistake, and said before anything is lost.
        """
        recorder, refusals = self._recorder, (FileExistsError, ValueError)
        return (
            recorder is not None
            and self._attempt(recorder, recorder.check, refusals=refusals)
            and self._attempt(recorder, recorder.begin, self.steps)
        )

    def _attempt(
        self,
        log: object,
        function: Callable[..., object],
        *arguments: Any,
        refusals: tuple[type[Exception], ...] = (),
    ) -> bool:
        """Whether a call of a logger or the recorder succeeds; the first that fails is said."""
        try:
            function(*arguments)
        except refusals:
            raise
        except Exception as error:  # whatever it is, the training matters more
            key = (f"log {id(log)}", "")
            if key not in self._said:
                self._said.add(key)
                warn(
                    f"step {self.steps}: the logger {log!r} failed and is not warned about "
                    f"again: {type(error).__name__}: {error}"
                )
            return False
        return True

    def _check_open(self) -> None:
        if self.removed:
            raise RuntimeError("the monitor was removed from its model")

    def remove(self) -> None:
        """Take the monitor off the model; the history stays."""
        self.removed = True
        for source in (self._evaluation, self._reservoir):
            if source is not None:
                source.remove()

    def __enter__(self) -> Monitor:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it."""
        self.remove()

    def state_dict(self) -> dict[str, Any]:
        """The number of steps and the history, for a checkpoint."""
        return {"steps": self.steps, "history": [dict(row) for row in self.history]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self.steps = state["steps"]
        self.history = [dict(row) for row in state["history"]]
        if self._recorder is not None:
            self._recorder.loaded(self.steps)


_NOT_FINITE = "has NaN or infinity in its activations: its values are NaN"
_NOT_CALLED = "the model's forward pass does not always call it"
_NOT_HOOKED = (
    "not every forward pass that counts has called it, or the model was compiled, and had run, "
    "before the monitor was made"
)


def _samples_and_labels(probe: Any) -> tuple[Any, Any]:
    """A tuple of two is (x, labels); anything else are samples alone."""
    if isinstance(probe, tuple):
        if len(probe) != 2:
            raise ValueError(f"probe must be x or (x, labels), got a tuple of {len(probe)}")
        return probe
    return probe, None


def _checked_measures(
    measures: Sequence[str] | None, labelled: bool, has_probe: bool
) -> tuple[str, ...]:
    if measures is None:
        return ("dse", "dsmi_y") if labelled else ("dse",)
    wanted = (measures,) if isinstance(measures, str) else tuple(measures)
    for name in wanted:
        one_of(name, "measures", MEASURES)
    if not wanted:
        raise ValueError("measures is empty")
    if "dsmi_y" in wanted and has_probe and not labelled:
        raise ValueError("labels are missing: dsmi_y needs probe=(x, labels)")
    if "dsmi_x" in wanted and not has_probe:
        raise ValueError("dsmi_x needs a probe: activations alone do not have the input")
    return wanted


def _as_array(labels: Any) -> Array:
    if isinstance(labels, torch.Tensor):
        labels = labels.detach().cpu()
    return as_numpy(labels, "labels")


def _as_numbers(index: Any) -> Numbers | None:
    """Numbers of samples as integers."""
    if index is None:
        return None
    numbers = _as_array(index)
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
        raise TypeError(f"index must be integers (n,), got {numbers.dtype} {numbers.shape}")
    return numbers.astype(np.int64)
