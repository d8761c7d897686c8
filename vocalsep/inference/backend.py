"""Interface between streams and the runtimes that compute a network."""

from __future__ import annotations

import abc
import dataclasses
from typing import Any

import numpy as np

from ..checks import LONGEST_TILE, whole_number
from ..errors import ModelError

LONGEST_CONTEXT = 1 << 16
# Names in files that earlier versions exported.
FORMER_NAMES = {"heard": "input_samples", "reach": "context_samples"}


@dataclasses.dataclass(frozen=True)
class MaskShape:
    """Shape of the input and output of a network on spectrograms.

    Parameters
    ----------
    channels : int
        Audio channels of the input and of the masks.
    stride : int
        Frames of an input are multiples of it.
    context : int
        Frames to either side that can change a frame's mask.
    mid_side : bool
        Whether the network also takes the magnitudes of mid and side, after those of left and right.
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
    """Shape of the input and output of a network on waveforms.

    Parameters
    ----------
    channels : int
        Audio channels of input and output.
    tile : int
        Samples that are estimated at a time.
    input_samples : int
        Samples of the mixture that a tile needs.
    context_samples : int
        How many of them come before the tile.
    """

    channels: int
    tile: int
    input_samples: int
    context_samples: int

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, 1, 2)
        whole_number("tile", self.tile, 1, LONGEST_TILE)
        whole_number("input_samples", self.input_samples, self.tile, LONGEST_TILE)
        whole_number("context_samples", self.context_samples, 0, self.input_samples - self.tile)


class MaskBackend(abc.ABC):
    """Computes the masks for a mixture's spectrum.

    Attributes
    ----------
    shape : MaskShape
    parallel_calls : int
        Number of calls, each from a thread of its own, with which the backend is fastest.
    """

    shape: MaskShape
    parallel_calls: int = 1

    @abc.abstractmethod
    def masks(self, spectra: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return the vocals' masks of the frames from `start` up to `stop`, (batch, channels, bins, stop - start).

        Parameters
        ----------
        spectra : ndarray (batch, channels, all_bins, frames), complex
            The number of frames is a multiple of the stride. Those outside `start` to `stop` are context.
        start, stop : int
        """


class WaveBackend(abc.ABC):
    """Computes the vocals' samples from a mixture's."""

    shape: WaveShape

    @abc.abstractmethod
    def vocals(self, mixtures: np.ndarray) -> np.ndarray:
        """Return the vocals (batch, channels, tile) in mixtures (batch, channels, input_samples)."""


Backend = MaskBackend | WaveBackend


def shape_to_dict(shape: MaskShape | WaveShape) -> dict[str, Any]:
    """Return a shape as a dictionary for `shape_from_dict`."""
    values = dataclasses.asdict(shape)
    if not values.get("mid_side", True):
        # Earlier versions do not know this name.
        del values["mid_side"]
    return values


def shape_from_dict(values: dict[str, Any]) -> MaskShape | WaveShape:
    """Rebuild a shape; raises ModelError on impossible values, TypeError on unknown names."""
    values = {FORMER_NAMES.get(name, name): value for name, value in values.items()}
    return WaveShape(**values) if "tile" in values else MaskShape(**values)
