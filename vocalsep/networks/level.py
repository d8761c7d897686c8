"""The level of a mixture, by which networks divide what they hear."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SILENCE = 1e-8


def relative_level(magnitude: Tensor, reach: int) -> Tensor:
    """Divide magnitudes (batch, channels, bins, frames) by their RMS over `reach` frames to either side."""
    power = magnitude.square().mean(dim=(1, 2)).unsqueeze(1)
    around = functional.avg_pool1d(power, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
    return magnitude / (around.sqrt() + SILENCE).unsqueeze(2)
