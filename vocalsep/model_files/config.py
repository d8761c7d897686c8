"""The configuration of a model: its STFT front end and its network, immutable and validated."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..dsp.front_end import FrontEndConfig
from ..errors import ModelError
from ..networks.configs import NetworkConfig
from ..networks.table import config_class


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Everything that is needed to build a model's network and to compute its input."""

    front_end: FrontEndConfig = dataclasses.field(default_factory=FrontEndConfig)
    network: NetworkConfig = dataclasses.field(default_factory=lambda: config_class("unet")())
    architecture: str = "unet"

    def __post_init__(self) -> None:
        if not isinstance(self.network, config_class(self.architecture)):
            raise ModelError(f"{type(self.network).__name__} does not describe the architecture {self.architecture!r}")
        if self.front_end.bins % self.network.stride:
            raise ModelError(f"the network takes multiples of {self.network.stride} bins, not {self.front_end.bins}")
        bins = getattr(self.network, "bins", self.front_end.bins)
        if bins != self.front_end.bins:
            raise ModelError(f"the network is for {bins} bins, not {self.front_end.bins}")

    def to_dict(self) -> dict[str, Any]:
        """Return dictionaries, numbers and strings that JSON can represent."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Rebuild a configuration from `to_dict`; raises ModelError on unknown names or impossible values."""
        try:
            front_end = FrontEndConfig(**data["front_end"])
            architecture = str(data["architecture"])
            return cls(front_end, _network(architecture, data["network"]), architecture)
        except (KeyError, TypeError) as error:
            raise ModelError(f"the model's configuration is invalid ({error})") from None


def _network(architecture: str, settings: Mapping[str, Any]) -> NetworkConfig:
    """Build a network's configuration from saved settings, which may have the names of earlier versions."""
    kind = config_class(architecture)
    if not isinstance(settings, Mapping):
        raise ModelError(f"the network's settings are not a table but {settings!r}")
    config: NetworkConfig = kind(**kind.with_current_names(settings))
    return config
