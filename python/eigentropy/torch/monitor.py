"""Entropy and information of a model's layers while it trains."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from eigentropy._arrays import as_numpy
from eigentropy._options import integer, one_of
from eigentropy._warnings import warn
from eigentropy.groups import group_codes
from eigentropy.measuring import Measurement, Settings, Variable, measure
from eigentropy.report.recording import Recorder, as_recorder
from eigentropy.torch.layers import Pooling, checked_pooling, find_layers, unwrapped
from eigentropy.torch.loggers import as_list, as_log
from eigentropy.torch.probe import Probe
from eigentropy.torch.recorded import checked_values, description
from eigentropy.torch.reservoir import Reservoir

MEASURES = ("dse", "dsmi_y", "dsmi_x", "dsmi_previous")

Array = npt.NDArray[Any]


class Monitor:
    r"""Measures layers of a model during training, without a trace in the training.

    Either on a fixed `probe`, which is passed through the model in evaluation mode without
    gradients, or on a `reservoir` of the activations of training itself. A probe leaves gradients,
    modes, buffers and random states as they are; its hooks exist only while it is measured.

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
        Also compiled, or in DataParallel or DistributedDataParallel. There only rank 0 measures.
    layers : str or sequence of str
        Names of modules, as in `model.named_modules()`, or patterns: ``*`` is any part of a name
        without a dot, ``**`` any part.
    probe : x or (x, labels), optional
        Samples, a tensor or an array, also mapped from a file; or a dictionary or list of these,
        for models with several arguments. Labels or scalars as for
        `eigentropy.diffusion_spectral_mutual_information`.
    every : int
        `step` measures at each call whose number is a multiple.
    log : callable, path, SummaryWriter, or a list of these, optional
        ``log(values, step)``, such as `wandb.log`; a file ``.csv`` or ``.jsonl``; TensorBoard. One
        that fails is warned about once and does not stop the training.
    record : path or Recorder, optional
        A directory for a run that `eigentropy report` shows: the values, and spectra and maps of
        the layers. See `eigentropy.report.Recorder`.
    measures : sequence of str, optional
        Of "dse", "dsmi_y", "dsmi_x", "dsmi_previous". "dse", and "dsmi_y" where there are labels,
        by default. "dsmi_x" needs a probe; it and "dsmi_previous" need scikit-learn.
    pooling : {"flatten", "mean", "cls"} or callable
        From a layer's output to one row a sample: all numbers; the mean over tokens of
        (n, tokens, d) or over positions of (n, channels, ...); the first token; any function of
        the tensor.
    reservoir : int, optional
        Instead of a probe: the size of a random sample, without repetition, of what the layers
        return in training, of the last forward pass before each `step`. It is emptied by each
        measurement, so the sample is of at most `every` batches.
    max_points : int, optional
        A probe of more samples is thinned to so many, drawn once. None: never.
    batch_size : int
        Of the probe's passes.
    n_null : int
        Random partitions behind each information: fewer than for a single measurement, since they
        are the same at every step and shift the whole curve alike.
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
    MemoryError
        The activations of the probe do not fit; raised before they are stored.

    Warns
    -----
    UserWarning
        A layer's activations have NaN or infinity (its values are NaN until they are finite
        again); a layer does not run, or runs several times in a pass (its last output counts); a
        logger fails. Each once for each layer or logger.
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
        log: Any = None,
        record: Recorder | str | os.PathLike[str] | None = None,
        measures: Sequence[str] | None = None,
        pooling: str | Pooling = "flatten",
        reservoir: int | None = None,
        max_points: int | None = 2048,
        batch_size: int = 256,
        t: float = 1.0,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        n_null: int = 5,
        n_clusters: int = 10,
        clustering: str = "spectral",
        seed: int = 0,
    ) -> None:
        if (probe is None) == (reservoir is None):
            raise ValueError("give either probe=(x, labels) or reservoir=number of samples")
        self.every = integer(every, "every", at_least=1)
        self.settings = Settings(
            t=(t,), sigma=sigma, alpha=alpha, base=base, method=method, tol=tol, n_null=n_null,
            n_clusters=n_clusters, clustering=clustering, seed=seed,
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
        self._probe: Probe | None = None
        self._reservoir: Reservoir | None = None
        self._variables: dict[str, Variable] = {}
        x, labels = _samples_and_labels(probe)
        self.measures = _checked_measures(measures, labels is not None, reservoir is not None)
        if reservoir is None:
            self._probe = Probe(x, max_points, batch_size, seed)
            self._variables = self._shared(self._probe, labels)
        else:
            self._reservoir = Reservoir(model, self._modules, self._pooling, reservoir, seed)
        self._recorder = as_recorder(record) if _is_first_rank() else None
        if self._recorder is not None:
            n = self._probe.n if self._probe is not None else reservoir
            self._recorder.describe(
                **description(self.layers, self.measures, self.settings, n, self._variables)
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
                variable.values, probe.n, variable.kind, s.n_clusters, s.clustering
            )
        return variables

    def step(
        self, labels: Any = None, values: Mapping[str, Any] | None = None
    ) -> dict[str, float] | None:
        """Count a step of the loop; measure and log if it is one of `every`.

        Parameters
        ----------
        labels : array or tensor of shape (n,), optional
            Of the last training batch, for "dsmi_y" with a reservoir.
        values : mapping of str to number, optional
            Further values of this step, such as loss and accuracy: they join what is returned,
            logged and recorded. Passed over where nothing is measured.

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
            self._reservoir.commit(known)
        return self.measure(values) if self.steps % self.every == 0 else None

    def measure(self, values: Mapping[str, Any] | None = None) -> dict[str, float]:
        """Measure and log now, whatever `every` says; before the loop, for its start.

        Parameters
        ----------
        values : mapping of str to number, optional
            As for `step`.

        Returns
        -------
        dict
            The values by their keys. Empty in all processes but that of rank 0.
        """
        self._check_open()
        if not _is_first_rank():
            return {}
        further = checked_values(values)
        if self._recorder is not None:
            self._recorder.begin(self.steps)
        activations, variables = self._activations()
        found: dict[str, float] = {}
        previous: Array | None = None
        for name in list(activations):
            rows = activations.pop(name)  # its memory is free after the next layer
            found.update(self._measure_layer(name, rows, previous, variables))
            previous = rows
        ordered = {key: found[key] for key in sorted(found, key=self._place)}
        for key in ordered.keys() & further.keys():
            raise ValueError(f"values: {key!r} is the name of what the monitor measures")
        ordered |= further
        self.history.append({"step": self.steps, **ordered})
        self._log(ordered)
        return ordered

    def _place(self, key: str) -> tuple[str, int]:
        """Keys of one measure stand together, in the order of the model."""
        kind, _, name = key.partition("/")
        return kind, self.layers.index(name)

    def _activations(self) -> tuple[dict[str, Array], dict[str, Variable]]:
        """The rows of each layer, in the order in which they run, and what they share with."""
        variables = self._variables
        if self._probe is not None:
            found = self._probe.activations(self._model, self._modules, self._pooling)
            rows = found.rows
            for name in sorted(found.repeated):
                self._say(name, "runs several times in one forward pass; its last output counts")
        else:
            assert self._reservoir is not None
            rows, labels = self._reservoir.take()
            if "dsmi_y" in self.measures and rows:
                variables = {"dsmi_y": Variable("labels", np.asarray(labels), "auto")}
        for name in self.layers:
            if name not in rows:
                self._say(
                    name, "did not run, or not for all samples: " + _NOT_RUN[self._probe is None]
                )
        return rows, variables

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
        if self._recorder is not None:
            labels = variables.get("dsmi_y")
            groups = None if labels is None else labels.groups
            self._recorder.layer(name, rows, measured.entropies[0], groups)
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
                value, adjusted = float(information), information.adjusted
            values[f"{role}/{name}"], values[f"{role}_adjusted/{name}"] = value, adjusted
        return values

    def _say(self, name: str, text: str, category: type[Warning] = UserWarning) -> None:
        """A warning about a layer, once; texts with figures in them count by their category."""
        key = (name, text if category is UserWarning else category.__name__)
        if key not in self._said:
            self._said.add(key)
            warn(f"layer {name!r}, step {self.steps}: {text}", category)

    def _log(self, values: dict[str, float]) -> None:
        record = [self._recorder.write] if self._recorder is not None else []
        for number, log in enumerate([*record, *self._logs]):
            try:
                log(dict(values), self.steps)
            except Exception as error:  # whatever it is, the training matters more
                key = (f"log {number}", "")
                if key not in self._said:
                    self._said.add(key)
                    warn(
                        f"step {self.steps}: the logger {log!r} failed and is not warned about "
                        f"again: {type(error).__name__}: {error}"
                    )

    def _check_open(self) -> None:
        if self.removed:
            raise RuntimeError("the monitor was removed from its model")

    def remove(self) -> None:
        """Take the monitor off the model; the history stays."""
        self.removed = True
        if self._reservoir is not None:
            self._reservoir.remove()

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
_NOT_RUN = {
    False: "the model's forward pass does not always call it",
    True: "not every forward pass in training mode has called it, or the model was compiled, and "
    "had run, before the monitor was made",
}


def _samples_and_labels(probe: Any) -> tuple[Any, Any]:
    """A tuple of two is (x, labels); anything else are samples alone."""
    if isinstance(probe, tuple):
        if len(probe) != 2:
            raise ValueError(f"probe must be x or (x, labels), got a tuple of {len(probe)}")
        return probe
    return probe, None


def _checked_measures(
    measures: Sequence[str] | None, labelled: bool, has_reservoir: bool
) -> tuple[str, ...]:
    if measures is None:
        return ("dse", "dsmi_y") if labelled else ("dse",)
    wanted = (measures,) if isinstance(measures, str) else tuple(measures)
    for name in wanted:
        one_of(name, "measures", MEASURES)
    if not wanted:
        raise ValueError("measures is empty")
    if "dsmi_y" in wanted and not labelled and not has_reservoir:
        raise ValueError("labels are missing: dsmi_y needs probe=(x, labels)")
    if "dsmi_x" in wanted and has_reservoir:
        raise ValueError("dsmi_x needs a probe: a reservoir does not hold the input")
    return wanted


def _as_array(labels: Any) -> Array:
    if isinstance(labels, torch.Tensor):
        labels = labels.detach().cpu()
    return as_numpy(labels, "labels")


def _is_first_rank() -> bool:
    distributed = torch.distributed
    if not (distributed.is_available() and distributed.is_initialized()):
        return True
    return bool(distributed.get_rank() == 0)
