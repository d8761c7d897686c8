"""The frozen, validated description of a model: its STFT front end and its network."""

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
    """All that it takes to rebuild a model's network and to feed it."""

    front_end: FrontEndConfig = dataclasses.field(default_factory=FrontEndConfig)
    network: NetworkConfig = dataclasses.field(default_factory=lambda: config_class("unet")())
    architecture: str = "unet"

    def __post_init__(self) -> None:
        if not isinstance(self.network, config_class(self.architecture)):
            raise ModelError(f"{type(self.network).__name__} does not describe the architecture {self.architecture!r}")
        if self.front_end.bins % self.network.stride:
            raise ModelError(f"the network takes multiples of {self.network.stride} bins, not {self.front_end.bins}")
        made_for = getattr(self.network, "bins", self.front_end.bins)
        if made_for != self.front_end.bins:
            raise ModelError(f"the network is made for {made_for} bins, not {self.front_end.bins}")

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, numbers and strings, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Rebuild a configuration from `to_dict`; raises ModelError on unknown names or impossible values."""
        try:
            front_end = FrontEndConfig(**data["front_end"])
            architecture = str(data["architecture"])
            return cls(front_end, config_class(architecture)(**data["network"]), architecture)
        except (KeyError, TypeError) as error:
            raise ModelError(f"the model's configuration is not understood ({error})") from None
