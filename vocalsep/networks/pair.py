"""Two networks, one for each source, whose estimates' ratio is the mask.

Jansson et al. (ISMIR 2017) train a network for the vocals and one for the accompaniment; in Spleeter (Hennequin et al.,
JOSS 2020) the mask is the vocals' share of the power of both estimates.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ..checks import number
from ..errors import ModelError
from .configs import NetworkConfig
from .network import MaskNetwork
from .table import build, config_class

# Smallest estimate, so that the ratio of two silent ones is defined.
LEAST = 1e-6


@dataclasses.dataclass(frozen=True)
class PairConfig(NetworkConfig):
    """Two spectrogram networks of the same architecture.

    Parameters
    ----------
    channels : int
        Audio channels; `network` has as many.
    architecture : str
        Architecture of both networks: any that estimates masks from spectrograms.
    network : NetworkConfig or mapping
        Their configuration.
    power : float
        The mask is ``v ** power / (v ** power + a ** power)``, v and a being the networks' estimates of vocals and
        accompaniment: 1 is the ratio of magnitudes, 2 of powers.
    """

    architecture: str = "unet"
    network: Any = dataclasses.field(default_factory=dict)
    power: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        number("power", self.power, 0.1, 10)
        if self.architecture == "pair":
            raise ModelError("the networks of a pair cannot be pairs themselves")
        kind = config_class(self.architecture)
        if isinstance(self.network, Mapping):
            settings = kind.with_current_names(self.network)
            try:
                object.__setattr__(self, "network", kind(**{"channels": self.channels, **settings}))
            except TypeError as error:
                raise ModelError(f"the configuration of the pair's networks is invalid ({error})") from None
        if not isinstance(self.network, kind):
            raise ModelError(f"{type(self.network).__name__} does not describe the architecture {self.architecture!r}")
        if self.network.channels != self.channels:
            raise ModelError(f"the pair has {self.channels} channels, its network {self.network.channels}")

    @property
    def stride(self) -> int:
        """Bins and frames of an input are multiples of this."""
        return int(self.network.stride)

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return int(self.network.context)


class Pair(MaskNetwork):
    """Estimate vocals and accompaniment with one network each."""

    Config = PairConfig
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
