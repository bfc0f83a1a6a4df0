"""Joint distributions whose bottleneck is known, and the equations in plain NumPy."""

from __future__ import annotations

import numpy as np


def binary_symmetric(p):
    """A fair bit, and the same bit flipped with probability p."""
    return 0.5 * np.array([[1 - p, p], [p, 1 - p]])


def tree(flips):
    """2^k leaves, uniform: Y goes down the tree as X does, but takes the wrong turn by chance.

    `flips` are the probabilities of a wrong turn at each level from the root. Once Y is in another
    subtree than X, its turns are fair.
    """
    size = 2 ** len(flips)
    P = np.ones((size, size))
    for x in range(size):
        for y in range(size):
            for level, flip in enumerate(flips):
                above = len(flips) - level
                if x >> above != y >> above:
                    P[x, y] /= 2
                else:
                    P[x, y] *= flip if x >> above - 1 != y >> above - 1 else 1 - flip
    return P / size


def tree_splits(flips):
    """The critical betas of `tree`, derived by its symmetry, and the largest error of a bisection.

    Before split l + 1 there are 2^l clusters, one a subtree. With w_j the probability of cluster t
    that x is in the part of the tree that left the path to t at level j (w_l: in t's own subtree),
    and v_j that of y,

        v = w's image under the channel,  log(w_j / n_j) - log p(t) = beta sum_y p(y|x) log v(y|t)

    and the contrast of the two halves of t's own subtree, an eigenvector of the channel with the
    eigenvalue lambda, grows by beta lambda^2 (w_l / v_l) a step.
    """
    return [_split(flips, level) for level in range(len(flips))]


def _split(flips, level):
    stay = np.prod([1 - f for f in flips[:level]])
    eigenvalue = stay * (1 - 2 * flips[level])

    def growth(beta):
        w, v = _weights(np.array(flips[:level]), beta)
        return beta * eigenvalue**2 * w[-1] / v[-1]

    low, high = 1.0, 1000.0
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if growth(middle) < 1 else (low, middle)
    return low


def _weights(flips, beta):
    """w and v of `tree_splits` for clusters that are the subtrees at this level."""
    levels = len(flips)
    if levels == 0:
        return np.ones(1), np.ones(1)
    channel = tree(flips) * 2**levels
    # Of leaf y: where it left the path to leaf 0.
    part = np.array([levels - int(y).bit_length() for y in range(2**levels)])
    w = np.where(part == levels, 0.9, 0.1 / (2**levels - 1))
    for _ in range(20000):
        scores = beta * (channel @ np.log(channel.T @ w))
        new = np.exp(scores - scores.max())
        new /= new.sum()
        if np.abs(new - w).max() < 1e-15:
            break
        w = new
    v = channel.T @ w
    of_parts = [[array[part == j].sum() for j in range(levels + 1)] for array in (w, v)]
    return np.array(of_parts[0]), np.array(of_parts[1])


def random_joint(seed, n_x, n_y, concentration=0.5):
    """p(x) and each p(y|x) drawn from Dirichlet distributions."""
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.full(n_y, concentration), size=n_x)
    return rows * rng.dirichlet(np.full(n_x, 2.0))[:, None]


def step_by_loops(p_xy, encoder, beta, alpha=1.0):
    """The encoder that follows from another one, by the three equations, without any shortcut.

    `encoder` is p(t|x), shape (n_x, n_t).
    """
    n_x, n_y = p_xy.shape
    n_t = encoder.shape[1]
    p_x = p_xy.sum(axis=1)
    p_t = np.array([sum(p_x[x] * encoder[x, t] for x in range(n_x)) for t in range(n_t)])
    given_t = np.array(
        [[sum(encoder[x, t] * p_xy[x, y] for x in range(n_x)) / p_t[t] for y in range(n_y)]
         for t in range(n_t)]
    )  # fmt: skip
    new = np.zeros((n_x, n_t))
    for x in range(n_x):
        given_x = p_xy[x] / p_x[x]
        for t in range(n_t):
            divergence = sum(
                given_x[y] * np.log(given_x[y] / given_t[t, y])
                for y in range(n_y)
                if given_x[y] > 0
            )
            new[x, t] = (p_t[t] * np.exp(-beta * divergence)) ** (1 / alpha)
        new[x] /= new[x].sum()
    return new


def information(joint):
    """The mutual information of a matrix in bits."""
    product = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / product[seen])).sum())


def discrete_gaussian(correlation, points=41, width=5.0):
    """Two Gaussian variables of this correlation on a grid, whose spacing is narrow for them."""
    grid = np.linspace(-width, width, points)
    x, y = np.meshgrid(grid, grid, indexing="ij")
    density = np.exp(-(x**2 - 2 * correlation * x * y + y**2) / (2 * (1 - correlation**2)))
    return density / density.sum()
