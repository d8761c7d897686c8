"""Separation of mixtures of any rate and number of channels, block by block."""

from __future__ import annotations

import contextlib
import dataclasses
import fractions
import functools
import math
import pathlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..audio.layouts import channel_groups
from ..audio.resample import Resampler
from ..audio.source import MOST_CHANNELS, RATES_HZ
from ..errors import AudioError, ModelError
from ..model_files import registry
from ..system.cancellation import Cancellation
from .backend import VOCALS, SegmentBackend, stem_names
from .opening import open_model
from .sample_queue import SampleQueue
from .streams import Streams

# Channels that are separated together in files of unknown layout: stereo pairs, and single channels.
GROUPS = {channels: channel_groups("", channels) for channels in range(1, MOST_CHANNELS + 1)}
# More seconds than the receptive field of a rate conversion to either side.
CONVERTED_S = 1.0


class Engine:
    """Separates mixtures of any rate and number of channels with a model on a device.

    The parameters, attributes and errors are those of `Separator`, which is a subclass.
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
        self._arguments: dict[str, Any] = {
            "device": device,
            "threads": threads,
            "overlap": overlap,
            "core_frames": core_frames,
            "hard": hard,
            "backend": backend,
            "precision": precision,
        }
        opened = open_model(model, backend, device, precision, threads)
        self.path = opened.path
        self._model = str(model) if str(model) in registry.shipped() else opened.path.resolve()
        self.backend = opened.backend
        self.sample_rate = opened.sample_rate
        self.front_end = opened.front_end
        self.where, self.device, self.fallback = opened.where, opened.device, opened.fallback
        self.streams = Streams(
            self.backend, self.sample_rate, self.front_end, core_frames=core_frames, overlap=overlap, hard=hard
        )

    @property
    def instruments(self) -> tuple[str, ...]:
        """Sources of the accompaniment that the model also separates, such as drums; empty for most models."""
        return self.backend.shape.instruments if isinstance(self.backend, SegmentBackend) else ()

    @property
    def stems(self) -> tuple[str, ...]:
        """Names of all stems: vocals and accompaniment, and of a model with instruments, those and the other ones."""
        return stem_names(self.instruments)

    def __reduce__(self) -> tuple[Callable[[], Engine], tuple[()]]:
        # A backend cannot be pickled. Another process, perhaps in another working folder, opens the model again.
        return functools.partial(type(self), self._model, **self._arguments), ()

    def vocals_of(
        self,
        blocks: Iterable[np.ndarray],
        sample_rate: int,
        channels: int,
        *,
        layout: str = "",
        first: int = 0,
        stop: int | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield pairs of mixture and vocals, (channels, samples) each, for blocks of a mixture.

        The parameters and errors are those of `sources_of`.
        """
        pairs = self.sources_of(blocks, sample_rate, channels, layout=layout, first=first, stop=stop)
        with contextlib.closing(pairs):
            for mixture, sources in pairs:
                yield mixture, sources[0]

    def sources_of(
        self,
        blocks: Iterable[np.ndarray],
        sample_rate: int,
        channels: int,
        *,
        sources: Sequence[str] = (VOCALS,),
        layout: str = "",
        first: int = 0,
        stop: int | None = None,
        cancellation: Cancellation | None = None,
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Yield pairs of mixture (channels, samples) and its sources (sources, channels, samples), block by block.

        `separate` and `stream` are built on it. The caller has to check the blocks.

        Parameters
        ----------
        blocks : iterable of ndarray (channels, samples)
            From the start of the song. No more are read than needed.
        sample_rate : int
            Hz.
        channels : int
        sources : sequence of str
            Names: ``vocals``, and any of `instruments`.
        layout : str
            The speakers that the channels are for, as `audio.layouts` names it: it defines the stereo pairs.
        first, stop : int
            Range of samples that is yielded, by default the whole song. The result equals that part of the result for
            the whole song, but the network computes little else.
        cancellation : Cancellation, optional
            Ends the separation early, from any thread; then the next pair raises CancelledError.

        Raises
        ------
        AudioError
            Unsupported rate or number of channels, or the number changes.
        ModelError
            The model returns NaN or infinite samples, or another shape than it declares.
        """
        if not RATES_HZ[0] <= sample_rate <= RATES_HZ[1]:
            raise AudioError(f"the rate is {sample_rate} Hz; {RATES_HZ[0]} to {RATES_HZ[1]} Hz are supported")
        if channels not in GROUPS:
            raise AudioError(f"the mixture has {channels} channels; 1 to {MOST_CHANNELS} are supported")
        position = 0
        pairs = self._all_sources_of(blocks, sample_rate, channels, sources, layout, first, stop, cancellation)
        with contextlib.closing(pairs):
            for mixture, separated in pairs:
                part = slice(max(0, first - position), None if stop is None else max(0, stop - position))
                position += mixture.shape[1]
                if mixture[:, part].shape[1]:
                    yield mixture[:, part], separated[:, :, part]
                if stop is not None and position >= stop:
                    return

    def _all_sources_of(
        self,
        blocks: Iterable[np.ndarray],
        sample_rate: int,
        channels: int,
        sources: Sequence[str],
        layout: str,
        first: int,
        stop: int | None,
        cancellation: Cancellation | None,
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Yield pairs from the start of the song; before `first`, the sources may be silence."""
        parts = channel_groups(layout, channels)
        wanted = self._wanted(sample_rate, first, stop)
        mixture, separated = SampleQueue(), [SampleQueue() for _ in parts]
        with contextlib.ExitStack() as stack:
            groups = [_Group(self, part, sample_rate, wanted, sources, cancellation) for part in parts]
            for group in groups:
                stack.callback(group.stream.close)
            for block in blocks:
                if block.shape[0] != channels:
                    raise AudioError(f"the mixture changes from {channels} to {block.shape[0]} channels")
                mixture.put(block)
                for group, queue in zip(groups, separated, strict=True):
                    queue.put(group.push(block))
                yield from _pairs(mixture, separated, parts, len(sources))
            for group, queue in zip(groups, separated, strict=True):
                rest = group.flush()
                queue.put(rest)
                # Two rate conversions can round the length down by a sample.
                queue.put(np.zeros((rest.shape[0], max(0, mixture.samples - queue.samples)), rest.dtype))
            yield from _pairs(mixture, separated, parts, len(sources))

    def _wanted(self, sample_rate: int, first: int, stop: int | None) -> tuple[int, int] | None:
        """Return the range of samples at the model's rate that `first` to `stop` depend on; None for all."""
        if first == 0 and stop is None:
            return None
        around = 0 if sample_rate == self.sample_rate else round(CONVERTED_S * self.sample_rate)
        ratio = fractions.Fraction(self.sample_rate, sample_rate)
        end = sys.maxsize if stop is None else math.ceil(stop * ratio) + around
        return math.floor(first * ratio) - around, end


class _Group:
    """One channel or stereo pair: converted to the model's rate, separated, and converted back.

    Its sources are (sources * channels, samples), source by source.
    """

    def __init__(
        self,
        engine: Engine,
        channels: tuple[int, ...],
        sample_rate: int,
        wanted: tuple[int, int] | None,
        sources: Sequence[str],
        cancellation: Cancellation | None,
    ):
        self.part = _part(channels)
        self.down = Resampler(len(channels), sample_rate, engine.sample_rate)
        self.up = Resampler(len(sources) * len(channels), engine.sample_rate, sample_rate)
        self.stream = engine.streams.open(len(channels), wanted, sources, cancellation)

    def push(self, block: np.ndarray) -> np.ndarray:
        return self.up.push(self.stream.push(self.down.push(block[self.part])))

    def flush(self) -> np.ndarray:
        rest = self.stream.push(self.down.flush())
        sources = np.concatenate([rest, self.stream.flush()], axis=1)
        return np.concatenate([self.up.push(sources), self.up.flush()], axis=1)


@dataclasses.dataclass(frozen=True)
class EngineSettings:
    """The arguments of `Engine`, which other processes can be sent."""

    model: str
    device: str
    threads: int | None
    overlap: float | None
    hard: bool
    backend: str
    precision: str

    def open(self) -> Engine:
        """Return the engine; raises ModelError or UsageError."""
        return Engine(**dataclasses.asdict(self))


def _pairs(
    mixture: SampleQueue, separated: list[SampleQueue], groups: tuple[tuple[int, ...], ...], count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the part of the mixture whose `count` sources all groups have computed, at most a block at a time."""
    while mixture.samples and (ready := min(queue.samples for queue in separated)):
        block = mixture.take(min(ready, mixture.parts[0].shape[1]))
        sources = np.empty((count, *block.shape), block.dtype)
        for group, queue in zip(groups, separated, strict=True):
            sources[:, _part(group)] = queue.take(block.shape[1]).reshape(count, len(group), -1)
        # Damaged weights can divide by zero or take roots of negative numbers, even if they are finite.
        if not np.isfinite(sources).all():
            raise ModelError("the model returns NaN or infinite samples", hint="its file may be damaged")
        yield block, sources


def _part(channels: tuple[int, ...]) -> slice:
    """Return neighbouring channels as a slice."""
    return slice(channels[0], channels[-1] + 1)
