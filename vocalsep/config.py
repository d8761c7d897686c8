"""Frozen, validated descriptions of a model: its STFT front end and its network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from .errors import ModelError

# A model file may come from anywhere: sizes are bounded here, before anything is allocated.
LARGEST_FFT = 1 << 16
LARGEST_FILTERS = 4096
LARGEST_DEPTH = 10


def _integer(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ModelError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


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
        Distance between frames in samples. It divides `n_fft` at least three times over, so that the
        squared Hann windows sum to a constant.
    bins : int
        How many of the ``n_fft // 2 + 1`` bins, from 0 Hz up, the network sees.
    """

    sample_rate: int = 44100
    n_fft: int = 4096
    hop: int = 1024
    bins: int = 1024

    def __post_init__(self) -> None:
        _integer("sample_rate", self.sample_rate, 1000, 384000)
        _integer("n_fft", self.n_fft, 16, LARGEST_FFT)
        _integer("hop", self.hop, 1, self.n_fft)
        _integer("bins", self.bins, 1, self.n_fft // 2 + 1)
        if self.n_fft % self.hop or self.n_fft // self.hop < 3:
            raise ModelError(f"hop {self.hop} must divide n_fft {self.n_fft} at least three times")

    @property
    def all_bins(self) -> int:
        """Number of bins of the whole spectrum, ``n_fft // 2 + 1``."""
        return self.n_fft // 2 + 1


@dataclasses.dataclass(frozen=True)
class UNetConfig:
    """A Deep U-Net mask estimator (Jansson et al., ISMIR 2017).

    Parameters
    ----------
    channels : int
        Audio channels that go in and masks that come out.
    filters : tuple of int
        Filters of each encoder layer; every layer halves bins and frames.
    kernel : int
        Odd side length of every kernel, in bins and frames.
    dropout : float
        Share of activations dropped after the first three decoder layers while training.
    compression : float
        Exponent that is applied to the magnitudes before the first layer (1 leaves them as they are).
    level_frames : int
        The magnitudes are divided by their root mean square over this many frames to either side, so that a
        quiet song is masked like a loud one.
    """

    channels: int = 2
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    kernel: int = 5
    dropout: float = 0.5
    compression: float = 0.5
    level_frames: int = 64

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(self.filters))
        _integer("channels", self.channels, 1, 2)
        _integer("depth", len(self.filters), 1, LARGEST_DEPTH)
        for filters in self.filters:
            _integer("filters", filters, 1, LARGEST_FILTERS)
        _integer("kernel", self.kernel, 3, 9)
        _integer("level_frames", self.level_frames, 0, 4096)
        if self.kernel % 2 == 0:
            raise ModelError(f"kernel must be odd, not {self.kernel}")
        if not 0 <= self.dropout < 1:
            raise ModelError(f"dropout must be from 0 to below 1, not {self.dropout}")
        if not 0 < self.compression <= 1:
            raise ModelError(f"compression must be above 0 and at most 1, not {self.compression}")

    @property
    def stride(self) -> int:
        """Bins and frames per step of the deepest layer; inputs are multiples of it."""
        return int(2 ** len(self.filters))

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask: the reach of all layers and of the level."""
        reach = self.kernel // 2
        encoder = reach * (self.stride - 1)
        # A transposed layer of stride 2 hears (reach + 1) // 2 frames of its coarser input to either side.
        decoder = (reach + 1) // 2 * (2 * self.stride - 2)
        return encoder + decoder + self.level_frames


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """All that it takes to rebuild a model's network and to feed it."""

    front_end: FrontEndConfig = dataclasses.field(default_factory=FrontEndConfig)
    network: UNetConfig = dataclasses.field(default_factory=UNetConfig)
    architecture: str = "unet"

    def __post_init__(self) -> None:
        if self.architecture != "unet":
            raise ModelError(f"unknown architecture {self.architecture!r}; this version knows 'unet'")
        if self.front_end.bins % self.network.stride:
            raise ModelError(
                f"{self.front_end.bins} bins cannot be halved {len(self.network.filters)} times; "
                f"use a multiple of {self.network.stride}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, numbers and strings, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Rebuild a configuration from `to_dict`; raises ModelError on unknown names or impossible values."""
        try:
            return cls(
                front_end=FrontEndConfig(**data["front_end"]),
                network=UNetConfig(**data["network"]),
                architecture=data["architecture"],
            )
        except (KeyError, TypeError) as error:
            raise ModelError(f"the model's configuration is not understood ({error})") from None
