"""Dispersion losses: how near to each other the tokens of each sequence point."""

from __future__ import annotations

from typing import Any

import torch

from eigentropy._support.signatures import named_options
from eigentropy.torch.losses.dispersion_pairs import (
    DispersionOptions,
    sequences_at_a_time,
    solved,
)
from eigentropy.torch.losses.kernel import full_precision
from eigentropy.torch.losses.modules import Schedule, Weighted
from eigentropy.torch.losses.sequences import kept_states
from eigentropy.torch.uncompiled import uncompiled


class DispersionLoss(Weighted):
    r"""A term for a loss that pushes the tokens of each sequence apart.

    ``weight * schedule(step) * mean of L`` over the sequences, where L is a mean over all ordered
    pairs i != j of kept tokens of a sequence. With :math:`\theta_{ij}`, the angle between both, in
    [0, pi], and tau, the temperature:

    =============== ==============================================================================
    variant         L
    =============== ==============================================================================
    `angular`       log mean exp(-theta_ij / (pi tau))
    `l2`            log mean exp(-\|z_i - z_j\|^2 / tau) + norm_penalty times the mean of z^2
    `decorrelation` mean c_ij^2, with the correlation c_ij of two tokens over the features
    `orthogonal`    mean max(0, margin - theta_ij / pi)^2
    =============== ==============================================================================

    These are the forms of the paper, with means where the paper sums, so that L does not depend on
    the number of tokens.

    **Near pairs.** The slope of arccos has no limit at a cosine of 1 or -1, but a step of a token
    along the sphere changes the cosine by the sine of the angle, and the product of both is
    bounded. It is computed with a sine of at least 8 roots of eps (0.003 in float32): closer tokens
    push each other less, in proportion to their angle, and equal ones not at all. A token of length
    0 has a cosine of 0 with all others, and no gradient.

    There is no second derivative; ``create_graph=True`` raises an error. The pairs are looked at
    some millions at a time, and only the gradient is kept until `backward()`.

    Parameters
    ----------
    weight : float
    schedule : callable, optional
        As in `EntropyLoss`.
    variant : {"angular", "l2", "decorrelation", "orthogonal"}
    temperature : float
        tau of "angular" and "l2".
    clamp : float
        For "angular" and "orthogonal": a cosine above 1 - clamp or below clamp - 1 counts as that
        limit, with the slope that arccos has there. The authors' own training has 0.25, under which
        the loss says little about tokens that are nearly parallel.
    margin : float
        For "orthogonal": angles above this share of pi cost nothing.
    norm_penalty : float
        For "l2", without which the tokens would grow without end.
    drop_first : int
        As in `SequenceEntropy`.

    Attributes
    ----------
    value : tensor
        The mean L of the last batch, without weight and graph.

    References
    ----------
    Dispersion loss counteracts embedding condensation and improves generalization in small language
    models, arXiv 2602.00217.

    Examples
    --------
    >>> import torch
    >>> from eigentropy.torch import DispersionLoss
    >>> Z = torch.randn(4, 32, 8, requires_grad=True)      # 4 sequences of 32 tokens
    >>> loss = DispersionLoss(weight=0.1)(Z)
    >>> loss.backward()
    >>> Z.grad.shape
    torch.Size([4, 32, 8])
    """

    @named_options()
    def __init__(
        self,
        weight: float = 1.0,
        schedule: Schedule | None = None,
        variant: str = "angular",
        temperature: float = 1.0,
        clamp: float = 0.0,
        margin: float = 0.5,
        norm_penalty: float = 0.1,
        drop_first: int = 0,
    ) -> None:
        super().__init__(weight, "lower", schedule)
        self.options = DispersionOptions(
            variant=variant,
            temperature=temperature,
            clamp=clamp,
            margin=margin,
            norm_penalty=norm_penalty,
            drop_first=drop_first,
        )

    def forward(self, Z: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """The term for the sequences of Z.

        Parameters
        ----------
        Z : tensor of shape (b, l, d), or nested with b sequences
        mask : tensor of shape (b, l), optional
            As for `SequenceEntropy`.

        Returns
        -------
        tensor
            A scalar; float64 for float64, else float32. A sequence of one kept token counts as 0,
            one with NaN or infinity makes it NaN.

        Raises
        ------
        ValueError, TypeError
            As for `SequenceEntropy`.
        """
        return self._weighted(_dispersion(Z, mask, self.options).mean())

    def extra_repr(self) -> str:
        """The options, as PyTorch shows them."""
        o = self.options
        given = f"weight={self.weight:g}, variant={o.variant!r}, temperature={o.temperature:g}"
        own = f"clamp={o.clamp:g}, margin={o.margin:g}, norm_penalty={o.norm_penalty:g}"
        return f"{given}, {own}, drop_first={o.drop_first}"


@named_options()
def dispersion(
    Z: torch.Tensor,
    mask: torch.Tensor | None = None,
    *,
    variant: str = "angular",
    temperature: float = 1.0,
    clamp: float = 0.0,
    margin: float = 0.5,
    norm_penalty: float = 0.1,
    drop_first: int = 0,
) -> torch.Tensor:
    """How near to each other the tokens of each sequence point, with a gradient.

    `eigentropy.torch.DispersionLoss` has the formulas and describes the options.

    Parameters
    ----------
    Z : tensor of shape (b, l, d), or nested with b sequences
    mask : tensor of shape (b, l), optional
    variant, temperature, clamp, margin, norm_penalty, drop_first
        As in `eigentropy.torch.DispersionLoss`.

    Returns
    -------
    tensor of shape (b,)
    """
    options = DispersionOptions(variant, temperature, clamp, margin, norm_penalty, drop_first)
    return _dispersion(Z, mask, options)


@uncompiled  # numbers go to the host
def _dispersion(
    Z: torch.Tensor, mask: torch.Tensor | None, options: DispersionOptions
) -> torch.Tensor:
    states, kept = kept_states(Z, mask, options.drop_first)
    variable = states if torch.is_grad_enabled() else states.detach()
    values: torch.Tensor = _Dispersion.apply(variable, kept, options)  # type: ignore[no-untyped-call]
    return values


class _Dispersion(torch.autograd.Function):
    """From states to L of each sequence; the gradient is computed with the values."""

    @staticmethod
    def forward(
        ctx: Any, states: torch.Tensor, kept: torch.Tensor, options: DispersionOptions
    ) -> torch.Tensor:
        """L, (b,), in float64 for float64 and in float32 for all else."""
        dtype = torch.promote_types(states.dtype, torch.float32)
        values, slopes = [], []
        at_a_time = sequences_at_a_time(states.shape[1])
        with full_precision(states.device):
            for part, real in zip(
                torch.split(states, at_a_time), torch.split(kept, at_a_time), strict=True
            ):
                filled = part.detach().to(dtype).masked_fill(~real[..., None], 0.0)
                value, slope = solved(filled, real, options, ctx.needs_input_grad[0])
                values.append(value)
                slopes += [] if slope is None else [slope]
        if slopes:
            ctx.save_for_backward(torch.cat(slopes))
        ctx.states_dtype = states.dtype
        return torch.cat(values)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Upstream times dL/dZ."""
        if torch.is_grad_enabled():  # PyTorch would take this gradient for a constant
            raise RuntimeError(
                "the dispersion has no second derivative: leave out create_graph=True"
            )
        (slope,) = ctx.saved_tensors
        return (slope * upstream[:, None, None]).to(ctx.states_dtype), None, None
