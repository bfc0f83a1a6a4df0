"""eigentropy.compat.npeet beside the package that it stands in for, and beside plain loops.

NPEET takes part where Python finds it (PYTHONPATH=path/to/NPEET): its package on PyPI is none. The
values that it gave are kept here.
"""

from __future__ import annotations

import inspect
import io
import math
import random
import re
import runpy
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eigentropy.baselines import densities, discrete, ksg
from eigentropy.compat import npeet as ours
from messages import naming

FUNCTIONS = ours.__all__


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("npeet.entropy_estimators")


def seeded(function, *args, seed=7, **options):
    """The value, and what the global state gives after it."""
    np.random.seed(seed)
    value = function(*args, **options)
    return value, np.random.random()


def samples(n=60):
    """Multiples of square roots, modulo 1: spread evenly, without a random number."""
    i = np.arange(1, n + 1) ** 3
    u = np.stack([math.sqrt(root) * i % 1 for root in (2, 3, 5, 7, 11)], axis=1)
    X = np.stack([u[:, 0], u[:, 0] + 0.3 * u[:, 1], u[:, 2]], axis=1)
    Y = np.stack([u[:, 0] + 0.2 * u[:, 3], u[:, 3] * u[:, 1]], axis=1)
    D = (u[:, :3] * [3, 2, 4]).astype(int)
    E = ((D[:, :1] + (u[:, 3:4] * 1.6).astype(int)) % 3).astype(int)
    return X, Y, u[:, 4:], D, E


def calls(n=60):
    """The arguments and options of each function: a name, and what is special about the call."""
    X, Y, Z, D, E = samples(n)
    return {
        "entropy": ((X,), {}),
        "entropy k=1, base=10": ((X, 1, 10), {}),
        "centropy": ((X, Y), {}),
        "tc": ((X,), {}),
        "ctc": ((X, Y), {}),
        "corex": ((X, Y), {}),
        "mi": ((X, Y), {}),
        "mi z": ((X, Y, Z), {"k": 5, "base": math.e}),
        "mi alpha": ((X[:, :1], Y[:, :1]), {"alpha": 0.25}),
        "mi flat lists": ((X[:, 0].tolist(), Y[:, 0].tolist()), {}),
        "mi rounded": ((np.round(X, 1), np.round(Y, 1)), {}),
        "mi labels": ((X, D[:, 0]), {}),
        "cmi": ((X, Y, Z), {}),
        "kldiv": ((X, 0.8 * X[:40] + 0.1), {}),
        "entropyd": ((D,), {}),
        "midd": ((D, E), {}),
        "cmidd": ((D[:, 0], E[:, 0], D[:, 1]), {"base": math.e}),
        "centropyd": ((D, E), {}),
        "tcd": ((D,), {}),
        "ctcd": ((D, E), {}),
        "corexd": ((D, E), {}),
        "micd": ((X, E), {}),
        "midc": ((E, X), {"k": 2, "base": 10}),
        "centropycd": ((X, E), {}),
        "centropydc": ((E, X), {"base": 3}),
        "ctcdc": ((D[:, :2], Y), {"warning": False}),
        "ctccd": ((Y, D[:, :2]), {"k": 2, "warning": False}),
        "corexcd": ((Y, D[:, :2]), {"warning": False}),
        "corexdc": ((D[:, :2], Y), {"warning": False}),
    }


