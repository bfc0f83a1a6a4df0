"""The differentiable kernel entropy against closed forms, the definition, and autograd."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="eigentropy.torch needs PyTorch")

import eigentropy as eg
from eigentropy import _core, reference
from eigentropy.torch import (
    KernelEntropy,
    KernelEntropyLoss,
    KernelInformation,
    KernelInformationLoss,
    functional,
)
from eigentropy.torch.losses import kernel, resolvents
from eigentropy.torch.losses.eigenpairs import largest_eigenpairs
from eigentropy.torch.losses.functional import WidthCheck, batch_entropy
from eigentropy.torch.losses.options import KernelOptions, Limits

ORDERS = [0.5, 1.0, 1.5, 2.0, 3.0, 20.0]
VECTORS = [0.5, 1.5, 3.0]  # orders that need eigenvectors


@pytest.fixture(autouse=True, params=["the core", "PyTorch's operations"])
def arithmetic(request, monkeypatch):
    """What is on a GPU is computed by PyTorch's operations, here on the CPU."""
    if request.param != "the core":
        monkeypatch.setattr(kernel, "computed_by_core", lambda rows: False)


def batch(n=24, d=5, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64).to(dtype)


def clusters(sizes, d=64, apart=3.0, seed=0):
    """Normal rows around centres at a distance."""
    centres = apart * batch(len(sizes), d, seed=seed + 1)
    number = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    return batch(sum(sizes), d, seed=seed) + centres[number], number


def value_and_gradient(measure, *arguments):
    rows = [x.detach().clone().requires_grad_() for x in arguments]
    value = measure(*rows)
    return value.detach(), *torch.autograd.grad(value, rows)


def by_autograd(Z, sigma, order):
    """The definition, operation by operation, through eigvalsh."""
    r2 = ((Z[:, None] - Z) ** 2).sum(dim=2)
    p = torch.linalg.eigvalsh(torch.exp(-r2 / (2 * sigma**2)) / len(Z))
    if order == 1.0:
        return -(p * torch.log2(p)).sum()
    return torch.log2((p**order).sum()) / (1.0 - order)


# ---- The entropy and its gradient ----------------------------------------------------------------


@pytest.mark.parametrize("order", ORDERS)
def test_the_gradient_is_that_of_finite_differences_to_1e_6(order):
    module = KernelEntropy(order=order, sigma=1.2)
    rows = batch(9, 3).requires_grad_()
    assert torch.autograd.gradcheck(module, (rows,), eps=1e-6, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("n", "d", "sigma"), [(40, 6, 1.5), (80, 60, 4.0)])
def test_the_gradient_is_that_of_autograd_to_1e_8(order, n, d, sigma):
    Z = batch(n, d)
    value, slope = value_and_gradient(KernelEntropy(order=order, sigma=sigma), Z)
    expected = value_and_gradient(lambda Z: by_autograd(Z, sigma, order), Z)
    torch.testing.assert_close(value, expected[0], rtol=1e-9, atol=1e-9)
    limit = 1e-8 * float(expected[1].abs().max())
    torch.testing.assert_close(slope, expected[1], rtol=0.0, atol=limit)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sigma", ["auto", 1.3])
