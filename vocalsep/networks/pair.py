"""Two networks, one for each source, whose estimates' ratio is the mask.

Jansson et al. (ISMIR 2017) train a network for the vocals and one for the accompaniment; in Spleeter (Hennequin et al.,
JOSS 2020) the mask is the vocals' share of the power of both estimates.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ModelError
from .configs.pair import PairConfig
from .network import MaskNetwork
from .table import build

# Smallest estimate, so that the ratio of two silent ones is defined.
LEAST = 1e-6


class Pair(MaskNetwork):
    """Estimate vocals and accompaniment with one network each."""

    sources = 2

    def __init__(self, config: PairConfig):
        super().__init__()
        self.config: PairConfig = config
        self.vocals, self.accompaniment = (self._one() for _ in range(2))
        self.layout = self.vocals.layout

    def _one(self) -> MaskNetwork:
        network = build(self.config.architecture, self.config.network)
        if not isinstance(network, MaskNetwork) or network.sources != 1:
            raise ModelError(f"the networks of a pair must estimate masks; {self.config.architecture!r} does not")
        return network

    def network_input(self, spectrum: Tensor, bins: int) -> Tensor:
        """Return the input of both networks for a mixture's spectrum (batch, channels, all_bins, frames)."""
        return self.vocals.network_input(spectrum, bins)

    @property
    def takes_magnitudes(self) -> bool:
        """Whether `network_input` returns the magnitudes of the channels and nothing else."""
        return self.vocals.takes_magnitudes

    def forward(self, inputs: Tensor) -> Tensor:
        """Return both networks' own masks, (batch, 2 * channels, bins, frames), the vocals' first."""
        return torch.cat([self.vocals(inputs), self.accompaniment(inputs)], dim=1)

    def masks_between(self, inputs: Tensor, start: int, stop: int) -> Tensor:
        """Return the ratio masks of some frames, see `MaskNetwork.masks_between`."""
        estimates = (network.masks_between(inputs, start, stop) for network in (self.vocals, self.accompaniment))
        vocals, accompaniment = (estimate.clamp(min=LEAST) ** self.config.power for estimate in estimates)
        return vocals / (vocals + accompaniment)