# What NPEET 1.0.1 gives after numpy.random.seed(7), and shuffle_test of mi with ns=20, ci=0.9.
NPEET = {
    "entropy": -0.6025354437901218,
    "entropy k=1, base=10": -0.2198668649970768,
    "centropy": -1.6231399537005677,
    "tc": 1.0620453813457686,
    "ctc": -1.2612839741825153,
    "corex": 1.8848948720000458,
    "mi": 1.275134356258879,
    "mi z": 0.5866123492936266,
    "mi alpha": 2.3696928452654,
    "mi flat lists": 2.131715547202113,
    "mi rounded": 1.0941902405693529,
    "mi labels": 1.2637723776855518,
    "cmi": 0.9752448890412302,
    "kldiv": -0.46029338077796345,
    "entropyd": 4.281076011914607,
    "midd": 0.8331210360930967,
    "cmidd": 0.3870289649479006,
    "centropyd": 3.44795497582151,
    "tcd": 0.14217210892229293,
    "ctcd": 0.3684522002714443,
    "corexd": -0.22628009134915095,
    "micd": 0.1774746371120598,
    "midc": 0.06782969739639055,
    "centropycd": -0.8244028456264267,
    "centropydc": -0.7145094726812842,
    "ctcdc": 0.04325108005225031,
    "ctccd": 0.016217546593826127,
    "corexcd": -0.03491803041531982,
    "corexdc": -0.03491803041531982,
}
NPEET_SHUFFLED = (0.0030973276448211643, (-0.12947704657127834, 0.23546056989424444))


def value_of(call, module=ours):
    args, options = calls()[call]
    return seeded(getattr(module, call.split()[0]), *args, **options)


# ---- NPEET's names, and its values -------------------------------------------------------------


# Names and defaults as NPEET has them, in its order.
CONTINUOUS = {"k": 3, "base": 2}
MIXED = {**CONTINUOUS, "warning": True}
SIGNATURES = {
    "entropy": (["x"], CONTINUOUS),
    "centropy": (["x", "y"], CONTINUOUS),
    "tc": (["xs"], CONTINUOUS),
    "ctc": (["xs", "y"], CONTINUOUS),
    "corex": (["xs", "ys"], CONTINUOUS),
    "mi": (["x", "y"], {"z": None, **CONTINUOUS, "alpha": 0}),
    "cmi": (["x", "y", "z"], CONTINUOUS),
    "kldiv": (["x", "xp"], CONTINUOUS),
    "entropyd": (["sx"], {"base": 2}),
    "midd": (["x", "y"], {"base": 2}),
    "cmidd": (["x", "y", "z"], {"base": 2}),
    "centropyd": (["x", "y"], {"base": 2}),
    "tcd": (["xs"], {"base": 2}),
    "ctcd": (["xs", "y"], {"base": 2}),
    "corexd": (["xs", "ys"], {"base": 2}),
    "micd": (["x", "y"], MIXED),
    "midc": (["x", "y"], MIXED),
    "centropycd": (["x", "y"], MIXED),
    "centropydc": (["x", "y"], MIXED),
    "ctcdc": (["xs", "y"], MIXED),
    "ctccd": (["xs", "y"], MIXED),
    "corexcd": (["xs", "ys"], MIXED),
    "corexdc": (["xs", "ys"], MIXED),
    "shuffle_test": (["measure", "x", "y"], {"z": False, "ns": 200, "ci": 0.95}),
}


def parameters(function):
    found = inspect.signature(function).parameters.values()
    return [(p.name, p.default) for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]


def test_all_of_the_24_functions_are_offered():
    assert sorted(FUNCTIONS) == FUNCTIONS == sorted(SIGNATURES)
    assert len(FUNCTIONS) == 24


@pytest.mark.parametrize("function", FUNCTIONS)
def test_arguments_have_npeets_names_order_and_defaults(function):
    required, optional = SIGNATURES[function]
    empty = inspect.Parameter.empty
    expected = [(name, empty) for name in required] + list(optional.items())
    assert parameters(getattr(ours, function)) == expected


@pytest.mark.parametrize("function", FUNCTIONS)
def test_npeet_itself_has_these_arguments(function, peer):
    expected = inspect.signature(getattr(peer, function)).parameters.values()
    actual = inspect.signature(getattr(ours, function)).parameters.values()
    assert [(p.name, p.default, p.kind) for p in actual] == [
        (p.name, p.default, p.kind) for p in expected
    ]


