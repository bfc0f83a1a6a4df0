"""Whatever a layer returns, training goes on: it is measured, or a notice says why it is not."""

from __future__ import annotations

import dataclasses
import warnings
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

from torch.masked import masked_tensor

import eigentropy as eg
from eigentropy.torch import Evaluation, Monitor, Probe, Reservoir
from eigentropy.torch.monitoring.rows import UNUSABLE, NoRows, RowRule, is_matrix, rows_of
from messages import names, naming

nn = torch.nn

N = 24
# PyTorch says of some of its kinds of tensors that they are prototypes, or old.
pytestmark = pytest.mark.filterwarnings("ignore:.*(nested|quant|Sparse|Masked).*")


class Returns(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.what = what

    def forward(self, x):
        return self.what(x)


class Beside(nn.Module):
    """A layer that returns anything, beside two as usual, which are trained."""

    def __init__(self, what):
        super().__init__()
        self.before, self.odd, self.after = nn.Linear(4, 6), Returns(what), nn.Linear(6, 3)

    def forward(self, x):
        h = self.before(x)
        self.odd(h)
        return self.after(h)


@dataclasses.dataclass
class Output:
    name: str
    hidden: torch.Tensor


class Pair(NamedTuple):
    number: int
    hidden: torch.Tensor


def ragged(h, layout):
    """Each sample with its own number of tokens, of which the first is the row itself."""
    parts = [torch.stack([row + k for k in range(1 + i % 3)]) for i, row in enumerate(h.detach())]
    return torch.nested.nested_tensor(parts, layout=layout)


def same(h):
    return h


def shifted(h):
    """The means over the tokens of `ragged`."""
    means = [row + np.arange(1 + i % 3).mean() for i, row in enumerate(h)]
    return torch.stack(means)


MEASURED = {
    "tuple": (lambda h: (h, 3), "flatten", same),
    "tuple that begins with nothing": (lambda h: (None, (), h), "flatten", same),
    "named tuple": (lambda h: Pair(3, h), "flatten", same),
    "dictionary": (lambda h: OrderedDict(loss=h.sum(), logits=h), "flatten", same),
    "dataclass": (lambda h: Output("odd", h), "flatten", same),
    "vector": (lambda h: h[:, 0], "flatten", lambda h: h[:, :1]),
    "integers": (lambda h: (h * 2**30).long(), "flatten", lambda h: (h * 2**30).long().double()),
    "booleans": (lambda h: h > 0, "flatten", lambda h: (h > 0).double()),
    "half precision": (lambda h: h.bfloat16(), "flatten", lambda h: h.bfloat16().float()),
    "eight bits": (
        lambda h: h.to(torch.float8_e4m3fn),
        "flatten",
        lambda h: h.to(torch.float8_e4m3fn).float(),
    ),
    "sparse": (lambda h: h.relu().to_sparse(), "flatten", lambda h: h.relu()),
    "sparse rows": (lambda h: h.relu().to_sparse_csr(), "flatten", lambda h: h.relu()),
    "quantised": (
        lambda h: torch.quantize_per_tensor(h.detach(), 0.1, 0, torch.qint8),
        "flatten",
        lambda h: torch.quantize_per_tensor(h, 0.1, 0, torch.qint8).dequantize(),
    ),
    "nested, first tokens": (lambda h: ragged(h, torch.strided), "first", same),
    "jagged, first tokens": (lambda h: ragged(h, torch.jagged), "first", same),
    "nested, means": (lambda h: ragged(h, torch.strided), "mean", shifted),
    "jagged, means": (lambda h: ragged(h, torch.jagged), "mean", shifted),
    "jagged, all": (
        lambda h: ragged(h, torch.jagged),
        "flatten",
        lambda h: ragged(h, torch.strided).to_padded_tensor(0.0).flatten(1),
    ),
    "jagged, by a function": (
        lambda h: ragged(h, torch.jagged),
        lambda z: z.amin(dim=1),
        same,
    ),
    "complex, by a function": (
        lambda h: torch.complex(h, 2 * h),
        lambda z: torch.view_as_real(z).flatten(1),
        lambda h: torch.stack([h, 2 * h], dim=2).flatten(1),
    ),
    "masked nowhere": (lambda h: masked_tensor(h.detach(), h.detach() == h), "flatten", same),
    "masked, filled by a function": (
        lambda h: masked_tensor(h.detach(), h.detach() > 0),
        lambda z: z.to_tensor(0.5).flatten(1),
        lambda h: torch.where(h > 0, h, 0.5),
    ),
    "not contiguous": (lambda h: h.T.contiguous().T, "flatten", same),
    "inference": (lambda h: torch.inference_mode()(lambda: h.clone())(), "flatten", same),
    "nested vectors": (
        lambda h: torch.nested.nested_tensor(
            [row[: 3 + i % 3] for i, row in enumerate(h.detach())]
        ),
        "flatten",
        lambda h: torch.where(torch.arange(5) < 3 + torch.arange(N)[:, None] % 3, h[:, :5], 0.0),
    ),
    "in another library's layout": (lambda h: h.detach().to_mkldnn(), "flatten", same),
    "with a graph": (
        lambda h: torch.enable_grad()(lambda: h.detach().requires_grad_() * 1.0)(),
        "flatten",
        same,
    ),
}

LEFT_OUT = {
    "nothing": (lambda h: None, ["NoneType"]),
    "a number": (lambda h: 3, ["int"]),
    "one number": (lambda h: h.sum(), ["one number"]),
    "text": (lambda h: ["a", {"b": 1}], ["list"]),
    "complex": (lambda h: torch.complex(h, h), ["complex", "torch.complex64", "view_as_real"]),
    "masked": (
        lambda h: masked_tensor(h.detach(), torch.arange(h.numel()).reshape(h.shape) > 4),
        [f"5 of its {6 * N}", "masked", "to_tensor"],
    ),
    "other rows": (lambda h: torch.cat([h, h]), [f"({2 * N}, 6)", N]),
    "no rows": (lambda h: h[:0], ["(0, 6)", N]),
    "no columns": (lambda h: h[:, :0], [f"({N}, 0)"]),
    "meta": (lambda h: h.to("meta"), ["meta"]),
    "negated in name only": (lambda h: torch.complex(h, h).conj().imag, ["negative"]),
    "packed": (
        lambda h: nn.utils.rnn.pack_sequence([h[:3], h[:2]]),
        ["(5, 6)", N],
    ),
}


def trained(model, source, layers, pooling="flatten"):
    """Two steps of training with a monitor: the values at the second, and all that was said."""
    evaluated = isinstance(source, Evaluation)
    x = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    weights = model.after.weight.detach().clone()
    with (
        Monitor(model, layers, source, measures="dse", pooling=pooling) as monitor,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        for _ in range(2):
            optimizer.zero_grad()
            model.train()(x).sum().backward()
            if evaluated:
                with torch.no_grad():
                    model.eval()(x)
                monitor.collect()
            with torch.no_grad():
                h = model.before(x)
            values = monitor.step()
            optimizer.step()
    assert not torch.equal(weights, model.after.weight)
    return values, h, [str(w.message) for w in caught if "layer" in str(w.message)]


SOURCES = [
    Reservoir(100),
    Evaluation(100),
    Probe(torch.randn(N, 4, generator=torch.Generator().manual_seed(0))),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
@pytest.mark.parametrize(("what", "pooling", "rows"), MEASURED.values(), ids=MEASURED)
def test_what_can_be_rows_is_measured(what, pooling, rows, source):
    torch.manual_seed(0)
    values, h, notices = trained(Beside(what), source, "odd", pooling)
    assert values["dse/odd"] == pytest.approx(float(eg.dse(rows(h))), abs=1e-5)
    assert notices == []


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
@pytest.mark.parametrize(("what", "words"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_what_cannot_be_rows_is_left_out_with_a_notice(what, words, source):
    torch.manual_seed(0)
    values, _, notices = trained(Beside(what), source, "*")
    assert set(values) == {"dse/before", "dse/after"}
    assert len(notices) == 1  # of two steps
    assert names(notices[0], "layer 'odd'", "step 1", UNUSABLE, *words)


@given(arrays.arrays(bool, (N, 6)))
@settings(deadline=None)
def test_no_mask_of_an_activation_is_lost(mask):
    h = torch.arange(6.0 * N).reshape(N, 6)
    activation, rule = masked_tensor(h, torch.from_numpy(~mask)), RowRule("flatten")
    if mask.any():
        with pytest.raises(NoRows, match=naming(mask.sum(), 6 * N, "masked")):
            rows_of(activation, rule, None)
    else:
        assert torch.equal(rows_of(activation, rule, None).rows, h)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_matrix_of_floats_is_rows_as_it_is(dtype):
    matrix = torch.ones(3, 2, dtype=dtype)
    assert is_matrix(matrix)
    assert rows_of(matrix, RowRule("flatten"), 3).rows is matrix


OTHERS = {
    "nothing": lambda matrix: None,
    "an array": lambda matrix: matrix.numpy(),
    "tuple": lambda matrix: (matrix,),
    "vector": lambda matrix: matrix[0],
    "three dimensions": lambda matrix: matrix[None],
    "half precision": lambda matrix: matrix.half(),
    "integers": lambda matrix: matrix.int(),
    "complex": lambda matrix: matrix + 1j,
    "meta": lambda matrix: matrix.to("meta"),
    "sparse": lambda matrix: matrix.to_sparse(),
    "with a graph": lambda matrix: matrix.clone().requires_grad_(),
    "parameter": lambda matrix: nn.Parameter(matrix, requires_grad=False),
    "quantised": lambda matrix: torch.quantize_per_tensor(matrix, 0.1, 0, torch.qint8),
    "nested": lambda matrix: torch.nested.nested_tensor([matrix[0], matrix[1, :1]]),
    "masked": lambda matrix: masked_tensor(matrix, matrix > 0),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_nothing_else_is_a_matrix_of_floats(other):
    assert not is_matrix(other(torch.ones(3, 2)))


def test_a_pooling_may_change_its_argument_in_place():
    shapes = []
    model = nn.Sequential(nn.Linear(4, 6), Returns(lambda h: shapes.append(tuple(h.shape)) or h))
    pooling = lambda z: z.unsqueeze_(1).flatten(1)  # noqa: E731
    Monitor(model, "0", Probe(torch.randn(N, 4)), pooling=pooling).measure()
    assert shapes == [(N, 6)]


class WithGraph(nn.Module):
    """As a model of energies does, whose forces are gradients."""

    def __init__(self):
        super().__init__()
        self.inside = nn.Linear(4, 6)

    def forward(self, x):
        with torch.enable_grad():
            return self.inside(x).detach()


def test_a_pooling_with_weights_builds_no_graph_inside_of_a_part_that_has_one():
    torch.manual_seed(0)
    model, pooling, x = WithGraph(), nn.Linear(6, 2), torch.randn(N, 4)
    values = Monitor(model, "inside", Probe(x), pooling=pooling).measure()
    assert values["dse/inside"] == pytest.approx(
        float(eg.dse(pooling(model(x)).detach())), abs=1e-5
    )


def test_a_layer_that_recovers_is_measured_again():
    outputs = iter([lambda h: None, same])
    values, h, notices = trained(Beside(lambda h: next(outputs)(h)), Reservoir(100), "odd")
    assert len(notices) == 1
    assert values["dse/odd"] == pytest.approx(float(eg.dse(h)), abs=1e-5)


class Narrower(nn.Module):
    """Each time by a column, as texts that are padded to the longest of a batch."""

    def __init__(self):
        super().__init__()
        self.inside, self.width = nn.Identity(), 4

    def forward(self, x):
        self.width -= 1
        return self.inside(x[:, : self.width + 1])


@pytest.mark.parametrize("source", [*SOURCES[:2], Probe(torch.randn(N, 4), batch_size=N // 2)])
def test_rows_of_different_lengths_are_left_out_with_a_notice(source):
    """What is missing is no zero."""
    model = Narrower().train(isinstance(source, Reservoir))
    with Monitor(model, "inside", source, every=3, measures="dse") as monitor:
        if not isinstance(source, Probe):
            for _ in range(2):
                model(torch.randn(N, 4))
                if isinstance(source, Evaluation):
                    monitor.collect()
                else:
                    monitor.step()
        with pytest.warns(UserWarning, match=naming("'inside'", UNUSABLE, 4, 3, "pooling")):
            assert monitor.measure() == {}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, x, mask):
        return self.encoder(x, src_key_padding_mask=mask)


@pytest.mark.parametrize("pooling", ["mean", "first", "flatten"])
def test_the_fast_path_of_a_transformer_is_measured_on_its_real_tokens(pooling):
    """Its layers return nested tensors; without gradients and in evaluation mode."""
    torch.manual_seed(0)
    model, x = Encoder().eval(), torch.randn(40, 6, 8)
    lengths = 1 + torch.arange(40) % 6
    mask = torch.arange(6) >= lengths[:, None]
    with torch.no_grad():  # each text by itself, without padding
        texts = [
            model.encoder.layers[0](row[None, :length])[0]
            for row, length in zip(x, lengths.tolist(), strict=True)
        ]
    by_hand = {
        "mean": [text.mean(dim=0) for text in texts],
        "first": [text[0] for text in texts],
        "flatten": [nn.functional.pad(text, (0, 0, 0, 6 - len(text))).flatten() for text in texts],
    }[pooling]
    values = Monitor(model, "encoder.layers.0", Probe([x, mask]), pooling=pooling).measure()
    expected = float(eg.dse(torch.stack(by_hand)))
    assert values["dse/encoder.layers.0"] == pytest.approx(expected, abs=1e-4)


def test_a_nested_probe_is_refused():
    for layout in (torch.strided, torch.jagged):
        with pytest.raises(TypeError, match=naming("probe", "nested", "padded")):
            Probe(ragged(torch.randn(6, 4), layout))


# ---- Inference mode -----------------------------------------------------------------------------


@pytest.mark.parametrize("inside", [True, False])
def test_buffers_of_inference_mode_are_restored(inside):
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(4, 6), Counts())
        x = torch.randn(N, 4)
    before = model[1].calls.clone()
    with torch.inference_mode(inside):
        values = Monitor(model, "*", Probe(x)).measure()
    assert set(values) == {"dse/0", "dse/1"}
    assert torch.equal(model[1].calls, before)


class Counts(nn.Module):
    """As a running mean is kept."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        with torch.inference_mode(self.calls.is_inference()):
            self.calls += 1
        return x


def test_an_evaluation_in_inference_mode_is_measured():
    model, x = nn.Sequential(nn.Linear(4, 6)), torch.randn(N, 4)
    with Monitor(model, "0", Evaluation(100)) as monitor:
        with torch.inference_mode():
            Z = model.eval()(x)
            monitor.collect(torch.arange(N) % 2)
        values = monitor.step()
    assert values["dse/0"] == pytest.approx(float(eg.dse(Z)), abs=1e-5)
