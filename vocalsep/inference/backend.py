"""Interface between streams and the runtimes that compute a network."""

from __future__ import annotations

import abc
import concurrent.futures
import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from ..checks import LONGEST_TILE, shown, whole_number
from ..dsp.exact_sum import STEMS
from ..errors import ModelError
from ..system.background import run_in_thread
from ..system.cancellation import Cancellation

LONGEST_CONTEXT = 1 << 16
# How the samples of a segment are weighted where segments overlap, see `segment_stream.weights`.
WINDOWS = ("triangle", "hann", "hamming", "flat")
# What becomes of the last segment of a song, see `SegmentShape`.
ENDINGS = ("centred", "short", "shifted", "silence", "padded")
VOCALS, ACCOMPANIMENT = STEMS
# What remains of the accompaniment without the sources that are named.
OTHER = "other"
MOST_SOURCES = 16
# Sources become names of files.
SOURCE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
# Names in files that earlier versions exported.
FORMER_NAMES = {"heard": "input_samples", "reach": "context_samples"}

Result = TypeVar("Result")


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


@dataclasses.dataclass(frozen=True)
class SegmentShape:
    """Shape of the input and output of a network that takes segments of one length, each as a whole.

    Parameters
    ----------
    channels : int
        Audio channels of input and output.
    samples : int
        Samples of the input and output of a segment.
    hop : int
        Samples from the start of a segment to that of the next, by default; the rest of a segment overlaps.
    sources : tuple of str
        Names of what the network separates, in its order; ``vocals`` or ``accompaniment`` is among them. Without the
        first, the vocals are the mixture minus the second.
    window : str
        Weights of a segment's samples where segments overlap, one of `WINDOWS`.
    ending : str
        The segment that reaches beyond the end of the song is ``centred``: the part of it that is inside the song is in
        the middle of the input, and what surrounds it in the song around it (as Demucs does); ``short``, without
        silence in its place; ``shifted`` back to end with the song (as RoFormers are run); followed by ``silence``; or
        ``padded``: its window ends with the silence that makes the song a multiple of ``samples - 2 * before`` samples
        longer, and ``before`` more (as MDX-Nets are run).
    before : int
        Samples of silence before the song at the start of the first segment.
    context : int
        How many of the samples, half of them on either side, are input only: of a segment's output, the middle is used.
    """

    channels: int
    samples: int
    hop: int
    sources: tuple[str, ...]
    window: str = "triangle"
    ending: str = "centred"
    before: int = 0
    context: int = 0

    def __post_init__(self) -> None:
        whole_number("channels", self.channels, 1, 2)
        whole_number("samples", self.samples, 1, LONGEST_TILE)
        whole_number("context", self.context, 0, self.samples - 1)
        whole_number("hop", self.hop, 1, self.used)
        whole_number("before", self.before, 0, (self.samples - 1) // (2 if self.ending == "padded" else 1))
        if self.window not in WINDOWS:
            raise ModelError(f"window must be one of {', '.join(WINDOWS)}, not {self.window!r}")
        if self.ending not in ENDINGS:
            raise ModelError(f"ending must be one of {', '.join(ENDINGS)}, not {self.ending!r}")
        # JSON has lists.
        names = tuple(self.sources) if isinstance(self.sources, (list, tuple)) else ()
        if not all(isinstance(name, str) and SOURCE_NAME.fullmatch(name) for name in names):
            names = ()
        if not 0 < len(names) <= MOST_SOURCES or len(set(names)) < len(names):
            raise ModelError(
                f"sources must be 1 to {MOST_SOURCES} different names of small letters, not {shown(self.sources)}"
            )
        if not set(names) & set(STEMS):
            raise ModelError(f"none of the sources {', '.join(names)} is vocals or accompaniment")
        object.__setattr__(self, "sources", names)

    @property
    def used(self) -> int:
        """Samples of a segment's output that are used."""
        return self.samples - self.context

    @property
    def instruments(self) -> tuple[str, ...]:
        """Sources of the accompaniment that can be had by themselves; what remains of it is ``other``."""
        return tuple(name for name in self.sources if name not in (*STEMS, OTHER))


class BackendThreads:
    """Where and how often at the same time a backend is called.

    Attributes
    ----------
    parallel_calls : int
        Number of calls at the same time with which the backend is fastest.
    """

    parallel_calls: int = 1

    def start(self, function: Callable[[], Result]) -> concurrent.futures.Future[Result]:
        """Start a function that calls the backend, in the thread that is best for it."""
        return run_in_thread(function)


class MaskBackend(BackendThreads, abc.ABC):
    """Computes the masks for a mixture's spectrum.

    Attributes
    ----------
    shape : MaskShape
    """

    shape: MaskShape

    @abc.abstractmethod
    def masks(self, spectra: np.ndarray, start: int, stop: int, cancellation: Cancellation | None = None) -> np.ndarray:
        """Return the vocals' masks of the frames from `start` up to `stop`, (batch, channels, bins, stop - start).

        Parameters
        ----------
        spectra : ndarray (batch, channels, all_bins, frames), complex
            The number of frames is a multiple of the stride. Those outside `start` to `stop` are context.
        start, stop : int
        cancellation : Cancellation, optional
            Ends the computation early, if the backend can do that; this then raises CancelledError.
        """


class WaveBackend(BackendThreads, abc.ABC):
    """Computes the vocals' samples from a mixture's."""

    shape: WaveShape

    @abc.abstractmethod
    def vocals(self, mixtures: np.ndarray, cancellation: Cancellation | None = None) -> np.ndarray:
        """Return the vocals (batch, channels, tile) in mixtures (batch, channels, input_samples).

        `cancellation`: see `MaskBackend.masks`.
        """


class SegmentBackend(BackendThreads, abc.ABC):
    """Computes the sources in segments of a mixture.

    Attributes
    ----------
    shape : SegmentShape
    """

    shape: SegmentShape

    @abc.abstractmethod
    def sources(
        self, mixtures: np.ndarray, names: Sequence[str], cancellation: Cancellation | None = None
    ) -> np.ndarray:
        """Return sources (batch, len(names), channels, samples) of mixtures (batch, channels, samples), float32.

        Parameters
        ----------
        mixtures : ndarray (batch, channels, samples), float32
        names : sequence of str
            Which of the shape's sources, in which order. The others need not be computed.
        cancellation : Cancellation, optional
            See `MaskBackend.masks`.
        """


Backend = MaskBackend | WaveBackend | SegmentBackend
Shape = MaskShape | WaveShape | SegmentShape


def shape_to_dict(shape: Shape) -> dict[str, Any]:
    """Return a shape as a dictionary for `shape_from_dict`."""
    values = dataclasses.asdict(shape)
    if not values.get("mid_side", True):
        # Earlier versions do not know this name.
        del values["mid_side"]
    return values


def shape_from_dict(values: dict[str, Any]) -> Shape:
    """Rebuild a shape; raises ModelError on impossible values, TypeError on unknown names."""
    values = {FORMER_NAMES.get(name, name): value for name, value in values.items()}
    if "sources" in values:
        return SegmentShape(**values)
    return WaveShape(**values) if "tile" in values else MaskShape(**values)


def stem_names(instruments: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the stems of a model that separates these instruments from the accompaniment."""
    return (*STEMS, *instruments, OTHER) if instruments else STEMS