@pytest.mark.parametrize("call", NPEET)
def test_values_are_those_of_npeet_for_the_same_global_seed(call):
    assert value_of(call)[0] == pytest.approx(NPEET[call], abs=1e-9)


def test_every_function_was_called():
    assert {call.split()[0] for call in NPEET} | {"shuffle_test"} == set(FUNCTIONS)
    assert set(NPEET) == set(calls())


@pytest.mark.parametrize("call", NPEET)
def test_npeet_itself_gives_the_same_and_leaves_the_same_state(call, peer):
    found, state = value_of(call)
    expected, expected_state = value_of(call, peer)
    assert found == pytest.approx(expected, abs=1e-9)
    assert state == expected_state


def test_shuffled_values_are_those_of_npeet():
    X, Y = calls()["mi"][0]
    mean, interval = seeded(ours.shuffle_test, ours.mi, X, Y, ns=20, ci=0.9)[0]
    assert (mean, *interval) == pytest.approx((NPEET_SHUFFLED[0], *NPEET_SHUFFLED[1]), abs=1e-9)


def test_an_interval_of_nearly_all_values_ends_at_the_largest():
    X, Y = calls()["mi"][0]
    values = iter(range(200))
    _, interval = ours.shuffle_test(lambda x, y: next(values), X, Y, ci=math.nextafter(1.0, 0.0))
    assert interval == (0, 199)


def test_a_third_variable_and_options_reach_the_shuffled_measure():
    X, Y, Z = calls()["cmi"][0]
    values = []

    def measure(x, y, z, k):
        values.append(ours.cmi(x, y, z, k=k))
        return values[-1]

    mean, (low, high) = ours.shuffle_test(measure, X, Y, Z, ns=10, ci=0.5, k=4)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == (sorted(values)[2], sorted(values)[7])


@pytest.mark.parametrize("seed", range(4))
def test_npeet_gives_the_same_at_any_scale_and_with_any_ties(seed, peer):
    rng = np.random.default_rng(seed)
    n, scale = int(rng.integers(30, 150)), 10.0 ** rng.integers(-4, 5)
    X = np.round(rng.normal(size=(n, 2)), int(rng.integers(0, 4))) * scale
    Y, Z = X[:, :1] + np.round(scale * rng.normal(size=(n, 1)), 1), rng.integers(0, 3, size=(n, 1))
    labels = rng.integers(0, 5, size=(n, 1))
    for name, args in {
        "mi": (X, Y), "cmi": (X, Y, Z), "corex": (X, Y), "entropy": (X,), "ctc": (X, Y),
        "micd": (X, labels), "centropycd": (X, labels),
    }.items():  # fmt: skip
        found, expected = (seeded(getattr(m, name), *args) for m in (ours, peer))
        assert found[0] == pytest.approx(expected[0], abs=1e-9), name
        assert found[1] == expected[1], name


def numbers(text):
    plain = re.sub(r"np\.float64\(([^)]*)\)", r"\1", text)
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[-+]\d+)?", plain)]


@pytest.mark.slow
def test_npeets_own_tests_print_the_same_with_one_import_changed(peer, tmp_path):
    script = Path(peer.__file__).parents[1] / "tests" / "test_npeet.py"
    if not script.exists():
        pytest.skip("NPEET's own tests are in its sources only")
    source, printed = script.read_text(), []
    line = "from npeet import entropy_estimators as ee"
    assert source.count(line) == 1
    for imported in (line, "from eigentropy.compat import npeet as ee"):
        program, out = tmp_path / "program.py", io.StringIO()
        program.write_text(source.replace(line, imported))
        random.seed(1)
        np.random.seed(1)
        with redirect_stdout(out):
            runpy.run_path(str(program))
        printed.append(numbers(out.getvalue()))
    assert len(printed[0]) > 100
    assert printed[1] == pytest.approx(printed[0], abs=1e-9)