@pytest.mark.parametrize("n", [1, 2, 3, 50, 51])
@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_the_value_is_the_definition_with_and_without_a_gradient(n, sigma, order):
    Z = batch(n, 7)
    module = KernelEntropy(order=order, sigma=sigma, base=3.0)
    values = float(module(Z)), float(value_and_gradient(module, Z)[0])
    expected = reference.kernel_entropy(Z.numpy(), module.sigma_used, order, base=3.0)
    assert module.sigma_used == pytest.approx(eg.bandwidth(Z) if sigma == "auto" else 1.3)
    assert values == pytest.approx((expected, expected), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("order", [*ORDERS, 1e3, 1e9])
def test_far_clouds_of_equal_rows_have_the_entropy_of_their_shares(order):
    p = torch.tensor([0.5, 0.25, 0.25]).double()
    Z = torch.repeat_interleave(1e3 * torch.eye(3).double(), torch.tensor([16, 8, 8]), dim=0)
    value, slope = value_and_gradient(KernelEntropy(order=order, sigma=1.0, base=math.e), Z)
    if order == 1.0:
        expected = float(-(p * p.log()).sum())
    else:
        log_sum = order * math.log(0.5) + math.log(1.0 + 2.0 * 0.5**order)
        expected = log_sum / (1.0 - order)
    assert float(value) == pytest.approx(expected, abs=1e-10)
    assert torch.isfinite(slope).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    n=st.integers(2, 70),
    d=st.integers(1, 8),
    scale=st.floats(0.05, 20.0),
    orders=st.tuples(st.floats(0.05, 30.0), st.floats(0.05, 30.0)),
)
@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_entropies_fall_with_the_order_within_their_bounds(seed, n, d, scale, orders):
    """0 <= S <= log n, S falls with the order, and a shift of all rows changes nothing."""
    Z = scale * batch(n, d, seed=seed)
    low, high = sorted(orders)
    first, second = (value_and_gradient(KernelEntropy(order=a, sigma=1.0), Z) for a in (low, high))
    assert -1e-9 <= float(second[0]) <= float(first[0]) + 1e-8
    assert float(first[0]) <= math.log2(n) + 1e-9
    for _, slope in (first, second):
        largest = float(slope.abs().max())
        assert math.isfinite(largest)
        if low >= 1.0:  # below, the slopes of eigenvalues next to 0 are too steep for that
            assert float(slope.sum(dim=0).abs().max()) <= 1e-10 * n * max(largest, 1e-3)


@pytest.mark.parametrize("excess", [1e-3, 1e-6, 1e-9, 1e-12])
def test_orders_close_to_1_go_over_into_order_1(excess):
    """S falls by excess / 2 times the variance of -log p, and no digit is lost by a difference."""
    Z = batch(40, 6)
    value, slope = value_and_gradient(KernelEntropy(sigma=1.5, method="exact"), Z)
    for order in (1.0 - excess, 1.0 + excess):
        near, its_slope = value_and_gradient(KernelEntropy(order=order, sigma=1.5), Z)
        assert abs(float(near - value)) <= 5.0 * excess + 1e-13
        assert (float(near) < float(value)) == (order > 1.0) or excess < 1e-10
        error = float((its_slope - slope).abs().max())
        assert error <= (20.0 * excess + 1e-12) * float(slope.abs().max())


REPEATED = {
    "two identical rows": lambda: torch.cat([batch(10, 3), batch(1, 3)]),
    "every row five times": lambda: batch(8, 3).repeat(5, 1),
    "all rows equal": lambda: torch.full((12, 3), 0.7, dtype=torch.float64),
    "many equal rows": lambda: torch.full((50, 3), 0.7, dtype=torch.float64),
    "a uniform kernel": lambda: torch.eye(40, dtype=torch.float64),
    "two far clusters": lambda: torch.cat([batch(40, 4), batch(40, 4) + 1e4]),
    "rows that do not see each other": lambda: 1e5 * torch.eye(40, dtype=torch.float64),
    "fill values": lambda: torch.cat([batch(40, 4), torch.full((3, 4), 1e20).double()]),
}


