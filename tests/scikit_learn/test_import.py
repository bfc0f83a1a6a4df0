"""Without scikit-learn the package is imported all the same, and this part says what is missing."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

from messages import names


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("blocked", ["sklearn", "sklearn.utils.validation"])
def test_without_scikit_learn_the_error_says_what_to_install(blocked):
    code = (
        f"import sys; sys.modules[{blocked!r}] = None; import eigentropy; import eigentropy.sklearn"
    )
    found = run(code)
    assert found.returncode == 1
    assert names(found.stderr.splitlines()[-1], "scikit-learn", "eigentropy[sklearn]")


def test_a_scikit_learn_that_is_too_old_is_named_with_its_version(tmp_path):
    package = tmp_path / "sklearn"
    (package / "utils").mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '1.5.2'\n")
    (package / "utils" / "__init__.py").touch()
    (package / "utils" / "validation.py").touch()  # without validate_data
    found = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import eigentropy.sklearn")
    assert found.returncode == 1
    assert names(found.stderr.splitlines()[-1], "1.5.2", "1.6", "eigentropy[sklearn]")


def test_the_names_are_those_of_the_module():
    pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn 1.6 is not installed")
    import eigentropy.sklearn

    assert dir(eigentropy.sklearn) == sorted(eigentropy.sklearn.__all__)
    with pytest.raises(AttributeError, match="DiffusionMaps"):
        eigentropy.sklearn.DiffusionMaps  # noqa: B018


@pytest.mark.parametrize("module", ["diffusion_map", "features", "scorers"])
def test_the_examples_of_the_docstrings(module):
    pytest.importorskip("sklearn", minversion="1.6", reason="scikit-learn 1.6 is not installed")
    result = doctest.testmod(importlib.import_module(f"eigentropy.sklearn.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
