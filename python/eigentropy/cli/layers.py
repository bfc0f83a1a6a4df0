"""`eigentropy layers`: the layers of a language model, measured on prompts."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eigentropy._support.lifetime import version
from eigentropy._support.printable import encodable
from eigentropy._support.signatures import nearest
from eigentropy.cli import console, options
from eigentropy.cli.documents import plain
from eigentropy.cli.layers_options import LayersOptions, OutputPrefix
from eigentropy.cli.measurement_options import number_or_name, taken_apart
from eigentropy.cli.running import collected_warnings, write_figure
from eigentropy.io.paths import SUFFIXES, FileError, is_file_name, shown, split_key
from eigentropy.io.writing import require_new, write_atomically

if TYPE_CHECKING:
    from eigentropy.torch.layers.language_profile import LanguageProfile

# Of the files that are written: a prefix may be given with one of them.
ENDS = (".csv", ".png", ".html")

# What the command calls what messages of `profile` name.
_REPLACED = (
    (
        r"^texts is missing: .*",
        "TEXT is missing: name a file of prompts after MODEL; only a directory of hidden states "
        "needs none",
    ),
    (r"^texts is given, but (.*): leave texts out", r"TEXT is given, but \1: leave TEXT out"),
    (r"^views must be 2, or a list of other texts", "--views must be 2"),
    (r"leave (batch_size|max_length|offline) out", r"leave --\1 out"),
    (r"\b(scope|pooling|normalize)='(\w+)'", r"--\1 \2"),
    (r"\bviews=2\b(, or texts)?", "--views 2"),
    (r"\blayers=", "--layers "),
    (r" leave pooling out, or take\b", " leave --pooling out, or take"),
    (r"\btext=('[^']*') names one: leave text out, or take", r"--column \1 names one: take"),
    (r"; name the columns by TextFile\(path, text=, label=\)", "; see --column and --labels"),
    (r"\bTextFile\(label=\)", "--labels"),
    (r"\bpass labels, one a prompt", "pass --labels"),
    (r"\btokenizer=NAME_OR_FOLDER", "--tokenizer NAME_OR_FOLDER"),
    (r"^(scope|pooling|drop_first|normalize|measures|views|max_rows|max_length|batch_size|"
     r"offline|level|seed|layers|sigma|labels)(?=:? |:)", r"--\1"),
    (r"--(\w+)_(\w+)", r"--\1-\2"),
)  # fmt: skip


@taken_apart("chosen", LayersOptions)
def layers_command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A folder of a model, a name on the hub of Hugging Face, or a directory of hidden "
            "states, one .safetensors file a request, which needs no TEXT.",
        ),
    ],
    chosen: LayersOptions,
    text: Annotated[
        str | None,
        typer.Argument(
            metavar="TEXT",
            help="Prompts in UTF-8: one a line of a .txt, or a column of a .csv, .tsv or .jsonl.",
            show_default=False,
        ),
    ] = None,
    output: OutputPrefix = "layers",
    force: options.Force = False,
    title: options.Title = "Layers of a language model",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure every layer of a language model on prompts: table, CSV, figure and page.

    Example: eigentropy layers sentence-transformers/all-MiniLM-L6-v2 reviews.csv -o minilm
    """
    outputs = _outputs(output)
    for path in outputs:
        require_new(path, force)
    with collected_warnings(quiet) as warned, _words_of_options():
        profile = _profile(model, text, chosen, progress=not quiet)
    from eigentropy.report.layers_page import layers_page  # no other command needs it

    table, figure, page = outputs
    given = {"model": model, **({} if text is None else {"text": text}), **chosen.described()}
    given["pooling"] = profile.pooling  # the scope may leave no choice
    content = layers_page(profile, title, settings=given, remarks=[*profile.notes, *warned])
    drawn = write_figure(figure, lambda: _figure_png(profile), warned, quiet)
    write_atomically(page, content.encode(errors="backslashreplace"))
    write_atomically(table, _csv(profile).encode(errors="backslashreplace"))
    written = [shown(table), *([shown(figure)] if drawn else []), shown(page)]
    if as_json:
        document = _document(profile, given)
        console.print_json({**document, "written": written, "warnings": warned})
    else:
        console.print_lines(str(profile).splitlines())
        console.print_lines([f"written: {', '.join(written)}"])


def _outputs(prefix: str) -> list[Path]:
    end = next((end for end in ENDS if prefix.lower().endswith(end)), "")
    path = Path(prefix[: len(prefix) - len(end)])
    return [path.with_name(path.name + end) for end in ENDS]