# ---- The formulas, in plain loops, with noise from a generator of the same seed ----------------


def psi(m):
    return -np.euler_gamma + sum(1.0 / i for i in range(1, int(m)))


def noisy(generator, V):
    return V + 1e-10 * generator.random_sample(V.shape)


def distances(V):
    return np.abs(V[:, None] - V[None]).max(axis=2)


def radius(V, k):
    return np.sort(distances(V), axis=1)[:, k]


def loop_entropy(generator, V, k):
    n, d = V.shape
    logs = [math.log(r) for r in radius(noisy(generator, V), k)]
    return psi(n) - psi(k) + d * math.log(2) + d * sum(logs) / n


def loop_information(generator, X, Y, k, Z=None):
    X, Y = noisy(generator, X), noisy(generator, Y)
    known = np.zeros((len(X), 0)) if Z is None else Z
    spaces = [np.hstack([X, known]), np.hstack([Y, known])]
    reach = radius(np.hstack([X, Y, known]), k) - 1e-15

    def mean_psi(V):
        return np.mean([psi(count) for count in (distances(V) <= reach[:, None]).sum(axis=1)])

    rest = psi(len(X)) if Z is None else mean_psi(Z)
    return psi(k) + rest - mean_psi(spaces[0]) - mean_psi(spaces[1])


def loop_micd(generator, X, labels, k):
    whole = loop_entropy(generator, X, k)
    left = 0.0
    for label in sorted(set(map(tuple, labels.tolist()))):
        group = X[(labels == label).all(axis=1)]
        few = len(group) <= k
        left += len(group) / len(X) * (whole if few else loop_entropy(generator, group, k))
    return whole, abs(whole - left)


def shannon(*columns):
    counts = Counter(map(tuple, np.column_stack(columns).tolist()))
    n = sum(counts.values())
    return -sum(c / n * math.log(c / n) for c in counts.values())


@pytest.mark.parametrize("k", [1, 3])
def test_continuous_values_are_those_of_the_loops(k):
    X, Y, Z, _, _ = samples(30)

    def h(generator, *parts):
        return loop_entropy(generator, np.hstack(parts), k)

    def columns(V):
        return [V[:, c : c + 1] for c in range(V.shape[1])]

    def loops(g):
        return {
            "entropy": lambda: h(g, X),
            "centropy": lambda: h(g, X, Y) - h(g, Y),
            "tc": lambda: sum(h(g, x) for x in columns(X)) - h(g, X),
            "ctc": lambda: sum(h(g, x, Y) - h(g, Y) for x in columns(X)) - (h(g, X, Y) - h(g, Y)),
            "corex": lambda: (
                sum(loop_information(g, x, Y, k) for x in columns(X)) - loop_information(g, X, Y, k)
            ),
            "mi": lambda: loop_information(g, X, Y, k),
            "cmi": lambda: loop_information(g, X, Y, k, Z),
        }

    arguments = {"entropy": (X,), "tc": (X,), "cmi": (X, Y, Z)}
    for name in loops(None):
        expected = loops(np.random.RandomState(7))[name]()
        found, _ = seeded(getattr(ours, name), *arguments.get(name, (X, Y)), k=k, base=math.e)
        assert found == pytest.approx(expected, abs=1e-10), name


def test_mixed_values_are_those_of_the_loops():
    X, Y, _, D, E = samples(60)

    def left(generator, V, labels):
        """h(V) with as many neighbours as the base, less the information."""
        return loop_entropy(generator, V, 2) / math.log(2) - (
            loop_micd(generator, V, labels, 3)[1] / math.log(2)
        )

    def sums(generator):
        return (
            left(generator, Y, D[:, :1])
            + left(generator, Y, D[:, 1:2])
            - left(generator, Y, D[:, :2])
        )

    state = np.random.RandomState
    total = (shannon(D[:, 0]) + shannon(D[:, 1]) - shannon(D[:, :2])) / math.log(2)
    expected = {
        "micd": loop_micd(state(7), X, E, 3)[1] / math.log(2),
        "centropycd": left(state(7), X, E),
        "ctcdc": sums(state(7)),
        "corexdc": total - sums(state(7)),
    }
    for call, value in expected.items():
        assert value_of(call)[0] == pytest.approx(value, abs=1e-10), call


