"""What streams ask of a network, whatever computes it."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import numpy as np

from ..checks import LONGEST_TILE, whole_number
from ..errors import ModelError

LONGEST_CONTEXT = 1 << 16


@dataclasses.dataclass(frozen=True)
class MaskShape:
    """What a network on spectrograms takes and makes.

    Parameters
    ----------
    channels : int
        Audio channels that go in and masks that come out.
    stride : int
        Frames of an input are multiples of it.
    context : int
        Frames to either side that can change a frame's mask.
    mid_side : bool
        Whether the network takes the magnitudes of mid and side too, behind those of left and right.
    """

    channels: int
    stride: int
    context: int
    mid_side: bool = False

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, 1, 2)
        whole_number("stride", self.stride, 1, LONGEST_CONTEXT)
        whole_number("context", self.context, 0, LONGEST_CONTEXT)
        if type(self.mid_side) is not bool or (self.mid_side and self.channels != 2):
            raise ModelError(f"mid_side must be true or false, and true only for 2 channels, not {self.mid_side!r}")


@dataclasses.dataclass(frozen=True)
class WaveShape:
    """What a network on waveforms takes and makes.

    Parameters
    ----------
    channels : int
        Audio channels that go in and come out.
    tile : int
        Samples that are estimated at a time.
    heard : int
        Samples of the mixture that are heard for a tile.
    reach : int
        How many of them lie before it.
    """

    channels: int
    tile: int
    heard: int
    reach: int

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, 1, 2)
        whole_number("tile", self.tile, 1, LONGEST_TILE)
        whole_number("heard", self.heard, self.tile, LONGEST_TILE)
        whole_number("reach", self.reach, 0, self.heard - self.tile)


class MaskBackend(abc.ABC):
    """Makes masks of a mixture's spectrum.

    Attributes
    ----------
    shape : MaskShape
    at_once : int
        How many calls, from as many threads, are fastest.
    """

    shape: MaskShape
    at_once: int = 1

    @abc.abstractmethod
    def masks(self, spectra: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return the vocals' masks, (batch, channels, bins, stop - start), of the frames from `start` to `stop`.

        Parameters
        ----------
        spectra : ndarray (batch, channels, all_bins, frames), complex
            The number of frames is a multiple of the stride. Those around `start` to `stop` are heard only.
        start, stop : int
        """


class WaveBackend(abc.ABC):
    """Makes the vocals' samples of a mixture's."""

    shape: WaveShape

    @abc.abstractmethod
    def vocals(self, mixtures: np.ndarray) -> np.ndarray:
        """Return vocals (batch, channels, tile) of mixtures (batch, channels, heard)."""


Backend = MaskBackend | WaveBackend


def shape_to_dict(shape: MaskShape | WaveShape) -> dict[str, Any]:
    """Return a shape as names and numbers, for `shape_from_dict`."""
    values = dataclasses.asdict(shape)
    if not values.get("mid_side", True):
        # Older releases know no such name.
        del values["mid_side"]
    return values


def shape_from_dict(said: dict[str, Any]) -> MaskShape | WaveShape:
    """Rebuild a shape; raises ModelError on impossible values, TypeError on unknown names."""
    return WaveShape(**said) if "tile" in said else MaskShape(**said)
