"""The entropy of each sequence of tokens as a differentiable module and as a term of a loss."""

from __future__ import annotations

import math
from typing import ClassVar

import torch

from eigentropy._support.signatures import named_options
from eigentropy.torch.losses.functional import WidthCheck
from eigentropy.torch.losses.modules import EntropyLoss
from eigentropy.torch.losses.sequences import SequenceOptions, SequencesFound, sequence_entropies


class SequenceEntropy(torch.nn.Module):
    r"""The entropy of the tokens of each sequence, with its gradient in closed form.

    .. math:: S_k = S(\{z_{ki} : i \text{ kept}\}), \qquad k = 1, \ldots, b

    Each sequence has a kernel of its own. The values are those of `eigentropy.dse` or
    `eigentropy.kernel_entropy` of its kept tokens, and the gradient is that of
    `DiffusionSpectralEntropy` or `KernelEntropy`. On the CPU one call of the core computes all
    sequences, each on one thread; elsewhere, and where a sequence is estimated from random probes,
    PyTorch's operations compute one after the other.

    There is no second derivative; ``create_graph=True`` raises an error. sigma is a constant for
    the gradient, as in `DiffusionSpectralEntropy`, which says what that does to the scale of Z.

    Parameters
    ----------
    measure : {"dse", "kernel_entropy"}
    sigma : float or str
        Kernel width, or a rule of `eigentropy.bandwidth`.
    sigma_of : {"sequence", "batch"}
        What a rule looks at: the tokens of each sequence, so that the entropy does not depend on
        the scale of a sequence, or those of the whole batch, so that all sequences have one sigma.
    alpha, t : float
        As in `DiffusionSpectralEntropy`; for "dse".
    order : float
        As in `KernelEntropy`; for "kernel_entropy".
    base, method, tol, seed
        As in `DiffusionSpectralEntropy`.
    drop_first : int
        This many real tokens at the beginning of each sequence are not kept, such as a token that
        all sequences begin with.

    Attributes
    ----------
    options : SequenceOptions
    sigma_used : tensor of shape (b,)
        The width for each sequence of the last batch, NaN where it is not finite; empty before the
        first.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import SequenceEntropy
    >>> Z = torch.randn(4, 32, 8, requires_grad=True)      # 4 sequences of 32 tokens
    >>> mask = torch.arange(32) < torch.tensor([[32], [20], [8], [32]])
    >>> S = SequenceEntropy()(Z, mask)
    >>> S.shape
    torch.Size([4])
    >>> S.mean().backward()
    >>> bool((Z.grad[~mask] == 0).all())
    True
    """

    @named_options()
    def __init__(
        self,
        measure: str = "dse",
        sigma: float | str = "auto",
        sigma_of: str = "sequence",
        alpha: float = 0.5,
        t: float = 1.0,
        order: float = 1.0,
        base: float = 2.0,
        method: str = "auto",
        tol: float = 1e-3,
        seed: int = 0,
        drop_first: int = 0,
    ) -> None:
        super().__init__()
        self.options = SequenceOptions.of(
            measure,
            sigma_of,
            drop_first,
            {"alpha": alpha, "t": t, "order": order},
            sigma=sigma,
            base=base,
            method=method,
            tol=tol,
            seed=seed,
        )
        self._widths = SequenceWidths()

    @property
    def sigma_used(self) -> torch.Tensor:
        """The width for each sequence of the last batch."""
        return torch.tensor(self._widths.sigmas, dtype=torch.float64)

    def forward(self, Z: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The entropy of each sequence of Z.

        Parameters
        ----------
        Z : tensor of shape (b, l, d), or nested with b sequences
            float16, bfloat16, float32 or float64.
        mask : tensor of shape (b, l), optional
            True, or not 0, where a token is real; padding may stand on either side.

        Returns
        -------
        tensor of shape (b,)
            float64 for float64, else float32. NaN, with a gradient of NaN, for a sequence that has
            NaN or infinity in a kept token; 0, with a gradient of 0, for one kept token.

        Raises
        ------
        ValueError, TypeError
            Z is not (b, l, d) of floating-point numbers, the mask has another shape, or no token is
            kept of a sequence.
        MemoryError
            As of `DiffusionSpectralEntropy`.

        Warns
        -----
        SaturationWarning
            Once: sigma is so small or so large that S, and its gradient, say nothing about Z.
        """
        return sequence_entropies(Z, mask, self.options, self._widths.look)

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        return self.options.shown()


@named_options()
def sequence_entropy(
    Z: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    measure: str = "dse",
    sigma: float | str = "auto",
    sigma_of: str = "sequence",
    alpha: float = 0.5,
    t: float = 1.0,
    order: float = 1.0,
    base: float = 2.0,
    method: str = "auto",
    tol: float = 1e-3,
    seed: int = 0,
    drop_first: int = 0,
) -> torch.Tensor:
    """The entropy of the tokens of each sequence, with a gradient.

    `eigentropy.torch.SequenceEntropy` describes the options, the gradient and the errors.

    Parameters
    ----------
    Z : tensor of shape (b, l, d), or nested with b sequences
    mask : tensor of shape (b, l), optional
    measure, sigma, sigma_of, alpha, t, order, base, method, tol, seed, drop_first
        As in `eigentropy.torch.SequenceEntropy`.

    Returns
    -------
    tensor of shape (b,)

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import functional
    >>> Z = torch.randn(4, 32, 8, requires_grad=True)
    >>> functional.sequence_entropy(Z, sigma=1.0).sum().backward()
    >>> Z.grad.shape
    torch.Size([4, 32, 8])
    """
    module = SequenceEntropy(
        measure=measure,
        sigma=sigma,
        sigma_of=sigma_of,
        alpha=alpha,
        t=t,
        order=order,
        base=base,
        method=method,
        tol=tol,
        seed=seed,
        drop_first=drop_first,
    )
    value: torch.Tensor = module(Z, mask)
    return value


class SequenceWidths:
    """Remembers the kernel widths of the last batch; warns once if they say nothing about it."""

    def __init__(self) -> None:
        self.sigmas: list[float] = []
        self._check = WidthCheck()

    def look(self, found: SequencesFound) -> None:
        """At the sums of the kernels of the finite sequences."""
        self.sigmas = found.sigmas
        seen = [k for k, total in enumerate(found.kernel_sums) if math.isfinite(total)]
        if seen:
            widths = sorted(found.sigmas[k] for k in seen)
            self._check.sigma = widths[len(widths) // 2]
            sums, sizes = [found.kernel_sums[k] for k in seen], [found.lengths[k] for k in seen]
            self._check.check(sums, sizes)


class SequenceEntropyLoss(EntropyLoss):
    """A term for a loss that raises or lowers the mean entropy of the sequences of a batch.

    ``-weight * schedule(step) * mean of S`` to raise it, with a plus to lower it. Without `mask`
    all tokens count: of a padded batch those of the padding, too, which cannot be told from others.

    Parameters
    ----------
    weight, goal, schedule
        As in `EntropyLoss`.
    **options
        As in `SequenceEntropy`.

    Attributes
    ----------
    value : tensor
        The mean entropy of the last batch, without weight and graph.
    """

    measure: ClassVar[type[torch.nn.Module]] = SequenceEntropy

    def forward(self, Z: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The term for the sequences of Z; see `SequenceEntropy`."""
        return self._weighted(self.entropy(Z, mask).mean())