def test_discrete_values_are_those_of_the_loops():
    _, _, _, D, E = samples(60)
    a, b, c = D.T
    h, e = shannon, E[:, 0]
    given_e = h(a, e) + h(b, e) + h(c, e) - 3 * h(e) - (h(D, e) - h(e))
    total = h(a) + h(b) + h(c) - h(D)
    expected = {
        "entropyd": h(D),
        "midd": h(D) + h(e) - h(D, e),
        "centropyd": h(D, e) - h(e),
        "tcd": total,
        "ctcd": given_e,
        "corexd": total - given_e,
    }
    for call, value in expected.items():
        assert value_of(call)[0] * math.log(2) == pytest.approx(value, abs=1e-12), call
    cmi = h(a, b) + h(e, b) - h(a, e, b) - h(b)
    assert ours.cmidd(a, e, b, base=math.e) == pytest.approx(cmi, abs=1e-12)


# ---- Closed forms ------------------------------------------------------------------------------


def test_gaussians_have_the_values_of_their_determinants():
    rng = np.random.default_rng(0)
    C = np.array([[2.0, 0.8, 0.5], [0.8, 1.0, 0.4], [0.5, 0.4, 1.5]])
    P = rng.multivariate_normal(np.zeros(3), C, 4000)
    x, y, z = P[:, :1], P[:, 1:2], P[:, 2:]

    def h(*columns):
        return 0.5 * math.log(np.linalg.det(2 * math.pi * math.e * C[np.ix_(columns, columns)]))

    expected = {
        "entropy": ((P,), h(0, 1, 2)),
        "centropy": ((x, y), h(0, 1) - h(1)),
        "mi": ((x, y), h(0) + h(1) - h(0, 1)),
        "cmi": ((x, y, z), h(0, 2) + h(1, 2) - h(0, 1, 2) - h(2)),
        "tc": ((P,), h(0) + h(1) + h(2) - h(0, 1, 2)),
        "kldiv": ((x, x[::-1] + 0.5), 0.5**2 / (2 * C[0, 0])),
    }
    for name, (arguments, value) in expected.items():
        found = getattr(ours, name)(*arguments, base=math.e)
        assert found == pytest.approx(value, abs=0.08), name


def test_two_bits_and_their_exclusive_or():
    x, y = [0, 0, 1, 1], [0, 1, 0, 1]
    xor = [0, 1, 1, 0]
    assert ours.entropyd(x) == pytest.approx(1.0)
    assert ours.midd(x, xor) == pytest.approx(0.0, abs=1e-12)
    assert ours.cmidd(x, y, xor) == pytest.approx(1.0)


def test_labels_of_separate_groups_are_worth_their_entropy():
    labels = np.arange(1200)[:, None] % 4
    x = np.random.default_rng(0).uniform(size=(1200, 2)) + 10 * labels
    assert ours.micd(x, labels) == pytest.approx(2.0, abs=0.15)


# ---- The functions of baselines that stand behind it -------------------------------------------