def _profile(
    model: str, text: str | None, chosen: LayersOptions, *, progress: bool
) -> LanguageProfile:
    """What the options ask for, which are checked before the model is loaded."""
    from eigentropy.torch.features.texts import TextFile  # PyTorch takes its time
    from eigentropy.torch.layers.names import MEASURES, SCOPES
    from eigentropy.torch.layers.profile import profile
    from eigentropy.torch.layers.sources import refuse_adapter
    from eigentropy.torch.tokens.pooling import NORMALIZATIONS, TOKEN_POOLINGS

    refuse_adapter(model)
    _require_model(Path(model))
    _require_known("scope", chosen.scope, SCOPES)
    if chosen.pooling not in (None, "tokens"):  # which `profile` has a remedy for
        poolings = [one for one in TOKEN_POOLINGS if one != "tokens"]
        _require_known("pooling", chosen.pooling, poolings)
    _require_known("normalize", chosen.normalize, NORMALIZATIONS)
    measures = _listed(chosen.measures)
    for measure in measures or ():
        _require_known("measures", measure, MEASURES)
    texts = None
    labels, column = _labels(chosen.labels, text)
    if text is not None:
        texts = TextFile(text, text=chosen.column, label=column or "label")
    layers = _listed(chosen.layers)
    settings = {} if chosen.sigma is None else {"sigma": number_or_name(chosen.sigma)}
    return profile(
        model,
        texts,
        labels=labels,
        layers=None if layers is None else [_number_or_text(layer) for layer in layers],
        tokenizer=chosen.tokenizer,
        scope=chosen.scope,
        pooling=chosen.pooling,
        drop_first=chosen.drop_first,
        normalize=chosen.normalize,
        measures=measures,
        views=chosen.views,
        max_rows=chosen.max_rows,
        batch_size=chosen.batch_size,
        max_length=chosen.max_length,
        sampling=not chosen.no_sampling_error,
        level=chosen.level,
        seed=chosen.seed,
        offline=chosen.offline,
        progress=progress,
        **settings,
    )


def _labels(given: str | None, text: str | None) -> tuple[Any, str | None]:
    """What `--labels` means: the labels of a file, or the name of a column of TEXT.

    Raises
    ------
    ValueError
        A file that cannot be read, or a column where TEXT has none.
    """
    if given is None:
        return None, None
    if is_file_name(given) or split_key(given, None)[0].is_file():
        from eigentropy.io.files import read_labels

        return read_labels(given), None
    if text is None or Path(text).suffix.lower() == ".txt":
        there = "there is no TEXT that" if text is None else f"{shown(Path(text))}, one text a line"
        raise ValueError(
            f"--labels {given!r} is no file that is there, and no column, which {there} could "
            f"have: name a file of labels, one a prompt, of the kinds {', '.join(SUFFIXES)}"
        )
    return None, given


def _require_model(folder: Path) -> None:
    """Refuse a directory that is neither of the two kinds that there are."""
    is_known = (folder / "config.json").exists() or any(folder.glob("*.safetensors"))
    if folder.is_dir() and not is_known:
        raise FileError(
            f"{shown(folder)} is neither the folder of a model, which has config.json, nor a "
            "directory of hidden states, one .safetensors file a request"
        )


def _require_known(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        meant = nearest(value, known)
        raise ValueError(
            f"--{name} must be one of {', '.join(known)}, got {value!r}"
            + (f": the nearest is {meant!r}" if meant else "")
        )


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _number_or_text(layer: str) -> int | str:
    return int(layer) if re.fullmatch(r"-?\d+", layer) else layer


@contextmanager
def _words_of_options() -> Iterator[None]:
    """Let errors about arguments of `profile` name options."""
    try:
        yield
    except (ValueError, TypeError) as error:
        said = str(error)
        for pattern, words in _REPLACED:
            said = re.sub(pattern, words, said)
        if said == str(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(said) from error


def _csv(profile: LanguageProfile) -> str:
    """One line a layer; what is not known is empty."""
    rows = profile.to_rows()
    if profile.same_prompt:
        for row in rows:
            row["same_prompt"] = profile.same_prompt.get(row["layer"])
            row["same_prompt_by_chance"] = profile.same_prompt_by_chance
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """As JSON would write it, and nothing for what is not known."""
    known = plain(value)
    return "" if known is None else str(known).lower() if isinstance(known, bool) else known


def _figure_png(profile: LanguageProfile) -> bytes:
    """The panels of all measures, as a PNG.

    Raises
    ------
    ImportError
        matplotlib is missing.
    """
    from eigentropy.plot.layer_panels import layer_panels
    from eigentropy.plot.style import require_matplotlib

    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=150, layout="constrained")
    FigureCanvasAgg(figure)  # Agg draws without a display
    layer_panels(profile, figure=figure)
    title = f"{profile.short_model}: {profile.prompts} prompts\n{profile.about_rows}"
    figure.suptitle(encodable(title), fontsize="medium", parse_math=False)
    png = io.BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()


def _document(profile: LanguageProfile, settings: dict[str, str]) -> dict[str, Any]:
    """List all that a profile has found."""
    names = ("model", "scope", "pooling", "normalize", "drop_first", "prompts", "tokens", "n")
    known = {name: getattr(profile, name) for name in (*names, "level", "units")}
    shares = {"same_prompt": profile.same_prompt, "by_chance": profile.same_prompt_by_chance}
    return {
        "eigentropy": version(),
        "command": "layers",
        **known,
        "layers": profile.to_rows(),
        "ties": {measure: profile.ties(measure) for measure in profile.measures},
        "same_prompt": shares if profile.same_prompt else None,
        "notes": profile.notes,
        "settings": settings,
    }