@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize("order", [0.1, *ORDERS])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.filterwarnings("ignore::eigentropy.SaturationWarning")
def test_repeated_eigenvalues_leave_the_gradient_finite(name, order, dtype):
    Z = REPEATED[name]().to(dtype)
    for sigma in (1.0, "auto"):
        value, slope = value_and_gradient(KernelEntropy(order=order, sigma=sigma), Z)
        assert math.isfinite(float(value))
        assert torch.isfinite(slope).all()
        assert slope.dtype == dtype


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_noise_at_the_eigenvalue_0_does_not_reach_the_gradient(order, dtype):
    """Five copies of rows have the gradient of one, a fifth on each: p only gets zeros."""
    Z = batch(16, 3).to(dtype)
    module = KernelEntropy(order=order, sigma=1.1)
    _, single = value_and_gradient(module, Z)
    _, copies = value_and_gradient(module, Z.repeat(5, 1))
    tolerance = 1e-8 if dtype == torch.float64 else 1e-3
    for part in copies.split(16):
        assert float((part - single / 5.0).abs().max()) <= tolerance * float(single.abs().max())


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0])
def test_repeated_rows_have_the_gradient_of_finite_differences(order):
    """Both copies of a row move together: there the entropy is smooth."""
    module = KernelEntropy(order=order, sigma=1.1)
    points = batch(6, 2).requires_grad_()
    assert torch.autograd.gradcheck(lambda Z: module(Z.repeat(2, 1)), (points,), atol=1e-6)


# ---- How it is computed --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("order", [1.0, 2.0])
@pytest.mark.parametrize("rows", ["a bulk", "eight clusters"])
def test_orders_1_and_2_need_no_eigenvectors(rows, order, dtype, monkeypatch):
    Z = (batch(256, 128) if rows == "a bulk" else clusters([32] * 8, d=128)[0]).to(dtype)
    expected = value_and_gradient(KernelEntropy(order=order, method="exact"), Z)
    eigh = torch.linalg.eigh
    small = 24  # of Lanczos
    monkeypatch.setattr(torch.linalg, "eigh", lambda A: eigh(A) if len(A) <= small else None)
    value, slope = value_and_gradient(KernelEntropy(order=order), Z)
    tolerance = 1e-8 if dtype == torch.float64 else 1e-4
    assert float(value) == pytest.approx(float(expected[0]), rel=tolerance)
    limit = tolerance * float(expected[1].abs().max())
    assert float((slope - expected[1]).abs().max()) <= limit


def test_order_2_needs_no_eigenvalues(monkeypatch):
    Z = batch(60, 5)
    monkeypatch.setattr(_core, "spectrum", None)
    monkeypatch.setattr(torch.linalg, "eigvalsh", None)
    expected = reference.kernel_entropy(Z.numpy(), 1.5, 2.0)
    for method in ("auto", "exact", "stochastic"):
        found = KernelEntropy(order=2.0, sigma=1.5, method=method)(Z)
        assert float(found) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", VECTORS)
def test_other_orders_take_eigenvectors_once(order, monkeypatch):
    calls = []
    eigh = torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda A: calls.append(len(A)) or eigh(A))
    value_and_gradient(KernelEntropy(order=order, sigma=1.5), batch(60, 5))
    assert calls == [60]


def test_the_core_finds_the_interval_beside_the_largest_eigenvalues():
    """Of rows in eight clusters the eight largest eigenvalues lie far above all others."""
    Z = clusters([32] * 8)[0]
    core = _core.EntropyGradient("float64")
    core.build(Z.numpy(), eg.bandwidth(Z), None, 1)
    eigenvalues = np.linalg.eigvalsh(core.matrices()[0])[::-1]
    lower, upper = core.bulk_interval(30, 1)
    assert resolvents.SLACK * lower <= eigenvalues[-1]
    assert eigenvalues[8] * (1 - 1e-9) <= upper < 0.5 * eigenvalues[7]


def test_the_core_builds_the_kernel():
    Z = batch(70, 5)
    core = _core.EntropyGradient("float64")
    total = core.build(Z.numpy(), 1.5, None, 2)
    G = 70 * reference.density_matrix(Z.numpy(), 1.5)
    found, q, _ = core.matrices()
    np.testing.assert_allclose(found, G, rtol=1e-10)
    np.testing.assert_allclose(q, G.sum(axis=1), rtol=1e-10)
    assert total == pytest.approx(G.sum(), rel=1e-10)


def test_order_2_of_the_diffusion_operator_is_refused_by_the_core():
    core = _core.EntropyGradient("float64")
    core.build(batch(40).numpy(), 1.5, 0.5, 1)
    with pytest.raises(ValueError, match="order 2"):
        core.solve_order_two(1)


