"""Output heads: convert the last layer's values to masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .level import EPSILON


def masks(values: Tensor, magnitude: Tensor, level: Tensor, head: str, training: bool) -> Tensor:
    """Convert a network's last values to masks, (batch, channels, bins, frames).

    Parameters
    ----------
    values : Tensor (batch, channels, bins, frames)
    magnitude : Tensor (batch, channels, bins, frames)
        Of the mixture.
    level : Tensor (batch, 1, 1, frames)
        Unit of the values if they are magnitudes.
    head : str
        ``mask`` or ``magnitude``, see `configs.MaskConfig`. With the latter, as in Jeongseungwoo's
        Singing-Voice-Separation, the values are the vocals' magnitudes; divided by the mixture's they are masks.
    training : bool
        While training, these masks have no upper bound, so that estimates above 1 get a gradient too. Otherwise they
        are limited to 1.
    """
    if head == "mask":
        return torch.sigmoid(values)
    ratio = functional.relu(values) * level / (magnitude + EPSILON)
    return ratio if training else ratio.clamp(max=1.0)
