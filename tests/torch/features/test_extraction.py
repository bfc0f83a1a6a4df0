"""`extract`: rows that do not depend on batches, files that are not computed twice, bad input."""

from __future__ import annotations

import random
import subprocess
import sys
import warnings
from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eigentropy._support import memory
from eigentropy.io import FileError, read_labels, read_matrix
from eigentropy.io.paths import OutputExistsError
from eigentropy.torch.features import FeatureFile, ImageFolder, extract
from eigentropy.torch.features.batches import size_for
from eigentropy.torch.features.extractors import LIVE_OUTPUTS, ModuleExtractor, Request
from eigentropy.torch.features.preparation import as_they_are
from messages import names, naming
from tiny_models import SMALL
from torch_defaults import defaults, with_other_defaults


@pytest.fixture
def path(tmp_path):
    return tmp_path / "features.safetensors"


def expected(network, pictures):
    """What the network makes of pictures of 20 x 24, cut to 16 x 16: worked out by hand."""
    from PIL import Image

    small = [Image.fromarray(one).resize((19, 16), 3).crop((1, 0, 17, 16)) for one in pictures]
    X = torch.tensor(np.stack([np.asarray(one) for one in small])).permute(0, 3, 1, 2) / 255.0
    mean = torch.tensor(SMALL["mean"]).reshape(3, 1, 1)
    with torch.no_grad():
        Z = network.eval()((X - mean) / SMALL["std"])
    network.train()
    return Z.mean((2, 3)).numpy()


