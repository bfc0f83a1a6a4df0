"""What a user of torch would write for an entropy and an information, on the GPU."""

from __future__ import annotations

from typing import Any

import numpy as np


def operator(torch: Any, Z: Any, sigma: float) -> Any:
    G = torch.exp(torch.cdist(Z, Z).square_() / (-2.0 * sigma**2))
    weights = G.sum(dim=1).rsqrt()  # alpha = 1/2
    K = G.mul_(weights[:, None]).mul_(weights[None, :])
    roots = K.sum(dim=1).rsqrt()
    return K.mul_(roots[:, None]).mul_(roots[None, :])


def entropy(torch: Any, Z: Any, sigma: float) -> float:
    values = torch.linalg.eigvalsh(operator(torch, Z, sigma)).clamp_(0.0, 1.0)
    values = values / values.sum()
    return float(-torch.xlogy(values, values).sum() / np.log(2.0))


def information(torch: Any, Z: Any, labels: np.ndarray, sigma: float, n_null: int) -> float:
    """Plain information less its null: the conditional entropies of all partitions, one by one."""
    rng = np.random.default_rng(0)
    conditional = []
    for partition in range(1 + n_null):
        codes = labels if partition == 0 else rng.permutation(labels)
        groups = [torch.as_tensor(np.flatnonzero(codes == c), device=Z.device) for c in set(labels)]
        entropies = [len(g) / len(Z) * entropy(torch, Z[g], sigma) for g in groups]
        conditional.append(sum(entropies))
    return float(np.mean(conditional[1:]) - conditional[0])