def test_without_noise_each_is_its_function_of_baselines(monkeypatch):
    monkeypatch.setattr(ours, "add_noise", lambda x: x)
    X, Y, Z, D, E = samples()
    exact = {"jitter": 0}
    margin = {"jitter": 0, "margin": 1e-15}
    left = densities.discrete_conditional_entropy(X, E, **exact)
    pairs = {
        "entropy": ksg.entropy(X, **exact),
        "centropy": densities.conditional_entropy(X, Y, **exact),
        "tc": densities.total_correlation(X, **exact),
        "ctc": densities.conditional_total_correlation(X, Y, **exact),
        "corex": densities.correlation_explanation(X, Y, **exact),
        "mi": ksg.mutual_information(X, Y, **margin),
        "cmi": ksg.conditional_mutual_information(X, Y, Z, **margin),
        "kldiv": densities.divergence(*calls()["kldiv"][0], **exact),
        "entropyd": discrete.entropy(D),
        "midd": discrete.mutual_information(D, E),
        "centropyd": discrete.conditional_entropy(D, E),
        "tcd": discrete.total_correlation(D),
        "ctcd": discrete.conditional_total_correlation(D, E),
        "corexd": discrete.correlation_explanation(D, E),
        "micd": abs(ksg.entropy(X, **exact) - left),
    }
    for call, expected in pairs.items():
        arguments, options = calls()[call]
        assert getattr(ours, call)(*arguments, **options) == pytest.approx(
            float(expected), abs=1e-12
        ), call


def test_noise_is_replaced_as_npeets_is(monkeypatch):
    (X,), _ = calls()["entropy"]
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    monkeypatch.setattr(ours, "add_noise", lambda x: x)
    assert ours.entropy(X) == ours.entropy(X)
    assert (np.random.get_state()[1] == before).all()


# ---- What is taken -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [np.ndarray.tolist, torch.tensor, pd.DataFrame, list],
    ids=["lists", "tensor", "table", "rows"],
)
def test_samples_may_come_as_lists_tensors_or_tables(convert):
    for call, (arguments, options) in calls().items():
        if all(isinstance(argument, np.ndarray) for argument in arguments):
            function = getattr(ours, call.split()[0])
            found, _ = seeded(function, *map(convert, arguments), **options)
            assert found == pytest.approx(NPEET[call], abs=1e-9), call


def test_labels_may_be_words_and_flat():
    X, _, _, D, E = samples()
    words = np.array(["a", "b", "c"])[E[:, 0]]
    assert ours.entropyd(words) == pytest.approx(ours.entropyd(E))
    assert ours.midd(D, words) == pytest.approx(NPEET["midd"])
    assert seeded(ours.micd, X, words)[0] == pytest.approx(NPEET["micd"], abs=1e-9)


def test_a_label_with_few_samples_is_warned_about_unless_it_is_not_wanted():
    X, _, _, _, E = samples()
    labels = E.copy()
    labels[:2] = 9
    with pytest.warns(UserWarning, match=naming("1 of the 4", "k=3", 2)):
        ours.micd(X, labels)
    quiet, _ = seeded(ours.micd, X, labels, warning=False)  # warnings are errors
    with pytest.warns(UserWarning, match=naming("k=3")):
        assert seeded(ours.micd, X, labels)[0] == quiet
    assert quiet == pytest.approx(
        loop_micd(np.random.RandomState(7), X, labels, 3)[1] / math.log(2), abs=1e-10
    )


# ---- What is refused ---------------------------------------------------------------------------


def refused(message, function, *args, error=ValueError, **options):
    """With the global state as it was: nothing is drawn for input that is refused."""
    np.random.seed(3)
    with pytest.raises(error, match=message):
        function(*args, **options)
    state = np.random.random()
    np.random.seed(3)
    assert state == np.random.random()


# The samples of kldiv do not belong together.
TWO = [
    name
    for name, (required, _) in SIGNATURES.items()
    if len(required) > 1 and name not in ("kldiv", "shuffle_test")
]


@pytest.mark.parametrize("function", TWO)
def test_samples_of_different_lengths_are_refused(function):
    arguments, options = calls()[function]
    one, other, *rest = arguments
    message = naming(*SIGNATURES[function][0][:2], 59, 60)
    refused(message, getattr(ours, function), one[:-1], other, *rest, **options)


