"""Settings of two networks, one for each source, see `networks.pair`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ...checks import number
from ...errors import ModelError
from ..table import config_class
from . import NetworkConfig


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
