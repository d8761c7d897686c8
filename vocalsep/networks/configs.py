"""Frozen, validated descriptions of networks, and the table that names them. Importing this imports no torch."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

from ..bounds import number, whole_number
from ..errors import ModelError

# A model file may come from anywhere: sizes are bounded here, before anything is allocated.
LARGEST_FILTERS = 4096
LARGEST_DEPTH = 10
LONGEST_LEVEL = 4096


class NetworkConfig(Protocol):
    """What every network's configuration tells the code that runs it."""

    @property
    def channels(self) -> int:
        """Audio channels that go in and masks that come out."""

    @property
    def stride(self) -> int:
        """Bins and frames of an input are multiples of this."""

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""


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
        whole_number("channels", self.channels, 1, 2)
        whole_number("depth", len(self.filters), 1, LARGEST_DEPTH)
        for filters in self.filters:
            whole_number("filters", filters, 1, LARGEST_FILTERS)
        whole_number("kernel", self.kernel, 3, 9)
        whole_number("level_frames", self.level_frames, 0, LONGEST_LEVEL)
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
class SpleeterConfig:
    """Spleeter's variant of the Deep U-Net (Hennequin et al., "Spleeter", JOSS 2020): it can hold Spleeter's weights.

    Parameters
    ----------
    channels : int
        Audio channels that go in and masks that come out.
    filters : tuple of int
        Filters of each encoder layer; every layer halves bins and frames.
    dropout : float
        Share of values dropped after the first three decoder layers while training.
    level_frames : int
        The magnitudes are divided by their root mean square over this many frames to either side, so that a quiet
        song is masked like a loud one; 0 leaves them as they are.
    level : float
        Factor after that division: the level of the magnitudes that the weights were trained on.
    """

    channels: int = 2
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    dropout: float = 0.5
    level_frames: int = 0
    level: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "filters", tuple(self.filters))
        whole_number("channels", self.channels, 1, 2)
        whole_number("depth", len(self.filters), 2, LARGEST_DEPTH)
        for filters in self.filters:
            whole_number("filters", filters, 1, LARGEST_FILTERS)
        whole_number("level_frames", self.level_frames, 0, LONGEST_LEVEL)
        number("dropout", self.dropout, 0, 0.99)
        number("level", self.level, 1e-6, 1e6)

    @property
    def stride(self) -> int:
        """Bins and frames per step of the deepest layer; inputs are multiples of it."""
        return int(2 ** len(self.filters))

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask, for the worst place on the sampling grid."""
        reach = 0
        for frame in range(self.stride):
            first, last = frame - 3, frame + 3  # the dilated head
            for _ in self.filters:
                first, last = -((3 - first) // 2), (last + 1) // 2
            for _ in self.filters:
                first, last = 2 * first - 1, 2 * last + 3
            reach = max(reach, frame - first, last - frame)
        return reach + self.level_frames


CONFIGS: dict[str, type[Any]] = {"unet": UNetConfig, "spleeter": SpleeterConfig}
