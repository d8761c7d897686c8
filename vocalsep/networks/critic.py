"""A critic: distinguishes magnitudes of real sources from a separator's estimates.

After D. Stoller, S. Ewert, S. Dixon: "Adversarial Semi-Supervised Audio Source Separation applied to Singing Voice
Extraction", ICASSP 2018, whose critics are those of DCGAN (Radford et al., ICLR 2016) without batch norm, as the
gradient penalty requires (Gulrajani et al., NeurIPS 2017).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FILTERS = (16, 32, 64, 128)
KERNEL = 5
SLOPE = 0.2


class Critic(nn.Module):
    """Scores excerpts: higher means more like a real source.

    Parameters
    ----------
    channels : int
        Audio channels.
    """

    def __init__(self, channels: int):
        super().__init__()
        layers: list[nn.Module] = []
        for before, count in zip((channels, *FILTERS), FILTERS, strict=False):
            layers += [nn.Conv2d(before, count, KERNEL, stride=2, padding=KERNEL // 2), nn.LeakyReLU(SLOPE)]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(FILTERS[-1], 1)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return a score for each of (batch, channels, bins, frames), on a common level, as (batch,)."""
        features = torch.log1p(magnitude.to(self.last.weight.dtype))
        score: Tensor = self.last(self.layers(features).mean(dim=(2, 3)))
        return score.squeeze(1)
