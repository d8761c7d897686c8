"""A model at work on mixtures of any rate and number of channels, block by block."""

from __future__ import annotations

import collections
import contextlib
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from . import registry
from .audio.resample import Resampler
from .audio.source import MOST_CHANNELS, RATES_HZ
from .backends.opening import open_model
from .errors import AudioError, ModelError
from .streams import Streams

# Which channels of a file belong together: stereo pairs share one look at the model (WAVE and FFmpeg channel order, in
# which those of a pair are neighbours).
GROUPS = {
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
        if channels not in GROUPS:
            raise AudioError(f"the mixture has {channels} channels; 1 to {MOST_CHANNELS} are supported")
        mixture, voices = _Waiting(), [_Waiting() for _ in GROUPS[channels]]
        with contextlib.ExitStack() as stack:
            groups = [_Group(self, group, sample_rate) for group in GROUPS[channels]]
            for group in groups:
                stack.callback(group.stream.close)
            for block in blocks:
                if block.shape[0] != channels:
                    raise AudioError(f"the mixture changes from {channels} to {block.shape[0]} channels")
                mixture.put(block)
                for group, voice in zip(groups, voices, strict=True):
                    voice.put(group.push(block))
                yield from _pairs(mixture, voices, GROUPS[channels])
            for group, voice in zip(groups, voices, strict=True):
                rest = group.flush()
                voice.put(rest)
                # Two conversions of rate can round the length down by a sample.
                voice.put(np.zeros((rest.shape[0], max(0, mixture.samples - voice.samples)), rest.dtype))
            yield from _pairs(mixture, voices, GROUPS[channels])


class _Group:
    """One channel or stereo pair on its way to the model's rate, through the model, and back."""

    def __init__(self, engine: Engine, channels: tuple[int, ...], sample_rate: int):
        self.part = _part(channels)
        self.down = Resampler(len(channels), sample_rate, engine.sample_rate)
        self.up = Resampler(len(channels), engine.sample_rate, sample_rate)
        self.stream = engine.streams.open(len(channels))

    def push(self, block: np.ndarray) -> np.ndarray:
        return self.up.push(self.stream.push(self.down.push(block[self.part])))

    def flush(self) -> np.ndarray:
        rest = self.stream.push(self.down.flush())
        vocals = np.concatenate([rest, self.stream.flush()], axis=1)
        return np.concatenate([self.up.push(vocals), self.up.flush()], axis=1)


class _Waiting:
    """Samples (channels, samples) in the order of their arrival."""

    def __init__(self) -> None:
        self.samples = 0
        self.parts: collections.deque[np.ndarray] = collections.deque()

    def put(self, part: np.ndarray) -> None:
        if part.shape[1]:
            self.parts.append(part)
            self.samples += part.shape[1]

    def take(self, count: int) -> np.ndarray:
        """Take the first samples, all of which are there."""
        self.samples -= count
        taken = []
        while count:
            part = self.parts.popleft()
            if part.shape[1] > count:
                self.parts.appendleft(part[:, count:])
            taken.append(part[:, :count])
            count -= taken[-1].shape[1]
        return taken[0] if len(taken) == 1 else np.concatenate(taken, axis=1)


def _pairs(
    mixture: _Waiting, voices: list[_Waiting], groups: tuple[tuple[int, ...], ...]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Take all of the mixture whose vocals are there in all groups, at most a block at a time."""
    while mixture.samples and (ready := min(voice.samples for voice in voices)):
        block = mixture.take(min(ready, mixture.parts[0].shape[1]))
        vocals = np.empty_like(block)
        for group, voice in zip(groups, voices, strict=True):
            vocals[_part(group)] = voice.take(block.shape[1])
        # Weights that are finite, but damaged, can still divide by zero or take roots of negative numbers.
        if not np.isfinite(vocals).all():
            raise ModelError("the model makes NaN or infinite samples of this; its file may be damaged")
        yield block, vocals


def _part(channels: tuple[int, ...]) -> slice:
    """Return the neighbours that `channels` are."""
    return slice(channels[0], channels[-1] + 1)
