"""The local level of a mixture, by which networks normalise their input."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

# Added to levels and powers, so that divisions by those of silence are defined.
EPSILON = 1e-8


def local_level(magnitude: Tensor, radius: int) -> Tensor:
    """Return the RMS of magnitudes (batch, channels, bins, frames) over `radius` frames to either side.

    Returns (batch, 1, 1, frames): one level for all channels and bins of a frame.
    """
    power = magnitude.square().mean(dim=(1, 2)).unsqueeze(1)
    around = functional.avg_pool1d(power, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
    return around.sqrt().unsqueeze(2)


def relative_level(magnitude: Tensor, radius: int) -> Tensor:
    """Divide magnitudes (batch, channels, bins, frames) by their RMS over `radius` frames to either side."""
    return magnitude / (local_level(magnitude, radius) + EPSILON)
