"""Frozen, validated descriptions of a model: its STFT front end and its network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .bounds import whole_number
from .errors import ModelError
from .networks.configs import NetworkConfig
from .networks.table import config_class

# A model file may come from anywhere: sizes are bounded here, before anything is allocated.
LARGEST_FFT = 1 << 16


@dataclasses.dataclass(frozen=True)
class FrontEndConfig:
    """The STFT that a model was trained on.

    Parameters
    ----------
    sample_rate : int
        Rate in Hz at which the model hears the mixture.
    n_fft : int
        Window length in samples; the window is a periodic Hann.
    hop : int
        Distance between frames in samples, at most three quarters of `n_fft`: with less overlap the windows leave
        gaps through which the signal cannot be rebuilt.
    bins : int
        How many of the ``n_fft // 2 + 1`` bins, from 0 Hz up, the network sees.
    """

    sample_rate: int = 44100
    n_fft: int = 4096
    hop: int = 1024
    bins: int = 1024

    def __post_init__(self) -> None:
        whole_number("sample_rate", self.sample_rate, 1000, 384000)
        whole_number("n_fft", self.n_fft, 16, LARGEST_FFT)
        whole_number("hop", self.hop, 1, self.n_fft)
        whole_number("bins", self.bins, 1, self.n_fft // 2 + 1)
        if 4 * self.hop > 3 * self.n_fft:
            raise ModelError(f"hop {self.hop} must be at most three quarters of n_fft {self.n_fft}")

    @property
    def all_bins(self) -> int:
        """Number of bins of the whole spectrum, ``n_fft // 2 + 1``."""
        return self.n_fft // 2 + 1


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
