"""Configurations of all networks, none of which imports torch: here their base classes, and a module for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ...checks import number, whole_number
from ...errors import ModelError

# A model file may come from anywhere: sizes are bounded here, before anything is allocated.
LARGEST_FILTERS = 4096
LARGEST_DEPTH = 10
LONGEST_LEVEL = 4096

HEADS = ("mask", "magnitude")


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
    """The settings and properties that every network has.

    Parameters
    ----------
    channels : int
        Audio channels of input and output, 1 or 2.

    Attributes
    ----------
    former_names : dict of str to str
        Former names of fields and what they are called now, for configurations saved by earlier versions.
    """

    former_names: ClassVar[Mapping[str, str]] = {}

    channels: int = 2

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, 1, 2)

    @property
    def stride(self) -> int:
        """Bins and frames of an input are multiples of this."""
        return 1

    @property
    def context(self) -> int:
        """Frames to either side that can change a frame's mask."""
        return 0

    def input_samples(self, samples: int) -> int:
        """Return the number of mixture samples needed to estimate the `samples` in their middle."""
        return samples

    @classmethod
    def with_current_names(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return saved settings by the names that fields have now."""
        return {cls.former_names.get(name, name): value for name, value in settings.items()}


@dataclasses.dataclass(frozen=True)
class MaskConfig(NetworkConfig):
    """Settings of all spectrogram U-Nets.

    Parameters
    ----------
    channels : int
        Audio channels of the input and of the masks.
    filters : tuple of int
        Filters of each encoder layer; every layer halves bins and frames.
    compression : float
        Exponent applied to the magnitudes before the first layer; 1 leaves them unchanged.
    level_frames : int
        The magnitudes are divided by their root mean square over this many frames to either side, so that the level of
        a song does not matter; 0 divides each frame by its own level.
    head : str
        ``mask``: the masks are the output of a sigmoid. ``magnitude``: the vocals' magnitudes are the output of a
        ReLU, and the masks are their ratio to the mixture's.
    """

    filters: tuple[int, ...] = (16, 32, 64, 128, 256)
    compression: float = 0.5
    level_frames: int = 64
    head: str = "mask"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "filters", tuple(self.filters))
        check_filters(self.filters)
        whole_number("level_frames", self.level_frames, 0, LONGEST_LEVEL)
        number("compression", self.compression, 1e-3, 1)
        one_of("head", self.head, HEADS)

    @property
    def stride(self) -> int:
        """Bins and frames per step of the deepest layer; inputs are multiples of it."""
        return int(2 ** len(self.filters))


def check_filters(filters: tuple[int, ...], fewest_layers: int = 1) -> None:
    """Raise ModelError unless the number of layers and the number of filters of each are within the limits."""
    whole_number("depth", len(filters), fewest_layers, LARGEST_DEPTH)
    for count in filters:
        whole_number("filters", count, 1, LARGEST_FILTERS)


def one_of(name: str, value: object, known: Sequence[str]) -> None:
    """Raise ModelError unless `value` is one of the known values."""
    if value not in known:
        raise ModelError(f"{name} must be one of {', '.join(known)}, not {value!r}")
