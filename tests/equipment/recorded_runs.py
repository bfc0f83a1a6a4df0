"""Recorded runs of three steps, as a monitor writes them, and what becomes of them."""

from __future__ import annotations

import json
import re

import numpy as np

import eigentropy as eg
from eigentropy import report
from eigentropy.io import FileError
from eigentropy.report import Recorder, page, read_run

NASTY = '</script><script>alert("1")</script><!--<img src=x onerror=alert(2)>'

N = 40
LAYERS = ("first", "second")


def rows_of(step, layer):
    generator = np.random.default_rng(LAYERS.index(layer) if layer in LAYERS else 7)
    return generator.normal(size=(N, 3)) + step * np.eye(3)[np.arange(N) % 3]


def activations_of(step, layer, count=8):
    """Units, each for a class, that tell the classes apart more from step to step."""
    generator = np.random.default_rng(len(layer))
    own = np.arange(N)[:, None] % 3 == np.arange(count) % 3
    return generator.normal(size=(N, count)) + step * own


def record(
    path,
    steps=(1, 2, 3),
    layers=LAYERS,
    description=None,
    loaded=None,
    information=(),
    further=lambda step, layer: {},
    units=None,
    accuracy=None,
    **options,
):
    """A run of some steps, as a monitor writes it; `information` are further measures.

    `further` gives more values of a layer at a step, by what stands before the layer's name.
    """
    recorder = Recorder(path, resume=loaded is not None, **options)
    recorder.describe(
        units=units,
        **{
            "layers": list(layers), "measures": ["dse", "dsmi_y"], "n": N, "t": 1.0, "base": 2.0,
            "seed": 0, "classes": [{"name": str(k), "size": N // 3 + 1} for k in range(3)],
            **(description or {}),
        },
    )  # fmt: skip
    if loaded is not None:
        recorder.loaded(loaded)
    informations = dict(information).items()
    for step in steps:
        recorder.begin(step)
        values = {}
        for layer in layers:
            rows = rows_of(step, layer)
            entropy = eg.DiffusionOperator(rows).entropy()
            recorder.layer(layer, rows, entropy, np.arange(N) % 3)
            recorder.units(layer, activations_of(step, layer), np.arange(N) % 3)
            values[f"dse/{layer}"] = float(entropy)
            values[f"dsmi_y/{layer}"] = 0.1 * step
            values.update({f"{kind}/{layer}": 0.1 + value * step for kind, value in informations})
            values.update(
                {f"{kind}/{layer}": value for kind, value in further(step, layer).items()}
            )
        own = {"loss": 1.0 / (1 + step), **({"accuracy": accuracy(step)} if accuracy else {})}
        recorder.write({**values, **own}, step)
    return path


def add_profile(path, step, numbers, p_values):
    """A line of a profile, as `LayerProfile.to_record` gives it.

    `numbers` are by layer and measure a value and its sampling error; `p_values` by measure and the
    later layer those of neighbours.
    """
    layers = list(numbers)
    line = {
        "step": step,
        "layers": [{"layer": k, "columns": 3, "numbers": of} for k, of in numbers.items()],
        "neighbours": [
            {"measure": measure, "a": layers[layers.index(b) - 1], "b": b, "difference": 0.1,
             "standard_error": 0.1, "p_value": p}
            for measure, of in p_values.items() for b, p in of.items()
        ],
    }  # fmt: skip
    with (path / "profiles.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    return path


def write(path, text):
    path.write_text(text)
    return path


LOG = "step,dse/a.b,dsmi_y/a.b,loss\n1,5.0,0.5,2\n2,nan,,1\n3,4.5,0.75,0.5\n"
TRACK = "snapshot,n,sigma,dse,dsmi_labels,dsmi_labels_adjusted\nepoch2,90,1,5,0.5,0.2\nx,90,1,4,,\n"


def small_recordings(folder):
    """A run and three logs that are read thousands of times."""
    record(folder / "run", steps=(1, 2), points=4, settings={"lr": 0.1, "more": {"a": [1, None]}})
    numbers = {"first": {"dse": [5.0, 0.1]}, "second": {"dse": [5.0, None]}}
    add_profile(folder / "run", 1, numbers, {"dse": {"second": 0.5}})
    add_profile(folder / "run", 2, numbers, {"dse": {"second": None}})
    write(folder / "log.csv", LOG)
    write(folder / "track.csv", TRACK)
    write(folder / "log.jsonl", '{"step": 1, "dse/a": 5.0}\n{"step": 2, "dse/a": null, "x": 1}\n')
    return folder


def outcome(path):
    """What becomes of a recording: "page", or what the refusal says, which has to name the file."""
    try:
        run = read_run(path)
    except (FileError, MemoryError) as error:
        return checked(str(error), path)
    text = page([run, run], run.title)
    report.remarks(run)
    report.differences([run, run])
    text.encode()
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL).group(1)
    json.loads(data)
    assert text.count("<script") == 2
    return "page"


def checked(refusal, path):
    """The message of a refusal, which a terminal can show."""
    assert path.name in refusal
    assert len(refusal) < 2000
    assert refusal.isprintable()
    assert not re.search(r"\w+Error:", refusal)  # of Python, in other words
    return refusal
