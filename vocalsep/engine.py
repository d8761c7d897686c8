"""A model at work on mixtures of any rate and number of channels, block by block."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from . import registry
from .audio.resample import Resampler
from .audio.source import MOST_CHANNELS, RATES_HZ
from .backends.opening import open_model
from .errors import AudioError, ModelError
from .streams import Streams

# Which channels of a file belong together: stereo pairs share one look at the model (WAVE and FFmpeg channel order).
PAIRS = {
    1: ((0,),),
    2: ((0, 1),),
    3: ((0, 1), (2,)),
    4: ((0, 1), (2, 3)),
    5: ((0, 1), (2,), (3, 4)),
    6: ((0, 1), (2,), (3,), (4, 5)),
    7: ((0, 1), (2,), (3,), (4,), (5, 6)),
    8: ((0, 1), (2,), (3,), (4, 5), (6, 7)),
}


class Engine:
    """A model on a device, and how a mixture of any rate and channels passes through it.

    Takes the parameters, has the attributes and raises the errors of `Separator`, which builds on it.
    """

    def __init__(
        self,
        model: str | pathlib.Path = registry.DEFAULT,
        *,
        device: str = "auto",
        threads: int | None = None,
        overlap: float | None = None,
        core_frames: int | None = None,
        hard: bool = False,
        backend: str = "auto",
        precision: str = "float32",
    ):
        opened = open_model(model, backend, device, precision, threads)
        self.path = opened.path
        self.backend = opened.backend
        self.front_end = opened.front_end
        self.sample_rate = self.front_end.sample_rate
        self.where, self.device, self.fallback = opened.where, opened.device, opened.fallback
        self.streams = Streams(self.backend, self.front_end, core_frames=core_frames, overlap=overlap, hard=hard)

    def vocals_of(
        self, blocks: Iterable[np.ndarray], sample_rate: int, channels: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of mixture and vocals, (channels, samples) each, for blocks of a mixture.

        The engine below `separate` and `stream`: blocks are checked by the caller.

        Raises
        ------
        AudioError
            Unsupported rate or number of channels, or the number changes.
        ModelError
            The model makes what is no sound: NaN or infinite samples, or of other shapes than it says.
        """
        if not RATES_HZ[0] <= sample_rate <= RATES_HZ[1]:
            raise AudioError(f"the rate is {sample_rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} Hz are supported")
        if channels not in PAIRS:
            raise AudioError(f"the mixture has {channels} channels; 1 to {MOST_CHANNELS} are supported")
        groups = [_Group(self, list(group), sample_rate) for group in PAIRS[channels]]
        waiting: list[np.ndarray] = []
        ready: list[list[np.ndarray]] = [[] for _ in groups]
        for block in blocks:
            if block.shape[0] != channels:
                raise AudioError(f"the mixture changes from {channels} to {block.shape[0]} channels")
            waiting.append(block)
            for group, parts in zip(groups, ready, strict=True):
                part = group.push(block)
                if part.shape[1]:
                    parts.append(part)
            if all(ready):
                yield _take(waiting, ready, PAIRS[channels], last=False)
        for group, parts in zip(groups, ready, strict=True):
            parts.append(group.flush())
        if waiting:
            yield _take(waiting, ready, PAIRS[channels], last=True)


class _Group:
    """One channel or stereo pair on its way to the model's rate, through the model, and back."""

    def __init__(self, engine: Engine, channels: list[int], sample_rate: int):
        self.channels = channels
        self.down = Resampler(len(channels), sample_rate, engine.sample_rate)
        self.up = Resampler(len(channels), engine.sample_rate, sample_rate)
        self.stream = engine.streams.open(len(channels))

    def push(self, block: np.ndarray) -> np.ndarray:
        return self.up.push(self.stream.push(self.down.push(block[self.channels])))

    def flush(self) -> np.ndarray:
        rest = self.stream.push(self.down.flush())
        vocals = np.concatenate([rest, self.stream.flush()], axis=1)
        return np.concatenate([self.up.push(vocals), self.up.flush()], axis=1)


def _take(
    waiting: list[np.ndarray],
    ready: list[list[np.ndarray]],
    groups: tuple[tuple[int, ...], ...],
    last: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Take as many samples of mixture and vocals as all groups have ready; at the end, all of the mixture."""
    mixture = np.concatenate(waiting, axis=1)
    voices = [np.concatenate(parts, axis=1) for parts in ready]
    count = min(mixture.shape[1], *(voice.shape[1] for voice in voices))
    if last:
        # Two conversions of rate can round the length down by a sample.
        count = mixture.shape[1]
        voices = [np.pad(voice, ((0, 0), (0, max(0, count - voice.shape[1])))) for voice in voices]
    vocals = np.empty((mixture.shape[0], count), mixture.dtype)
    for group, voice in zip(groups, voices, strict=True):
        vocals[list(group)] = voice[:, :count]
    # Weights that are finite, but damaged, can still divide by zero or take roots of negative numbers.
    if not np.isfinite(vocals).all():
        raise ModelError("the model makes NaN or infinite samples of this; its file may be damaged")
    waiting[:] = [mixture[:, count:].copy()]
    for parts, voice in zip(ready, voices, strict=True):
        parts[:] = [voice[:, count:].copy()] if voice.shape[1] > count else []
    return mixture[:, :count], vocals