@pytest.mark.parametrize("order", [1.0, 2.0])
@pytest.mark.parametrize("n", [256, 523])
def test_threads_of_the_core_change_nothing(order, n):
    Z = batch(n, 100)

    def solved(threads):
        core = _core.EntropyGradient("float64")
        core.build(Z.numpy(), 6.0, None, threads)
        if order == 2.0:
            return core.solve_order_two(threads)
        return core.solve_by_logarithm(resolvents.log_functions(1e-9), threads)

    expected = solved(1)
    for threads in (2, 5):
        nats, slope = solved(threads)
        assert nats == expected[0]
        np.testing.assert_array_equal(slope, expected[1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_eigenpairs_that_are_set_aside_are_eigenpairs(dtype):
    Z = clusters([40, 30, 20, 10])[0].to(dtype)
    G = kernel.gaussian_kernel(Z, "auto", dtype).G
    found = largest_eigenpairs(G)
    assert len(found.values) >= 1
    eigenvalues = torch.linalg.eigvalsh(G.double()).flip(0)
    tolerance = 1e-9 if dtype == torch.float64 else 1e-5
    torch.testing.assert_close(
        found.values, eigenvalues[: len(found.values)], rtol=tolerance, atol=0.0
    )
    residual = G @ found.vectors - found.vectors * found.values.to(dtype)
    assert float(residual.norm()) <= tolerance * float(eigenvalues[0])


@pytest.mark.parametrize(
    "G", [torch.eye(40).double(), torch.ones(40, 40).double(), torch.ones(1, 1).double()]
)
def test_an_invariant_space_ends_the_search_for_eigenpairs(G):
    found = largest_eigenpairs(G)
    assert len(found.values) == 1
    torch.testing.assert_close(G @ found.vectors, found.vectors * found.values)


# ---- From probes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0.5, 1.0, 1.5, 3.0, 20.0])
@pytest.mark.parametrize("rows", ["a bulk", "eight clusters"])
def test_probes_give_the_entropy_and_the_direction_of_its_gradient(rows, order):
    Z = batch(600, 100) if rows == "a bulk" else clusters([75] * 8)[0]
    exact = value_and_gradient(KernelEntropy(order=order), Z)
    found = value_and_gradient(KernelEntropy(order=order, method="stochastic"), Z)
    assert float(found[0]) == pytest.approx(float(exact[0]), rel=2e-3)
    assert float(found[0]) != float(exact[0]) or order == 20.0
    cosine = torch.cosine_similarity(found[1].flatten(), exact[1].flatten(), dim=0)
    assert float(cosine) > (0.97 if order >= 1.0 or rows == "a bulk" else 0.7)


def test_over_many_seeds_the_stochastic_gradient_averages_to_the_exact_one():
    Z = batch(300, 20)
    _, exact = value_and_gradient(KernelEntropy(), Z)
    runs = [
        value_and_gradient(KernelEntropy(method="stochastic", tol=1.0, seed=seed), Z)[1]
        for seed in range(20)
    ]
    one, mean = runs[0], torch.stack(runs).mean(dim=0)
    assert float((mean - exact).norm()) < 0.5 * float((one - exact).norm())


def test_auto_estimates_large_batches():
    limits = Limits(exact_up_to=300)
    for n, method in ((300, "exact"), (301, "stochastic")):
        Z = batch(n, 50)
        found = batch_entropy(Z, KernelOptions(limits=limits), WidthCheck())
        assert float(found) == pytest.approx(float(KernelEntropy(method=method)(Z)), rel=1e-9)


# ---- Information ---------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.0])
def test_the_entropy_is_that_of_the_package(order):
    Z = batch(60, 4)
    for options in ({}, {"sigma": 1.3, "base": 3.0, "method": "exact", "seed": 4}):
        found = functional.kernel_entropy(Z, order=order, **options)
        expected = eg.kernel_entropy(Z, order=order, **options)
        assert float(found) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("kind", ["labels", "scalars", "vectors"])
@pytest.mark.parametrize("order", [1.0, 2.0])
def test_the_information_is_that_of_the_package(order, kind, estimator):
    Z = batch(60, 4)
    Y = {"labels": torch.arange(60) % 3, "scalars": Z[:, 0].tanh(), "vectors": Z[:, :3].tanh()}
    for options in ({}, {"sigma": 1.3, "sigma_y": 0.8, "base": 3.0, "seed": 4, "n_null": 5}):
        known = {"order": order, "estimator": estimator, **options}
        found = functional.kernel_information(Z, Y[kind], **known)
        expected = eg.kernel_information(Z, Y[kind], **known)
        assert expected.kind == kind
        assert float(found) == pytest.approx(float(expected), rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("kinds", [2, 3, 40])
def test_of_labels_it_is_the_holevo_information(kinds, order):
    Z, labels = batch(60, 4), torch.arange(60) % kinds
    found = KernelInformation(estimator="plain", order=order, sigma=1.3)(Z, labels)
    expected = reference.holevo_information(Z.numpy(), labels.numpy(), 1.3, order=order)
    assert float(found) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("kind", ["vectors", "scalars"])
def test_of_vectors_and_scalars_it_is_that_of_the_joint_kernel(kind, order):
    Z = batch(60, 4)
    Y = Z[:, :3].tanh() if kind == "vectors" else Z[:, 0].tanh()
    module = KernelInformation(estimator="plain", order=order)
    found = float(module(Z, Y))
    widths = module.sigma_used, module.sigma_y_used
    rows = Y.reshape(60, -1)
    assert widths == pytest.approx((eg.bandwidth(Z), eg.bandwidth(rows)))
    expected = reference.joint_information(Z.numpy(), rows.numpy(), *widths, order=order)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_labels_that_are_clouds_are_known_but_for_chance():
    """Far clouds: H(Y) in plain; matched, what no random partition has."""
    labels = torch.arange(60) % 3
    Z = 1e3 * torch.eye(3).double()[labels] + 0.0 * batch(60, 3)
    plain = KernelInformation(estimator="plain", sigma=1.0)(Z, labels)
    assert float(plain) == pytest.approx(math.log2(3), abs=1e-9)
    vectors = KernelInformation(estimator="plain", sigma=1.0, sigma_y=1.0)(Z, Z)
    assert float(vectors) == pytest.approx(math.log2(3), abs=1e-9)
    matched = KernelInformation(sigma=1.0)(Z, labels)
    assert 1.3 < float(matched) < math.log2(3)


@pytest.mark.parametrize("kind", ["labels", "vectors"])
def test_independent_variables_share_nothing_but_for_chance(kind):
    Z = batch(90, 3)
    Y = torch.arange(90) % 3 if kind == "labels" else batch(90, 3, seed=1)
    plain = float(KernelInformation(estimator="plain")(Z, Y))
    assert plain > 0.1
    assert abs(float(KernelInformation()(Z, Y))) < 0.2 * plain


@pytest.mark.parametrize("estimator", ["matched", "plain"])
@pytest.mark.parametrize("kind", ["labels", "vectors"])
def test_the_gradient_of_the_information_is_that_of_finite_differences(kind, estimator):
    Z = batch(15, 3).requires_grad_()
    module = KernelInformation(estimator=estimator, n_null=3, sigma=1.5, sigma_y=1.2)
    if kind == "labels":
        labels = torch.arange(15) % 3
        assert torch.autograd.gradcheck(lambda Z: module(Z, labels), (Z,), atol=1e-6, rtol=1e-6)
        return
    Y = batch(15, 2, seed=1).requires_grad_()  # to which the gradient goes as well
    assert torch.autograd.gradcheck(module, (Z, Y), atol=1e-6, rtol=1e-6)


def test_the_gradient_of_the_information_of_vectors_is_that_of_autograd():
    Z, Y = batch(60, 40), batch(60, 30, seed=1)

    def expected(Z, Y):
        joint = torch.cat([Z / 4.0, Y / 4.0], dim=1)
        alone = by_autograd(Z, 4.0, 1.0) + by_autograd(Y, 4.0, 1.0)
        return alone - by_autograd(joint, 1.0, 1.0)

    module = KernelInformation(estimator="plain", sigma=4.0, sigma_y=4.0)
    for found, known in zip(
        value_and_gradient(module, Z, Y), value_and_gradient(expected, Z, Y), strict=True
    ):
        torch.testing.assert_close(found, known, rtol=1e-9, atol=1e-8 * float(known.abs().max()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_vectors_in_half_precision_are_computed_in_float32(dtype):
    Z, Y = batch(40, 8).to(dtype), batch(40, 3, seed=1).to(dtype)
    module = KernelInformation(n_null=2)
    found = value_and_gradient(module, Z, Y)
    expected = value_and_gradient(module, Z.float(), Y.float())
    assert found[0].dtype == torch.float32
    assert float(found[0]) == float(expected[0])
    assert (found[1].dtype, found[2].dtype) == (dtype, dtype)


def test_what_y_is_follows_from_its_shape_and_dtype():
    Z, codes = batch(30, 3), torch.arange(30) % 3
    information = KernelInformation(estimator="plain")
    labels = float(information(Z, codes))
    assert math.isnan(information.sigma_y_used)
    for same in (codes.tolist(), codes.numpy(), codes[:, None], np.array(list("abc"))[codes]):
        assert float(information(Z, same)) == labels
    scalars = float(information(Z, codes.double()))
    assert scalars != labels
    assert float(KernelInformation(estimator="plain", kind="labels")(Z, codes.double())) == labels
    assert float(KernelInformation(estimator="plain", kind="scalars")(Z, codes.double())) == scalars
    assert float(information(Z, codes.double()[:, None])) == scalars


def test_one_label_and_groups_of_one_row_have_no_information_and_no_gradient():
    Z = batch(12, 4)
    module = KernelInformation()
    for labels in (np.zeros(12, dtype=int), np.arange(12)):
        value, slope = value_and_gradient(lambda Z, y=labels: module(Z, y), Z)
        assert float(value) == 0.0
        assert float(slope.abs().sum()) == 0.0


# ---- Modules, functions, losses ------------------------------------------------------------------

OPTIONS = {"order": 3.0, "sigma": 1.3, "base": 3.0, "method": "exact", "seed": 4}


def test_a_module_is_the_function_with_its_options():
    Z, labels, Y = batch(40, 4), torch.arange(40) % 3, batch(40, 2, seed=1)
    for options in ({}, OPTIONS):
        pairs = [
            (KernelEntropy(**options)(Z), functional.kernel_entropy(Z, **options)),
            *(
                (
                    KernelInformation(n_null=3, **options)(Z, y),
                    functional.kernel_information(Z, y, n_null=3, **options),
                )
                for y in (labels, Y)
            ),
        ]
        assert all(torch.equal(*pair) for pair in pairs)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
def test_half_precision_is_computed_in_float32_and_its_gradient_comes_back_in_half(order, dtype):
    Z = batch(40, 8).to(dtype)
    module = KernelEntropy(order=order, sigma=2.0)
    value, slope = value_and_gradient(module, Z)
    expected = value_and_gradient(module, Z.float())
    assert (value.dtype, slope.dtype) == (torch.float32, dtype)
    assert float(value) == float(expected[0])
    torch.testing.assert_close(slope, expected[1].to(dtype))


def test_exact_computes_float32_rows_in_float64():
    Z = batch(60, 10).float()
    for order in (1.0, 2.0):
        value = KernelEntropy(order=order, sigma=2.0, method="exact")(Z)
        expected = reference.kernel_entropy(Z.numpy(), 2.0, order)
        assert value.dtype == torch.float64
        assert float(value) == pytest.approx(expected, rel=1e-10)


def test_orders_below_1_are_computed_in_float64():
    """In float32 most of this gradient would be rounding: the spectrum falls to 0."""
    Z = batch(100, 3).float()
    value, slope = value_and_gradient(KernelEntropy(order=0.5, sigma=1.0), Z)
    expected = value_and_gradient(KernelEntropy(order=0.5, sigma=1.0), Z.double())
    assert (value.dtype, slope.dtype) == (torch.float64, torch.float32)
    assert float(value) == pytest.approx(float(expected[0]), rel=1e-12)
    assert float((slope - expected[1]).abs().max()) <= 1e-6 * float(expected[1].abs().max())


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_squares_that_are_no_float32_leave_value_and_gradient(scale, order):
    Z = batch(64, 30).float()
    module = KernelEntropy(order=order)
    expected = value_and_gradient(module, Z)
    value, slope = value_and_gradient(module, Z * scale)
    assert float(value) == pytest.approx(float(expected[0]), rel=1e-5)
    error = float((slope * scale - expected[1]).abs().max())
    assert error <= 1e-4 * float(expected[1].abs().max())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("order", [1.0, 2.0, 3.0])
def test_nan_stays_nan_so_that_a_scaler_can_skip_the_step(order, bad):
    Z, labels, Y = batch(20, 3), torch.arange(20) % 2, batch(20, 3, seed=1)
    Z[4, 1] = bad
    value, slope = value_and_gradient(KernelEntropy(order=order), Z)
    assert value.isnan()
    assert slope.isnan().all()
    for estimator in ("matched", "plain"):
        module = KernelInformation(estimator=estimator, order=order, n_null=2)
        for y in (labels, Y):
            value, slope = value_and_gradient(lambda Z, m=module, y=y: m(Z, y), Z)
            assert value.isnan()
            assert slope.isnan().any()


@pytest.mark.parametrize("estimator", ["matched", "plain"])
def test_saturation_is_warned_about_once(estimator):
    Z, Y = batch(24, 3), batch(24, 3, seed=1)
    module = KernelEntropy(sigma=1e-6)
    with pytest.warns(eg.SaturationWarning, match="^sigma=1e-06 "):
        module(Z)
    module(Z)  # a second warning would be an error here
    information = KernelInformation(estimator=estimator, sigma=1e-6, sigma_y=1e-6, n_null=2)
    with pytest.warns(eg.SaturationWarning, match="^sigma(_y)?=1e-06 ") as found:
        information(Z, Y)
    assert [str(one.message).split("=")[0] for one in found] == ["sigma", "sigma_y"]
    information(Z, Y)


def test_a_second_derivative_is_refused_and_not_wrong():
    Z = batch().requires_grad_()
    with pytest.raises(RuntimeError, match="create_graph=True"):
        torch.autograd.grad(KernelEntropy(sigma=1.0)(Z), Z, create_graph=True)


@pytest.mark.parametrize("loss", [KernelEntropyLoss, KernelInformationLoss])
@pytest.mark.parametrize(("goal", "sign"), [("raise", 1), ("lower", -1)])
def test_training_moves_the_measure_towards_the_goal(goal, sign, loss):
    Z, labels = batch(60, 6).requires_grad_(), torch.arange(60) % 3
    others = (labels,) if loss is KernelInformationLoss else ()
    term = loss(weight=0.5, goal=goal, sigma=2.0)
    optimizer = torch.optim.SGD([Z], lr=20.0)
    values = []
    for _ in range(8):
        optimizer.zero_grad()
        found = term(Z, *others)
        assert float(found.detach()) == pytest.approx(-0.5 * sign * float(term.value))
        found.backward()
        optimizer.step()
        values.append(float(term.value))
    assert sign * (values[-1] - values[0]) > 0.05


def test_a_loss_pulls_two_batches_together():
    """The gradient of the information of vectors goes to both."""
    Z, Y = batch(50, 3).requires_grad_(), batch(50, 3, seed=1).requires_grad_()
    term = KernelInformationLoss(sigma=1.0, sigma_y=1.0)
    optimizer = torch.optim.SGD([Z, Y], lr=5.0)
    values = []
    for _ in range(8):
        optimizer.zero_grad()
        term(Z, Y).backward()
        optimizer.step()
        values.append(float(term.value))
    assert values[-1] - values[0] > 0.05


# Dynamo looks at the gradients of what is no leaf, and hides the warning about it, but no error.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")
def test_a_compiled_loss_is_the_same():
    module, Y = KernelInformation(n_null=2, sigma=1.0), batch(24, 2, seed=1)
    torch._dynamo.reset()
    compiled = torch.compile(lambda Z: 2.0 * module(Z.tanh(), Y), backend="eager")
    slope = value_and_gradient(compiled, batch())[1]
    expected = value_and_gradient(lambda Z: 2.0 * module(Z.tanh(), Y), batch())[1]
    torch.testing.assert_close(slope, expected, rtol=0.0, atol=0.0)
    torch._dynamo.reset()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("order", [1.0, 1.5, 2.0])
@pytest.mark.parametrize("method", ["auto", "exact", "stochastic"])
def test_cuda_agrees_with_the_cpu(method, order):
    Z, Y = batch(300, 40), batch(300, 20, seed=1)
    module = KernelEntropy(order=order, method=method)
    information = KernelInformation(order=order, method=method, n_null=2)
    for found, expected in (
        (value_and_gradient(module, Z.cuda()), value_and_gradient(module, Z)),
        (
            value_and_gradient(information, Z.cuda(), Y.cuda()),
            value_and_gradient(information, Z, Y),
        ),
    ):
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a.cpu(), b, rtol=1e-8, atol=1e-8 * float(b.abs().max()))


# ---- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, -1, math.inf, math.nan])
@pytest.mark.parametrize(
    "make", [KernelEntropy, KernelInformation, KernelEntropyLoss, KernelInformationLoss]
)
def test_an_order_that_has_no_gradient_is_refused(make, order):
    with pytest.raises(ValueError, match=rf"^order .* > 0.*, got .*{order}"):
        make(order=order)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sigma": 0}, ValueError, "^sigma .* 0$"),
        ({"method": "lowrank"}, ValueError, "^method .*'auto', 'exact', 'stochastic'.*'lowrank'"),
        ({"ordr": 2}, TypeError, "'ordr'.*'order'"),
        ({"alpha": 0.5}, TypeError, "'alpha'"),
        ({"t": 1.0}, TypeError, "'t'"),
    ],
)
def test_bad_options_are_named(options, error, message):
    for make in (KernelEntropy, KernelInformation):
        with pytest.raises(error, match=message):
            make(**options)
    with pytest.raises(error, match=message):
        functional.kernel_entropy(batch(), **options)


@pytest.mark.parametrize(
    ("Y", "options", "error", "message"),
    [
        (batch(23, 2), {}, ValueError, "^Y .* 23 rows, .* 24 rows"),
        (torch.zeros(24, 2).long(), {}, TypeError, "^Y .* torch.int64: .*Y.float"),
        (torch.zeros(24, 2).cfloat(), {}, TypeError, "^Y .*complex"),
        (np.zeros((24, 2)), {}, TypeError, "^Y .* ndarray"),
        ([0, 1, 2], {}, ValueError, "^Y .* 3 .* 24 "),
        (torch.zeros(24), {"kind": "numbers"}, ValueError, "^kind .*'labels'.*'numbers'"),
        (torch.zeros(24), {"sigma_y": 0}, ValueError, "^sigma_y .* 0$"),
        (torch.zeros(24), {"estimator": "best"}, ValueError, "^estimator .*'best'"),
        (torch.zeros(24), {"n_null": 1}, ValueError, "^n_null .* 2, .* 1"),
    ],
)
def test_a_y_that_does_not_fit_is_refused(Y, options, error, message):
    with pytest.raises(error, match=message):
        KernelInformation(**options)(batch(), Y)
