"""From the last layer's values to masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .level import SILENCE


def masks(values: Tensor, magnitude: Tensor, level: Tensor, head: str, training: bool) -> Tensor:
    """Return masks, (batch, channels, bins, frames) as `values`.

    Parameters
    ----------
    values : Tensor (batch, channels, bins, frames)
    magnitude : Tensor (batch, channels, bins, frames)
        The mixture's.
    level : Tensor (batch, 1, 1, frames)
        The unit of the values where they are magnitudes.
    head : str
        ``mask`` or ``magnitude``, see `configs.MaskConfig`. The latter is how Jeongseungwoo's
        Singing-Voice-Separation ends: its network gives the vocals' magnitudes. Divided by the mixture's they are a
        mask like any other.
    training : bool
        While training such masks have no upper bound, so that every estimate learns from its error. Vocals louder
        than their mixture are taken for as loud as it.
    """
    if head == "mask":
        return torch.sigmoid(values)
    found = functional.relu(values) * level / (magnitude + SILENCE)
    return found if training else found.clamp(max=1.0)
