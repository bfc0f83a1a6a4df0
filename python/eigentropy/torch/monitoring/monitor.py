"""Entropy and information of a model's layers while it trains."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import torch

from eigentropy._measures.layer_profile import LayerProfile
from eigentropy._measures.measurement import MeasurementSettings
from eigentropy._support.interval import LEVEL, checked_level
from eigentropy._support.options import integer
from eigentropy._support.signatures import named_options
from eigentropy.report.measures import about, of_family
from eigentropy.report.recording import Recorder
from eigentropy.report.unit_files import Units
from eigentropy.torch.monitoring import gathering
from eigentropy.torch.monitoring.alarm import CollapseAlarm
from eigentropy.torch.monitoring.background import Afterwards, Background, checked_background
from eigentropy.torch.monitoring.budget import Budget
from eigentropy.torch.monitoring.collection import Counted, Taken, Watched
from eigentropy.torch.monitoring.forecast import Forecast
from eigentropy.torch.monitoring.history import History
from eigentropy.torch.monitoring.layers import Layers, find_layers, unwrapped
from eigentropy.torch.monitoring.measuring import (
    Measuring,
    checked_clusters,
    checked_measures,
    checked_order,
    checked_values,
)
from eigentropy.torch.monitoring.notices import Notices
from eigentropy.torch.monitoring.outputs import Events, Outputs, description
from eigentropy.torch.monitoring.procedure import Concluded, Procedure
from eigentropy.torch.monitoring.rows import Pooling, RowRule
from eigentropy.torch.monitoring.sources import RENAMED, AnySource, as_source, checked_units
from eigentropy.torch.monitoring.transfer import Transfer
from eigentropy.torch.monitoring.where import Where
from eigentropy.torch.tokens.calls import MaskOption


class Monitor:
    r"""Measures layers of a model during training, without a trace in the training.

    The samples are those of a `Probe`, which is passed through the model in evaluation mode without
    gradients; or those of an `Evaluation`, which the loop makes anyway; or a `Reservoir` of
    training itself. A probe leaves gradients, modes, buffers and random states as they are; its
    hooks exist only while it is measured.

    ========================== ===================================================================
    key                        what it is
    ========================== ===================================================================
    ``dse/L``                  entropy of layer L's activations
    ``dsmi_y/L``               information about the labels, matched estimator
    ``dsmi_x/L``               about the input, whose clusters are found once
    ``dsmi_previous/L``        about the watched layer that runs before L, clustered by k-means
    ``kernel/L``               kernel entropy, in which clusters count by their mass
    ``kernel_y/L``             kernel information about the labels, in bits whatever `base` is: the
                               `bits` of `eigentropy.kernel_information`; of scalars and vectors its
                               value
    ``kernel_x/L``             about the input, by the joint kernel
    ``kernel_previous/L``      about the watched layer that runs before L, by the joint kernel
    ``dsmi_y_null_se/L``, ...  standard error over the random partitions, and over nothing else
    ``dsmi_y_adjusted/L``, ... the same on the scale 0 (independent) to about 1 (as separable as
                               the groups allow), which hardly depends on sigma or the width; not
                               of the joint kernel
    ``dse_sampling_se/L``, ... with ``sampling=True``: standard deviation of each value over other
                               samples of the data
    ========================== ===================================================================

    Parameters
    ----------
    model : torch.nn.Module
        Also compiled, or in DataParallel or DistributedDataParallel.
    layers : str, module, or sequence of these
        Names of modules, as in `model.named_modules()`, or patterns: ``*`` is any part of a name
        without a dot, ``**`` any part. Or modules of the model, such as ``model[1]``.
    source : Probe, Evaluation or Reservoir
        Where the samples come from. ``x``, ``(x, labels)`` and a DataLoader are short for
        ``Probe(x)``, ``Probe(x, labels)`` and ``Probe(loader)``.
    probe : x, (x, labels) or DataLoader, optional
        Short for ``source=Probe(x, labels)`` or ``source=Probe(loader)``.
    every : int
        `step` measures at each call whose number is a multiple.
    budget : float, optional
        Share of the time that measuring may take, such as 0.05. A step is left out if the last
        measurement would be a larger share of the time since it began. Before the first one counts
        what is predicted for it, and the time since the monitor was made. Which steps are left out
        depends on the machine. With it, random rows are measured when the monitor is made, some
        tens of milliseconds.
    log : callable, path, SummaryWriter, wandb run, or a list of these, optional
        ``log(values, step)``; a file ``.csv`` or ``.jsonl``; TensorBoard; Weights & Biases. A
        missing directory is made, and a file that holds a run is refused, at once: see `CSVLogger`.
        A logger that fails later is warned about once and does not stop the training.
    record : path or Recorder, optional
        A directory for a run that `eigentropy report` shows: the values, and spectra and maps of
        the layers. See `eigentropy.report.Recorder`. A recorder that fails is warned about once, as
        a logger is.
    units : bool, int or Units
        Whether `record` keeps the activations of units as well, which `Run.units` gives back: of at
        most 256 units of each layer (an int sets this number), on at most 256 samples of a probe,
        at no more than 32 steps. `eigentropy.report.Units` sets all three. A unit is a column of
        the layer's rows; of flattened channels it is the mean of a channel, of flattened tokens the
        mean of a feature.
    device : None or "cpu"
        None: activations on a GPU of CUDA stay there and are measured there, if the plug-in is
        installed; they are copied to the host, with one warning, if it is not. "cpu" copies them
        and measures them on the host. Activations on other devices are always copied.
    background : bool or int
        Measure on the host, beside the training: a step copies the rows and returns None; the
        values come to `history`, `log` and `record` in order, when they are there. An int is how
        many measurements may be under way, and True is 2; a step waits while there are as many.
        The values are those that are measured without it, bit for bit. Warnings, errors and what
        alarms do come with the next call. Not where processes of torch.distributed share the work.
    measures : sequence of str, optional
        Of "dse", "dsmi_y", "dsmi_x", "dsmi_previous", "kernel", "kernel_y", "kernel_x",
        "kernel_previous". By default "dse", and "dsmi_y" for a probe with labels, for an
        evaluation, and for a reservoir whose steps are given labels. "dsmi_x" and "kernel_x" need a
        probe; "dsmi_x" and "dsmi_previous" need scikit-learn.
    pooling : {"flatten", "mean", "first", "last", "tokens"} or callable
        From a layer's output to rows. One a sample: all numbers; the mean over the kept tokens of
        (n, tokens, d), or over positions of (n, channels, ...); the first or the last kept token;
        any function of the tensor. "tokens": each kept token is a row, with its sample's label.
        Nested tensors are pooled sample by sample, over their real tokens only; "flatten"
        continues shorter rows by zeros. Of an output with several tensors the first one with a
        dimension counts.
    mask : str or callable, optional
        Which tokens are real, true in (n, tokens): an argument of the model, or of the nearest part
        of it around the layer that has one of this name, or a function of the model's arguments by
        name. By default the "attention_mask" of the call of the model, or of the nearest part of it
        around the layer that has tokens of its own; without one all tokens are real, as with False.
        A layer whose tokens differ in number from the mask's is left out.
    drop_first : int
        This many real tokens at the beginning of each sample are not kept, such as sinks.
    normalize : {"none", "l2", "layer"}
        Of each token, before pooling: nothing, to length 1, or to mean 0 and variance 1.
    gather : bool, optional
        Under torch.distributed: whether the first process gets the samples of all processes,
        measures them, and sends the values to all. All processes have to call `step` then. A probe,
        the same everywhere, is passed in shares. By default evaluation and reservoir are gathered,
        and a probe is measured by the first process alone.
    sampling : bool
        Whether each value gets its sampling error: the standard deviation that it would have over
        other samples of as many rows. An information is measured anew on 32 parts of the rows for
        it, which takes longer than the value. Not with ``pooling="tokens"``: the tokens of a sample
        are not drawn independently.
    n_null : int or "auto"
        Random partitions behind each information, at least 2. There are fewer than for a single
        measurement, since they are the same at every step and shift the whole curve alike. The
        number of "auto" may differ from step to step, so that a plot has no bands of it.
    clusters : {"spectral", "kmeans"}, optional
        How vectors, such as the input, are clustered.
    t, sigma, alpha, base, method, tol, n_clusters, seed
        As in `eigentropy.diffusion_spectral_mutual_information`.
    order : float
        Of the kernel entropy; "kernel_y" is for order 1.

    Attributes
    ----------
    history : list of dict
        What was measured: the values by their keys, with "step". ``history.plot("dse")`` draws it.
    layers : tuple of str
    measures : tuple of str
    collection : Collection
        The samples that the source has gathered since the last measurement.
    counted : Counted
        What the last measurement has seen: ``prompts``, the number of samples, and ``tokens``, that
        of their kept tokens, None where no layer has tokens. Under torch.distributed, of all
        processes where samples are gathered.
    steps : int
        Number of calls of `step`.
    removed : bool
        By `remove`, or at the end of the `with` block.

    Raises
    ------
    ValueError
        A pattern matches nothing (the message has the nearest names), or a module is not in the
        model; labels are missing; `units` without `record`, or of samples that change.
    RuntimeError
        Samples are gathered, and the monitor of another process failed.
    BackgroundError
        A measurement in the background failed, from the call after it; `__cause__` is its error.
    FileExistsError, FileError
        A file of `log` holds a run, or cannot be written.
    FileExistsError, ValueError
        At the first measurement: the run in `log` or `record` cannot be continued.
    MemoryError
        The activations of the probe do not fit; raised before they are stored.

    Warns
    -----
    UserWarning
        A layer's activations have NaN or infinity (its values are NaN until they are finite
        again); what it returns is not one row a sample, or is complex (it has no values); it does
        not run, or runs several times in a pass (its last output counts); a logger or the recorder
        fails. Once for each layer or logger.
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
    >>> sorted(values)  # doctest: +NORMALIZE_WHITESPACE
    ['dse/1', 'dse/2', 'dsmi_y/1', 'dsmi_y/2', 'dsmi_y_adjusted/1', 'dsmi_y_adjusted/2',
     'dsmi_y_null_se/1', 'dsmi_y_null_se/2']
    """

    @named_options(**RENAMED)
    def __init__(
        self,
        model: torch.nn.Module,
        layers: Layers,
        source: AnySource = None,
        *,
        probe: Any = None,
        every: int = 1,
        budget: float | Budget | None = None,
        log: Any = None,
        record: Recorder | str | os.PathLike[str] | None = None,
        units: bool | int | Units = False,
        device: str | torch.device | None = None,
        background: bool | int = False,
        measures: str | Sequence[str] | None = None,
        pooling: str | Pooling = "flatten",
        mask: MaskOption = None,
        drop_first: int = 0,
        normalize: str = "none",
        gather: bool | None = None,
        sampling: bool = False,
        t: float = 1.0,
        sigma: float | str = "auto",
        alpha: float = 0.5,
        order: float = 1.0,
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        n_null: int | str = 2,
        n_clusters: int = 10,
        clusters: str | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        source = as_source(source, probe)
        self.every = integer(every, "every", at_least=1)
        self.measures = source.default_measures if measures is None else checked_measures(measures)
        self.settings = MeasurementSettings(
            t=(t,), sigma=sigma, alpha=alpha, base=base, method=method, tol=tol, n_null=n_null,
            n_clusters=n_clusters, clusters=checked_clusters(clusters), seed=seed,
            kernel=bool(of_family("kernel", self.measures)),
            order=(checked_order(order, self.measures),),
        )  # fmt: skip
        self._rule = RowRule(pooling, mask, drop_first, normalize)
        self._rule.check(sampling=sampling, units=units)
        modules = find_layers(unwrapped(model), layers)
        self.layers = tuple(modules)
        source.check(self.measures)
        kept = checked_units(units, source, is_recorded=record is not None)
        self._needs_labels = measures is not None or source.needs_labels
        self.history = History(base=base, n_null=n_null)
        self.steps = 0
        self.removed = False
        most = checked_background(background)
        where = Where(device, waits=most is not None)
        self._background = None if most is None else Background(most)
        self._budget = budget if isinstance(budget, Budget) else Budget(budget)
        self._states_of_alarms: dict[str, Any] = {}
        self._notices = Notices()
        self._outputs = Outputs(log, record, gathering.rank() == 0, self._notices)
        self.collection = source.attach(Watched(model, modules, self._rule, where), seed)
        known = self.collection.variables(self.measures, self.settings)
        what = self.layers, self.measures, self.settings
        self._procedure = Procedure(
            self.layers, self.collection, known, Measuring(*what, self._outputs, self._notices),
            self._outputs, self._notices, where, gather, bool(sampling),
        )  # fmt: skip
        self._prediction: Forecast | None = None
        if self._budget.share is not None and most is None:  # in the background no step waits
            self._prediction = Forecast(
                self._procedure.measuring, self.collection, self._budget.timed
            )
        self._budget.begin()
        self._outputs.describe(
            units=kept,
            **description(*what, self.collection.most, known),
            **self._rule.description(),
        )

    def collect(self, labels: Any = None, index: Any = None) -> None:
        """Take what the layers returned for the last batch that the loop evaluated.

        Needs an `Evaluation`. Without `index`, the samples are the same at each measurement only if
        the batches come in the same order, and duplicates of a distributed sampler are not known.

        Parameters
        ----------
        labels : array or tensor of shape (n,), optional
            Of the batch, for "dsmi_y".
        index : array or tensor of int, shape (n,), optional
            Which samples of the data set these are. A number that came before is dropped. For all
            batches of a measurement, or for none.
        """
        self._check_open()
        self.collection.collect(labels, index, self._must_have(labels), self._procedure.place())

    def step(
        self, labels: Any = None, values: Mapping[str, Any] | None = None, index: Any = None
    ) -> dict[str, float] | None:
        """Count a step of the loop; measure and log if it is one of `every`.

        Parameters
        ----------
        labels : array or tensor of shape (n,), optional
            Of the last training batch, for "dsmi_y" with a reservoir. For all steps or for none.
        values : mapping of str to number, optional
            Further values of this step, such as loss and accuracy: they join what is returned,
            logged and recorded. Without effect where nothing is measured. Under torch.distributed
            the values of rank 0 count.
        index : array or tensor of int, shape (n,), optional
            Which samples of the data set the last training batch was, for a reservoir. Of samples
            with the same number, such as those that a distributed sampler repeats, one counts. For
            all batches of a measurement, or for none.

        Returns
        -------
        dict or None
            The values by their keys, None where nothing was measured, and in the background.
        """
        self._check_open()
        self.steps += 1
        self.collection.commit(labels, index, self._must_have(labels))
        if self.steps % self.every == 0 and self._may_measure():
            found = self.measure(values)
            return found if self._background is None else None
        self.collection.pass_over()
        self._tell()
        return None

    @property
    def counted(self) -> Counted:
        """What the last measurement has seen."""
        return self._procedure.counted

    def _must_have(self, labels: Any) -> bool:
        """Whether labels are needed now: also where a batch before had some."""
        self._needs_labels = self._needs_labels or labels is not None
        return self._needs_labels and bool(about("y", self.measures))

    def _may_measure(self) -> bool:
        """The same in all processes that a measurement brings together."""
        if self._budget.share is None or not self._procedure.shares():
            return self._budget.allows(self._prediction)
        # Where samples are gathered, a probe's model may need all processes to run.
        known = self._prediction if self.collection.gathers else None
        return gathering.shared(lambda: self._budget.allows(known))

    def discard(self) -> None:
        """Forget what was gathered since the last measurement.

        For an evaluation that is not to count, such as one that was broken off.
        """
        self.collection.discard()

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
            samples are gathered, otherwise empty in all but that of rank 0. Empty in the
            background.
        """
        self._check_open()
        if self._background is not None:
            self._measure_later(self._background, checked_values(values))
            return {}
        with self._budget.measuring():
            measured = self._procedure.measured(self.steps, values)
            if measured is None:
                return {}
            found, _, events = measured
            self._keep(measured)
        self._outputs.act(events)
        return found

    def _keep(self, measured: Concluded, later: list[Afterwards] | None = None) -> None:
        """What was measured goes to the history, the loggers and the recorder."""
        found, profile, _ = measured
        self.history.append({"step": self._notices.step, **found})
        if gathering.rank() == 0:
            self._outputs.write(found, profile, later)

    def _measure_later(self, background: Background, values: dict[str, float]) -> None:
        """Take the samples, and have them measured while the training goes on."""
        self._check_alone(self._procedure.shares())
        with self._budget.measuring():
            if gathering.rank() == 0:
                try:
                    background.make_room()  # before anything is taken
                except BaseException:  # Ctrl-C: the step is not measured
                    self.collection.pass_over()
                    raise
                taken = self._procedure.take(self.steps)
                background.begin(taken.step, self._work(taken, values))
        background.tell()

    def _work(self, taken: Taken, values: dict[str, float]) -> Callable[[], Afterwards]:
        """The measurement of what was taken, which leaves to do what belongs to the caller."""
        arriving = Transfer(taken.samples.rows)
        taken.samples.rows.clear()

        def work() -> Afterwards:
            taken.samples.rows.update(arriving.arrived())
            measured = self._procedure.measured_of(taken, values)
            later: list[Afterwards] = []
            self._keep(measured, later)
            return lambda: self._finish(later, measured[2])

        return work

    def _finish(self, later: Iterable[Afterwards], events: Events) -> None:
        for log in later:
            log()
        self._outputs.act(events)

    def _check_alone(self, shares: bool) -> None:
        if self._background is not None and shares:
            raise RuntimeError(
                "background: the processes of torch.distributed measure together here, and the "
                "calls by which they do must not mix with those of the training: give "
                "gather=False and no alarms, or leave background out"
            )

    def wait(self) -> None:
        """Wait for what is measured in the background, and hear of its warnings and errors.

        Raises
        ------
        BackgroundError
            A measurement failed.
        """
        self._wait()
        self._tell()

    def _wait(self) -> None:
        if self._background is not None:
            self._background.wait()

    def _tell(self) -> None:
        if self._background is not None:
            self._background.tell()

    def add_alarm(self, alarm: CollapseAlarm) -> None:
        """Let an alarm look at each measurement from now on: see `CollapseAlarm`.

        Raises
        ------
        ValueError
            Another alarm of this monitor has the same name.
        """
        self._check_open()
        self._check_alone(gathering.is_distributed())  # which share what an alarm says
        self.wait()
        names = [one.name for one in self._outputs.alarms]
        if alarm.name in names:
            raise ValueError(
                f"name={alarm.name!r} is that of another alarm of this monitor, whose values have "
                f"the same keys: give one a name of its own, such as name='{alarm.name}2'"
            )
        alarm.begin(self.layers, self.settings, has_labels=bool(about("y", self.measures)))
        self._outputs.alarms.append(alarm)
        if alarm.name in self._states_of_alarms:
            alarm.load_state_dict(self._states_of_alarms.pop(alarm.name))

    def profile(self, *, level: float = LEVEL) -> LayerProfile | None:
        """Measure now, with sampling errors, and say which layers differ from the one before.

        It takes the samples as `measure` does, and leaves `history` and logs alone. A run that is
        recorded gets the profile.

        Parameters
        ----------
        level : float
            Of the intervals, and of the statement that neighbours differ.

        Returns
        -------
        LayerProfile or None
            Prints as a table; `to_rows()` for pandas, `ties()`, `plot()`. Under torch.distributed
            the same in all processes where samples are gathered, otherwise None in all but that of
            rank 0.

        Raises
        ------
        ValueError
            No layer has rows, as where an evaluation or a reservoir has been measured already; or
            the rows are tokens, of which those of a sample are not independent.
        """
        self._check_open()
        self._rule.check(sampling=True)
        self.wait()
        level = checked_level(level)
        found = self._procedure.profile(self.steps, level)
        if gathering.rank() == 0 and found is not None:
            self._outputs.profile(found)
        return found

    def plot(self, measure: str | None = None, **options: Any) -> Any:
        """Draw what was measured over the steps; see `eigentropy.plot.history`."""
        return self.history.plot(measure, **{"base": self.settings.base, **options})

    def _check_open(self) -> None:
        if self.removed:
            raise RuntimeError("the monitor was removed from its model")

    def remove(self) -> None:
        """Take the monitor off the model; the history stays.

        Waits for what is measured in the background.

        Warns
        -----
        CollapseWarning
            The reference of an alarm was never complete.
        """
        was_on = not self.removed
        self._take_off()
        self.wait()
        if was_on and (self.steps or self.history):
            self._outputs.end(self.steps)

    def _take_off(self) -> None:
        self.removed = True
        self.collection.remove()

    def __enter__(self) -> Monitor:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it; an error is news enough, and nothing is warned about beside it.

        What is measured in the background after an error goes on, and is waited for at exit.
        """
        if error is None:
            self.remove()
        else:
            self._take_off()

    def state_dict(self) -> dict[str, Any]:
        """The number of steps, the history and the state of the alarms, for a checkpoint."""
        self._wait()
        alarms = {alarm.name: alarm.state_dict() for alarm in self._outputs.alarms}
        history = [dict(row) for row in self.history]
        return {"steps": self.steps, "history": history, **({"alarms": alarms} if alarms else {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises
        ------
        BackgroundError
            A measurement from before failed; nothing is loaded then.
        """
        self.wait()  # what alarms have to tell of before is not about what is loaded
        self.steps = state["steps"]
        s = self.settings
        self.history = History((dict(row) for row in state["history"]), s.base, s.n_null)
        self._outputs.loaded(self.steps)
        self._states_of_alarms = dict(state.get("alarms", {}))  # some may come later
        for alarm in self._outputs.alarms:
            if alarm.name in self._states_of_alarms:
                alarm.load_state_dict(self._states_of_alarms.pop(alarm.name))
