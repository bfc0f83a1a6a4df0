"""Rows of a tensor near the origin: centred, with wide gaps between their values closed."""

from __future__ import annotations

import torch

# G is 0 across this many sigma; see zero_kernel_distance in csrc/base/gaussian.hpp.
ZERO_KERNEL_DISTANCE = 40.0


@torch.no_grad()
def near_rows(rows: torch.Tensor, sigma: float) -> torch.Tensor:
    """The rows moved such that no entry of G changes, and neither does any z_i - z_j where G > 0.

    The mean row is subtracted. Beside a fill value such as 1e20 the other rows would lose their
    digits by that, so that columns with gaps that are much wider than sigma have them closed first.
    """
    separation = ZERO_KERNEL_DISTANCE * sigma
    low, high = rows.aminmax(dim=0)
    if bool((high / 2 - low / 2 > separation).any()):  # the whole may overflow
        rows = close_gaps(rows, separation)
    return centered(rows)


def centered(rows: torch.Tensor) -> torch.Tensor:
    """Minus the mean row; of equal rows, whose mean may be rounded, exactly 0."""
    offsets = rows - rows[0]
    return offsets - offsets.mean(dim=0)


def close_gaps(rows: torch.Tensor, separation: float) -> torch.Tensor:
    """Each column with its gaps of more than twice the separation as wide as the separation."""
    values, order = rows.sort(dim=0)
    starts = torch.zeros_like(values, dtype=torch.bool)
    starts[1:] = values[1:] / 2 - values[:-1] / 2 > separation
    numbers = torch.arange(len(rows), device=rows.device)[:, None].expand_as(values)
    first = torch.where(starts, numbers, 0).cummax(dim=0).values
    inside = values - values.gather(0, first)  # of the segment
    before = torch.zeros_like(values)  # the width of the segment before, where one starts
    before[1:] = torch.where(starts[1:], inside[:-1] + separation, 0.0)
    return torch.empty_like(rows).scatter_(0, order, inside + before.cumsum(dim=0))