def test_rows_of_a_folder(folder, pictures, network, path):
    file = extract(network, folder, path, preprocessing=SMALL)
    Z = expected(network, pictures)
    np.testing.assert_allclose(file.features, Z, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(read_matrix(path), file.features)
    np.testing.assert_array_equal(read_labels(path), [0] * 6 + [1] * 6)
    assert file.classes == ["cat", "dog"]
    assert file.metadata["rows_not_finite"] == "0"
    assert float(file.metadata["seconds"]) > 0
    assert float(file.metadata["samples_per_second"]) > 0
    assert FeatureFile.open(path) == file


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(batch_size=st.integers(1, 14))
def test_rows_do_not_depend_on_the_size_of_batches(tmp_path, pictures, network, batch_size):
    path = tmp_path / f"{batch_size}.safetensors"
    file = extract(network, pictures, path, preprocessing=SMALL, batch_size=batch_size)
    np.testing.assert_allclose(file.features, expected(network, pictures), rtol=1e-5, atol=1e-6)


@with_other_defaults
def test_defaults_for_new_tensors_change_nothing(folder, pictures, network, path, dtype_and_device):
    with defaults(dtype_and_device):
        file = extract(network, folder, path, preprocessing=SMALL)
    np.testing.assert_allclose(file.features, expected(network, pictures), rtol=1e-5, atol=1e-6)


def test_an_array_of_a_file_is_read_row_by_row(rng, path):
    X = rng.normal(size=(5, 4)).astype(np.float32)
    np.save(path.with_suffix(".npy"), X)
    mapped = np.load(path.with_suffix(".npy"), mmap_mode="r")
    file = extract(torch.nn.Identity(), mapped, path)
    np.testing.assert_array_equal(file.features, X)
    assert extract(torch.nn.Identity(), X, path) == file


def test_inner_layers_are_kept_under_their_names(folder, network, path):
    file = extract(network, folder, path, preprocessing=SMALL, layers=["0", "2"])
    assert file.layers == ["0", "2"]
    assert file.shapes["layers.0"] == (12, 5)
    np.testing.assert_array_equal(read_matrix(f"{path}:layers.2"), file.read("layers.2"))
    assert (file.read("layers.2") >= 0).all()
    with pytest.raises(FileError, match=naming("'layers.1'", "layers.0")):
        file.read("layers.1")


def test_the_model_and_random_numbers_stay_as_they_are(folder, network, path):
    network.train()
    network[1].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    extract(network, folder, path, preprocessing=SMALL, layers="0")
    assert [module.training for module in network] == [True, False, True, True, True]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    np.testing.assert_array_equal(states[2], np.random.get_state()[1])
    assert not any(module._forward_hooks for module in network.modules())
    network(torch.zeros(2, 3, 16, 16)).sum().backward()  # a training can go on


def test_penultimate_is_what_enters_the_last_linear_layer(rng, path):
    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    X = rng.normal(size=(7, 4)).astype(np.float32)
    file = extract(network, X, path, output="penultimate")
    inner = network[:2](torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(file.features, inner, rtol=1e-6)


# What is there already.


def counted(network):
    """The network, and how often it has run."""
    calls = []
    network.register_forward_pre_hook(lambda *_: calls.append(1))
    return calls


def test_the_same_is_not_computed_twice(folder, network, path):
    first = extract(network, folder, path, preprocessing=SMALL)
    calls = counted(network)
    again = extract(network, folder, path, preprocessing=SMALL, overwrite=True, batch_size=2)
    assert again == first
    assert calls == []


CHANGES = {
    "weights": lambda folder, network: network[0].weight.data.mul_(2.0),
    "data": lambda folder, network: (folder / "cat" / "0.png").unlink(),
    "architecture": lambda folder, network: network.insert(2, torch.nn.Tanh()),
}
OPTIONS = {
    "preprocessing": {"preprocessing": {**SMALL, "size": 12}},
    "layers": {"layers": ["0"]},
    "pooling": {"pooling": "flatten"},
    "labels": {"labels": np.arange(12)},
    "dtype": {"dtype": "bfloat16"},
}


@pytest.mark.parametrize("what", [*CHANGES, *OPTIONS])
def test_another_digest_is_left_as_it_is_unless_it_may_be_replaced(folder, network, path, what):
    extract(network, folder, path, preprocessing=SMALL)
    before = path.read_bytes()
    CHANGES.get(what, lambda *_: None)(folder, network)
    options = {"preprocessing": SMALL, **OPTIONS.get(what, {})}
    with pytest.raises(OutputExistsError, match=naming("features.safetensors", what, "overwrite")):
        extract(network, folder, path, **options)
    assert path.read_bytes() == before
    file = extract(network, folder, path, overwrite=True, **options)
    assert path.read_bytes() != before
    assert file.differing(file.metadata) == []


def test_a_file_of_any_dtype_serves_who_asks_for_none(folder, network, path):
    extract(network, folder, path, preprocessing=SMALL, dtype="bfloat16")
    assert extract(network, folder, path, preprocessing=SMALL).metadata["dtype"] == "bfloat16"


def test_a_function_is_computed_anew_since_nothing_tells_its_weights(rng, path):
    X = rng.normal(size=(5, 4))
    file = extract(lambda batch: 2 * batch, X, path)
    np.testing.assert_array_equal(file.features, 2 * X)
    assert file.features.dtype == np.float64
    with pytest.raises(OutputExistsError, match=naming("weights", "overwrite")):
        extract(lambda batch: 3 * batch, X, path)
    np.testing.assert_array_equal(
        extract(lambda batch: 3 * batch, X, path, overwrite=True).features, 3 * X
    )
    with pytest.raises(ValueError, match=naming("dtype", "'bfloat16'")):
        extract(lambda batch: batch, X, path, dtype="bfloat16", overwrite=True)


def test_preprocessing_that_cannot_be_told_is_never_the_same(folder, network, path):
    class Small:
        def __call__(self, image):
            return torch.tensor(np.asarray(image)).permute(2, 0, 1) / 255.0

    side = 16
    untold = [Small(), partial(Small().__call__), lambda image: Small()(image)[:, :side, :side]]
    for preprocessing in untold:
        file = extract(network, folder, path, preprocessing=preprocessing, overwrite=True)
        assert file.metadata["preprocessing"] == "unknown"
        with pytest.raises(OutputExistsError, match=naming("preprocessing", "overwrite")):
            extract(network, folder, path, preprocessing=preprocessing)


def halved(image, side=16):
    return torch.tensor(np.asarray(image)[:side, :side]).permute(2, 0, 1) / 255.0


def test_preprocessing_by_a_function_is_told_by_its_source(folder, network, path):
    first = extract(network, folder, path, preprocessing=halved)
    assert extract(network, folder, path, preprocessing=halved) == first


def test_a_link_stays_a_link(folder, network, path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    path.symlink_to(tmp_path / "elsewhere" / "f.safetensors")
    extract(network, folder, path, preprocessing=SMALL)
    assert path.is_symlink()
    assert [one.name for one in (tmp_path / "elsewhere").iterdir()] == ["f.safetensors"]


def test_a_file_of_others_is_left_as_it_is(folder, network, path):
    path.write_bytes(b"something else")
    with pytest.raises(OutputExistsError, match=naming("features.safetensors", "overwrite")):
        extract(network, folder, path, preprocessing=SMALL)
    assert path.read_bytes() == b"something else"
    assert extract(network, folder, path, preprocessing=SMALL, overwrite=True).shapes


# Memory.


class Scarce:
    """Runs a model where a batch of more than `most` samples does not fit."""

    def __init__(self, monkeypatch, most, error):
        self.sizes = []
        rows = ModuleExtractor.rows

        def scarce(extractor, items):
            self.sizes.append(len(items))
            if len(items) > most:
                raise error
            return rows(extractor, items)

        monkeypatch.setattr(ModuleExtractor, "rows", scarce)


ERRORS = [
    MemoryError(),
    torch.cuda.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_batch_that_does_not_fit_is_halved(pictures, network, path, monkeypatch, error):
    tried = Scarce(monkeypatch, 3, error)
    file = extract(network, pictures, path, preprocessing=SMALL, batch_size=8)
    np.testing.assert_allclose(file.features, expected(network, pictures), rtol=1e-5, atol=1e-6)
    assert tried.sizes == [1, 8, 4, 2, 2, 4, 2, 2, 2, 2]


def test_a_sample_that_does_not_fit_is_an_error(pictures, network, path, monkeypatch):
    Scarce(monkeypatch, 1, MemoryError("all of it"))
    rows = ModuleExtractor.probed

    def once(extractor, item):
        found = rows(extractor, item)
        Scarce(monkeypatch, 0, MemoryError("all of it"))
        return found

    monkeypatch.setattr(ModuleExtractor, "probed", once)
    with pytest.raises(MemoryError, match=naming(1, "all of it")):
        extract(network, pictures, path, preprocessing=SMALL, batch_size=8)
    assert list(path.parent.iterdir()) == []


SCARCE = """
import re, resource, sys
from pathlib import Path
import numpy as np, torch
from eigentropy.torch.features import extract
torch.set_num_threads(1)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 256, 3, padding=1), torch.nn.Conv2d(256, 8, 3))
X = np.random.default_rng(0).normal(size=(100, 3, 64, 64)).astype(np.float32)
wide, narrow = Path(sys.argv[1], "a.safetensors"), Path(sys.argv[1], "b.safetensors")
all_at_once = extract(network, X, wide, batch_size=10)
used = 1024 * int(re.search(r"VmSize:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
halved = extract(network, X, narrow, batch_size=100)  # whose first layer makes 400 MiB
print(np.abs(all_at_once.features - halved.features).max())
"""


def test_memory_that_is_really_scarce_is_made_do_with(tmp_path):
    alone = [sys.executable, "-c", SCARCE, str(tmp_path)]
    found = subprocess.run(alone, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) < 1e-5


def test_another_error_is_not_taken_for_one_of_memory(pictures, network, path, monkeypatch):
    tried = Scarce(monkeypatch, 1, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        extract(network, pictures, path, preprocessing=SMALL)
    assert tried.sizes == [1, 12]
    assert list(path.parent.iterdir()) == []


def test_less_memory_makes_smaller_batches(monkeypatch):
    cpu = torch.device("cpu")
    sizes = []
    for free in (1e12, 40e6, 1e6, 1.0):
        monkeypatch.setattr(memory, "available", lambda free=free: free)
        sizes.append(size_for(1e6, cpu))
    assert sizes == [64, 20, 1, 1]
    assert size_for(0.0, cpu) == 64  # nothing is known


def test_memory_is_estimated_by_what_a_sample_makes(network):
    wanted = Request(
        "network", "inputs", "auto", (), None, None, None, False, torch.device("cpu"), torch.float32
    )
    extractor = ModuleExtractor(network, wanted, as_they_are())
    with extractor.running():
        _, small = extractor.probed(torch.zeros(3, 16, 16))
        _, large = extractor.probed(torch.zeros(3, 32, 32))
    assert small == LIVE_OUTPUTS * 4 * 5 * 4 * 4  # floats of the first convolution
    assert large == 4 * small


# Bad input.


def test_rows_that_are_not_finite_are_said_and_kept(folder, network, path):
    def spoiled(batch):
        Z = network.eval()(batch).mean((2, 3))
        return torch.where(Z.amax() == Z, torch.nan, Z)

    with pytest.warns(UserWarning, match=naming("NaN", 12)):
        file = extract(spoiled, folder, path, preprocessing=SMALL, batch_size=12)
    assert file.metadata["rows_not_finite"] == "1"
    assert np.isnan(file.features).sum() == 1


def test_data_without_a_sample_are_refused(tmp_path, network, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="empty"):
        extract(network, tmp_path / "empty", path, preprocessing=SMALL)
    (tmp_path / "t.txt").touch()
    with pytest.raises(FileError, match=naming("t.txt")):
        extract(network, tmp_path / "t.txt", path)


def test_an_image_that_cannot_be_read_ends_it_and_leaves_no_file(folder, network, path):
    (folder / "dog" / "11.png").write_bytes(b"no picture")
    with pytest.raises(FileError, match=naming("dog/11.png")):
        extract(network, folder, path, preprocessing=SMALL, batch_size=2)
    assert [one.name for one in path.parent.iterdir()] == ["pictures"]


def test_a_model_without_preprocessing_asks_for_it(folder, network, path):
    with pytest.raises(ValueError, match=naming("Sequential", "preprocessing", "size")):
        extract(network, folder, path)
    with pytest.raises(ValueError, match=naming("size")):
        extract(network, folder, path, preprocessing={"mean": 0.5})
    with pytest.raises(TypeError, match=naming("'sise'", "'size'")):
        extract(network, folder, path, preprocessing={"sise": 16})
    with pytest.raises(ValueError, match=naming("std")):
        extract(network, folder, path, preprocessing={**SMALL, "std": 0})
    with pytest.raises(TypeError, match=naming("preprocessing")):
        extract(network, np.zeros((2, 3, 16, 16)), path, preprocessing=SMALL)


def test_pictures_of_different_sizes_ask_for_one(network, path, folder):
    from PIL import Image

    Image.new("RGB", (30, 30)).save(folder / "cat" / "0.png")

    def plain(image):
        return torch.tensor(np.asarray(image)).permute(2, 0, 1).float()

    with pytest.raises(ValueError, match=naming("(3, 20, 24)", "(3, 30, 30)")):
        extract(network, folder, path, preprocessing=plain)


def test_several_outputs_are_named(rng, path):
    class Two(torch.nn.Module):
        def forward(self, x):
            return {"hidden": x, "logits": x[:, :2]}

    X = rng.normal(size=(5, 4)).astype(np.float32)
    with pytest.raises(ValueError, match=naming("'hidden'", "'logits'", "output=")):
        extract(Two(), X, path)
    np.testing.assert_array_equal(extract(Two(), X, path, output="logits").features, X[:, :2])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 0}, ["batch_size", 0]),
        ({"pooling": "max"}, ["pooling", "'max'", "'mean'"]),
        ({"layers": ["O"]}, ["'O'", "'0'"]),
        ({"layers": [3]}, ["layers", "int"]),
        ({"dtype": "int8"}, ["dtype", "'int8'", "'bfloat16'"]),
        ({"device": "meta"}, ["device", "'meta'", "cpu"]),
        ({"labels": [1, 2]}, ["labels", 12, 2]),
        ({"preprocessing": "own"}, ["preprocessing", "str"]),
        ({"weights": "untrained"}, ["weights", "'untrained'"]),
        ({"bach_size": 3}, ["'bach_size'", "'batch_size'"]),
    ],
)
def test_options_that_cannot_be_are_named(pictures, network, path, options, said):
    with pytest.raises((ValueError, TypeError), match=naming(*said)):
        extract(network, pictures, path, **{"preprocessing": SMALL, **options})


def test_missing_directories_of_the_path_are_made_for_a_result_alone(tmp_path, pictures, network):
    path = tmp_path / "new" / "features" / "f.safetensors"
    with pytest.raises(ValueError, match=naming("size")):
        extract(network, pictures, path)
    assert list(tmp_path.iterdir()) == []
    extract(network, pictures, path, preprocessing=SMALL)
    assert [one.name for one in path.parent.iterdir()] == ["f.safetensors"]


def test_a_file_prints_where_it_comes_from_in_one_short_line(folder, network, path):
    file = extract(network, folder, path, preprocessing=SMALL, layers="0")
    said = repr(file)
    source, data = file.metadata["source"], file.metadata["data"][:8]
    assert names(said, path, source, data, "12 x 6", "layers.0 12 x 5", "labels 12")
    assert file.metadata["data"] not in said
    assert len(said) < 200 + len(str(path))


@pytest.mark.parametrize("name", ["f.npy", "file/f.safetensors", "file/new/f.safetensors", "."])
def test_a_path_that_cannot_be_written_is_named_before_the_model_runs(
    tmp_path, pictures, network, name
):
    (tmp_path / "file").touch()
    calls = counted(network)
    with pytest.raises(FileError):
        extract(network, pictures, tmp_path / name, preprocessing=SMALL)
    assert calls == []


def test_it_warns_of_nothing_else(folder, network, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        extract(network, ImageFolder(folder), path, preprocessing=SMALL, progress=lambda _: None)


def test_progress_ends_at_one(pictures, network, path):
    shares = []
    extract(network, pictures, path, preprocessing=SMALL, batch_size=5, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) == 3
