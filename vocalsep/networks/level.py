"""The level of a mixture, by which networks divide what they hear."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SILENCE = 1e-8


def local_level(magnitude: Tensor, reach: int) -> Tensor:
    """Return the RMS of magnitudes (batch, channels, bins, frames) over `reach` frames to either side.

    It has one channel and one bin, (batch, 1, 1, frames).
    """
    power = magnitude.square().mean(dim=(1, 2)).unsqueeze(1)
    around = functional.avg_pool1d(power, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
    return around.sqrt().unsqueeze(2)


def relative_level(magnitude: Tensor, reach: int) -> Tensor:
    """Divide magnitudes (batch, channels, bins, frames) by their RMS over `reach` frames to either side."""
    return magnitude / (local_level(magnitude, reach) + SILENCE)
