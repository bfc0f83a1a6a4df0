"""The law of seconds a picture, and the plan of a list of models. Not its figures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy.optimize", reason="the law is fitted by SciPy")

from benchmarks.documents import imagenet_cost, imagenet_tables
from benchmarks.shared.results import RESULTS

positive = st.floats(0.01, 10.0)


def cases(per_gmac, per_mactivation, factor=None):
    rng = np.random.default_rng(0)
    found = []
    for gmacs, mactivations in rng.uniform(0.1, 50.0, size=(12, 2)):
        case = {"gmacs": gmacs, "mactivations": mactivations}
        law = {"per_gmac": per_gmac, "per_mactivation": per_mactivation}
        noise = 1.0 if factor is None else factor ** rng.choice([-1, 1])
        found.append({**case, "seconds": noise * imagenet_cost.predicted(law, case)})
    return found


@given(positive, positive)
def test_a_law_of_two_terms_is_found_again(per_gmac, per_mactivation):
    known = cases(per_gmac, per_mactivation)
    law = imagenet_cost.fitted(known)
    assert law == pytest.approx({"per_gmac": per_gmac, "per_mactivation": per_mactivation})
    assert imagenet_cost.left_out(known) == pytest.approx(np.ones(len(known)))


def test_what_the_law_does_not_know_shows_in_the_cases_that_are_left_out():
    factors = np.abs(np.log(imagenet_cost.left_out(cases(0.02, 0.001, factor=1.5))))
    assert np.exp(np.median(factors)) > 1.3


COUNTS = (
    "model,infer_img_size,infer_samples_per_sec,infer_step_time,infer_batch_size,param_count,"
    "infer_gmacs,infer_macts\n"
    "a,100,1000,1,1,1.0,1.0,10.0\n"
    'b,200,100,1,1,"1,000.0",4.0,40.0\n'
    "c,100,1,1,1,1.0,,\n"
)
LIST = "model,img_size,top1,param_count,crop_pct\na.x,100,70,1,1\nb.y,200,80,2,1\nc.z,100,1,1,1\n"


def test_a_plan_is_the_sum_over_the_models_that_are_counted(tmp_path):
    for name, text in (("counts.csv", COUNTS), ("list.csv", LIST)):
        (tmp_path / name).write_text(text)
    counts = imagenet_cost.read_counts(tmp_path / "counts.csv")
    assert counts["b", 200] == {"gmacs": 4.0, "mactivations": 40.0, "gpu_rate": 100.0}
    result = {
        "law": {"per_gmac": 1.0, "per_mactivation": 0.1},
        "preprocessing": [{"size": 100, "seconds": 0.5}, {"size": 200, "seconds": 1.0}],
        "scores": [{"seconds": 100.0}, {"seconds": 300.0}],
        "networks": [{"gmacs": 2.0}],
    }
    found = imagenet_cost.planned(tmp_path / "list.csv", result, counts)
    a, b = 1000 * (2.0 + 0.5) + 200, 1000 * (8.0 + 1.0) + 200
    assert (found["models"], found["counted"], found["beyond_measured"]) == (3, 2, 1)
    assert found["core_hours"] == pytest.approx((a + b) / 3600)
    assert found["core_hours_of_962"] == pytest.approx((a + b) / 3600 / 2 * 962)
    assert sum(found["parts_of_962"].values()) == pytest.approx(found["core_hours_of_962"])
    assert (found["longest"], found["seconds_a_model"]["longest"]) == ("b.y", b)
    assert found["gpu_hours_of_962_by_timm"] == pytest.approx((1 + 10) / 3600 / 2 * 962)


def test_the_stored_result_has_its_machine_and_all_of_its_tables():
    known = json.loads((RESULTS / "imagenet_cost.json").read_text())
    assert len(known["machine"]["commit"]) == 40
    assert {name for name, _ in imagenet_cost.NETWORKS} == {n["network"] for n in known["networks"]}
    for _, render in imagenet_tables.BLOCKS.values():
        assert render({"imagenet_cost": known}).count("\n") > 2
