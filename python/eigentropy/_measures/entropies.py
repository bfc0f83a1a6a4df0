"""Both entropies of the same rows, from the same passes over their kernel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eigentropy._backends.host_arrays import as_numpy
from eigentropy._backends.rows import sample_rows
from eigentropy._kernels.groups import check_length
from eigentropy._measures.kernel_results import KernelEntropy
from eigentropy._measures.measurement import MeasurementSettings, measure
from eigentropy._measures.results import DiffusionEntropy
from eigentropy._measures.sampling.halves import check_blocks
from eigentropy._support.progress import Callback
from eigentropy._support.signatures import named_options


class Entropies(NamedTuple):
    """The two entropies of the same rows.

    Attributes
    ----------
    dse : DiffusionEntropy
    kernel_entropy : KernelEntropy
    """

    dse: DiffusionEntropy
    kernel_entropy: KernelEntropy


@named_options()
def entropies(
    Z: Any,
    *,
    t: float = 1.0,
    order: float = 1.0,
    sigma: float | str = "auto",
    alpha: float = 0.5,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    blocks: Any = None,
    dtype: Any = None,
    device: Any = None,
    seed: int = 0,
    progress: bool | Callback = False,
) -> Entropies:
    """`diffusion_spectral_entropy` and `kernel_entropy` of the same rows, in one go.

    Both are of the same Gaussian kernel. Where both are estimated, as beyond some 6000 rows, each
    pass over the kernel serves both; otherwise this is two calls. The values are those of the two
    functions, but for rounding.

    Parameters
    ----------
    Z : array-like of shape (n, d)
        As in `diffusion_spectral_entropy`.
    t, alpha
        Of the diffusion spectral entropy.
    order : float
        Of the kernel entropy.
    sigma, base, method, tol, dtype, device, seed, progress
        As in `diffusion_spectral_entropy`.
    blocks : array-like of length n, optional
        Rows with the same value belong together, such as the tokens of one prompt, and other
        samples are samples of blocks. It changes `sampling_error` and ``interval(of="sample")``
        alone, which are then found from halves and three quarters of the blocks. That takes longer
        than the entropies. Of more than 4096 rows, random blocks with 4096 rows stand for all. The
        error of the diffusion entropy may then be too small: docs/how_to/uncertainty.md.

    Returns
    -------
    Entropies
        A tuple with the attributes `dse` and `kernel_entropy`.

    Raises
    ------
    ValueError
        As the two functions; blocks of another length than Z, or fewer than 16 of them.

    See Also
    --------
    eigentropy.diffusion_spectral_entropy, eigentropy.kernel_entropy : one of them, with all options

    Examples
    --------
    >>> import numpy as np, eigentropy as eg
    >>> Z = np.random.default_rng(0).normal(size=(300, 8))
    >>> both = eg.entropies(Z)
    >>> float(both.dse) == float(eg.dse(Z))
    True
    """
    settings = MeasurementSettings(
        t=(t,), sigma=sigma, alpha=alpha, base=base, method=method, tol=tol, dtype=dtype,
        device=device, seed=seed, kernel=True, order=(order,),
    )  # fmt: skip
    rows, of_rows = sample_rows(Z, None, settings.seed)[0], None
    if blocks is not None:
        of_rows = as_numpy(blocks, "blocks").reshape(-1)
        check_length(of_rows, len(rows), "blocks")
        check_blocks(len(np.unique(of_rows)))
    found = measure(rows, {}, settings, progress)
    dse, kernel_entropy = found.entropies[0], found.kernel_entropies[0]
    if of_rows is not None:
        dse, kernel_entropy = dse.over_blocks(of_rows), kernel_entropy.over_blocks(of_rows)
    return Entropies(dse, kernel_entropy)