NEIGHBOURS = [name for name, (_, optional) in SIGNATURES.items() if "k" in optional]


@pytest.mark.parametrize("function", NEIGHBOURS)
def test_k_is_less_than_the_number_of_samples(function):
    arguments, options = calls()[function]
    size = min(map(len, arguments))
    for k, error, words in (
        (size, ValueError, (f"k={size}", size)),
        (0, ValueError, ("k", 0)),
        (2.5, TypeError, ("k", 2.5)),
    ):
        refused(
            naming(*words), getattr(ours, function), *arguments, error=error, **{**options, "k": k}
        )


@pytest.mark.parametrize("function", list(SIGNATURES)[:-1])
def test_missing_values_bases_and_empty_samples_are_refused(function):
    arguments, options = calls()[function]
    names, call = SIGNATURES[function][0], getattr(ours, function)
    for base in (1, 0, -2, math.nan):
        refused(naming("base"), call, *arguments, **{**options, "base": base})
    for place in range(len(arguments)):
        bad = [np.array(argument, dtype=float) for argument in arguments]
        bad[place][3] = math.nan
        refused(naming(names[place], "NaN"), call, *bad, **options)
        bad[place] = bad[place][:0]
        refused(naming(names[place], "empty"), call, *bad, **options)


@pytest.mark.parametrize("function", ["entropy", "tc", "tcd", "kldiv", "ctcdc", "micd"])
def test_a_flat_list_is_refused_where_npeet_refuses_it_or_makes_no_sense(function):
    arguments, options = calls()[function]
    first = np.asarray(arguments[0])[:, 0]
    refused(
        naming(SIGNATURES[function][0][0], "shape"),
        getattr(ours, function),
        first,
        *arguments[1:],
        **options,
    )


def test_other_bad_input_is_named():
    X, Y, Z, D, E = samples()
    refused(naming("xp", 2, "x", 3), ours.kldiv, X, Y)
    refused(naming("x", "rectangular"), ours.entropy, [[1.0], [2.0, 3.0]])
    refused(naming("alpha", "-1"), ours.mi, X, Y, alpha=-1)
    refused(naming("alpha", 1.5), ours.mi, X, Y, alpha=1.5)
    refused(naming("alpha=0.25", 5, "k=3"), ours.mi, X, Y, alpha=0.25)
    refused(naming("base", 2.5), ours.centropycd, X, E, base=2.5)
    refused(naming("ns"), ours.shuffle_test, ours.mi, X, Y, ns=0)
    refused(naming("ci"), ours.shuffle_test, ours.mi, X, Y, ci=1.0)
    refused(naming("z", 59, 60), ours.mi, X, Y, Z[:-1])
    refused(naming("y", "numbers"), ours.mi, X, np.array(["a"] * 60), error=TypeError)
    assert D.shape == (60, 3)


def test_equal_samples_that_the_noise_does_not_part_have_no_density():
    far = 1e9 + np.repeat([0.0, 1.0, 2.0], 10)[:, None]
    for function, arguments in (
        (ours.entropy, (far,)),
        (ours.kldiv, (far - 1e9, far - 1e9)),
        (ours.cmi, (far + np.arange(30)[:, None] // 10, far * 1.5, far)),
    ):
        with pytest.raises(ValueError, match=naming("k=3")):
            function(*arguments)


@given(st.integers(0, 2**32), st.integers(5, 40), st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_information_is_symmetric_but_for_the_noise(seed, n, k):
    rng = np.random.default_rng(seed)
    X, Y = rng.normal(size=(n, 2)), rng.normal(size=(n, 1))
    assert ours.mi(X, Y, k=k) == pytest.approx(ours.mi(Y, X, k=k), abs=1e-9)
    assert ours.micd(X, np.arange(n) % 1, k=k) == pytest.approx(0.0, abs=1e-5)
