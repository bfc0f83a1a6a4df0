"""The definitions in plain NumPy: short, slow, obviously right. The tests compare with these."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def squared_distances(Z: Any) -> Array:
    """Squared Euclidean distances by differences, row by row."""
    Z = np.asarray(Z, dtype=np.float64)
    return np.array([((Z - z) ** 2).sum(axis=1) for z in Z])


def diffusion_operator(Z: Any, sigma: float, alpha: float = 0.5) -> Array:
    """A = D^-1/2 K D^-1/2 with K_ij = G_ij / (q_i q_j)^alpha."""
    G = np.exp(-squared_distances(Z) / (2 * sigma**2))
    q = G.sum(axis=1)
    K = G / np.outer(q, q) ** alpha
    d = K.sum(axis=1)
    A: Array = K / np.sqrt(np.outer(d, d))
    return A


def entropy_of_spectrum(eigenvalues: Any, t: float = 1.0, base: float = 2.0) -> float:
    """S = -sum a log a, a = lambda^t / sum lambda^t, noise below 10 eps being 0."""
    values = np.abs(np.asarray(eigenvalues, dtype=np.float64))
    values = values / values.max()
    powers = np.where(values > 10 * np.finfo(float).eps, values, 0.0) ** t
    a = powers / powers.sum()
    a = a[a > 0]
    return float(-(a * np.log(a)).sum() / np.log(base))


def diffusion_spectral_entropy(
    Z: Any, sigma: float, t: float = 1.0, alpha: float = 0.5, base: float = 2.0
) -> float:
    """DSE from NumPy's eigenvalues."""
    eigenvalues = np.linalg.eigvalsh(diffusion_operator(Z, sigma, alpha))
    return entropy_of_spectrum(eigenvalues, t, base)


def conditional_entropy(Z: Any, labels: Any, sigma: float, **options: float) -> float:
    """sum_y p_y S(Z | y)."""
    Z, labels = np.asarray(Z), np.asarray(labels)
    return sum(
        float(np.mean(labels == y)) * diffusion_spectral_entropy(Z[labels == y], sigma, **options)
        for y in np.unique(labels)
    )


def plain_information(Z: Any, labels: Any, sigma: float, **options: float) -> float:
    """S(Z) - sum_y p_y S(Z | y)."""
    whole = diffusion_spectral_entropy(Z, sigma, **options)
    return whole - conditional_entropy(Z, labels, sigma, **options)


def density_matrix(Z: Any, sigma: float) -> Array:
    """The density matrix rho = G / n, of trace 1."""
    G: Array = np.exp(-squared_distances(Z) / (2 * sigma**2))
    return G / len(G)


def renyi_entropy(eigenvalues: Any, order: float = 1.0, base: float = 2.0) -> float:
    """log(sum p^a) / (1 - a), at a = 1 -sum p log p, at infinity -log max p; noise is 0."""
    values = np.asarray(eigenvalues, dtype=np.float64)
    p = values[values > 10 * np.finfo(float).eps * values.max()]
    if order == 1:
        nats = -(p * np.log(p)).sum()
    elif order == np.inf:
        nats = -np.log(p.max())
    else:
        nats = np.log((p**order).sum()) / (1 - order)
    return float(nats / np.log(base))


def kernel_entropy(Z: Any, sigma: float, order: float = 1.0, base: float = 2.0) -> float:
    """Renyi entropy of the eigenvalues of rho; von Neumann entropy at order 1."""
    return renyi_entropy(np.linalg.eigvalsh(density_matrix(Z, sigma)), order, base)


def holevo_information(Z: Any, labels: Any, sigma: float, **options: float) -> float:
    """The Holevo information S(rho) - sum_y p_y S(rho_y)."""
    Z, labels = np.asarray(Z), np.asarray(labels)
    within = sum(
        float(np.mean(labels == y)) * kernel_entropy(Z[labels == y], sigma, **options)
        for y in np.unique(labels)
    )
    return kernel_entropy(Z, sigma, **options) - within


def joint_information(X: Any, Y: Any, sigma_x: float, sigma_y: float, **options: float) -> float:
    """I = S(G_X / n) + S(G_Y / n) - S(G_X o G_Y / n): the joint kernel is a product of entries."""
    joint = np.column_stack([np.asarray(X) / sigma_x, np.asarray(Y) / sigma_y])
    apart = kernel_entropy(X, sigma_x, **options) + kernel_entropy(Y, sigma_y, **options)
    return apart - kernel_entropy(joint, 1.0, **options)


def multislice_kernel(
    units: Any, knn: int, decay: float, interslice_knn: int, threshold: float = 0.0
) -> Array:
    """The kernel of M-PHATE between units at epochs, pair by pair; units (epochs, units, samples).

    Weights below the threshold are 0, before and after both directions are averaged. Units that
    differ by the rounding of their z-scores are copies.
    """
    Z = np.asarray(units, dtype=np.float64)
    Z = Z - Z.mean(axis=2, keepdims=True)
    Z = Z / np.where(Z.std(axis=2, keepdims=True) > 0.0, Z.std(axis=2, keepdims=True), 1.0)
    epochs, count, _ = Z.shape

    def distance(e: int, i: int, f: int, j: int) -> float:
        r = float(np.sqrt(((Z[e, i] - Z[f, j]) ** 2).sum()))
        return r if r > 1e-14 * np.sqrt(Z.shape[2]) else 0.0

    def weight(r: float, width: float, power: float) -> float:
        return float(np.exp(-((r / width) ** power))) if width > 0.0 else float(r == 0.0)

    def kept(value: float) -> float:
        return value if value >= threshold else 0.0

    def directed(e: int, i: int, j: int) -> float:
        width = sorted(distance(e, i, e, other) for other in range(count))[knn]
        return kept(weight(distance(e, i, e, j), width, decay))

    def reach(e: int, i: int) -> float:
        return sorted(distance(e, i, f, i) for f in range(epochs))[interslice_knn]

    everywhere = [[reach(e, i) for e in range(epochs)] for i in range(count)]
    epsilon = float(np.mean([np.median(of_unit) for of_unit in everywhere]))
    K = np.zeros((epochs * count, epochs * count))
    for e in range(epochs):
        for i in range(count):
            for j in range(count):
                K[e * count + i, e * count + j] = kept((directed(e, i, j) + directed(e, j, i)) / 2)
            for f in set(range(epochs)) - {e}:
                K[e * count + i, f * count + i] = kept(weight(distance(e, i, f, i), epsilon, 2.0))
    return K
