"""Time each stage of separating a song, and all of them together."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import pathlib
import statistics
import time
from collections.abc import Callable

import numpy as np

from ..audio.decoding import open_source
from ..audio.formats import FORMATS
from ..audio.resample import Resampler
from ..audio.sink import Sink
from ..audio.source import BLOCK_SAMPLES
from ..dsp.exact_sum import exact_accompaniment
from ..dsp.front_end import FrontEndConfig
from ..dsp.streaming_stft import InverseStft, Stft
from ..inference.backend import MaskBackend
from ..inference.channels import to_network
from ..inference.cost import model_flops
from ..inference.mask_stream import STFT_FRAMES
from ..inference.opening import model_info
from ..separator import Separator
from ..system.extras import is_installed

# A common rate that is not the model's.
OTHER_RATE = 48000
MATRIX = 2048


@dataclasses.dataclass(frozen=True)
class Stage:
    """Duration of one stage.

    Parameters
    ----------
    name : str
    seconds : float
        Median over the rounds.
    factor : float
        Seconds of audio per second.
    """

    name: str
    seconds: float
    factor: float


def time_stages(separator: Separator, song: pathlib.Path, scratch: pathlib.Path, rounds: int) -> list[Stage]:
    """Time each step on a whole song, all in turns, and return medians.

    Parameters
    ----------
    separator : Separator
    song : pathlib.Path
    scratch : pathlib.Path
        Folder for what is encoded.
    rounds : int
    """
    blocks = _decoded(song)
    mixture = np.concatenate(blocks, axis=1)
    with open_source(song) as source:
        rate, channels = source.info.sample_rate, source.info.channels
    length = mixture.shape[1] / rate
    work = _Work(separator, mixture, rate, channels)
    named: dict[str, Callable[[], object]] = {
        "decode": lambda: _decoded(song),
        f"resample {OTHER_RATE} to {separator.sample_rate} Hz": work.resample,
    }
    if isinstance(separator.backend, MaskBackend) and separator.front_end is not None:
        masking = _Masking(separator.backend, separator.front_end, separator.streams.core, work.mixture_at_model_rate)
        named |= {"STFT": masking.analyse, "network": masking.network, "inverse STFT": masking.synthesise}
    named |= {
        "encode both stems (wav)": lambda: work.encode(scratch),
        "all of it, in process": lambda: separator.separate_file(song, scratch / "whole", overwrite=True),
    }
    taken: dict[str, list[float]] = {name: [] for name in named}
    for turn in range(rounds + 1):
        for name, step in named.items():
            started = time.perf_counter()
            step()
            # The first turn pays for memory and thread start-up.
            if turn:
                taken[name].append(time.perf_counter() - started)
    medians = [(name, statistics.median(times)) for name, times in taken.items()]
    return [Stage(name, seconds, length / seconds) for name, seconds in medians]


def matrix_peak(rounds: int) -> float:
    """Measure what this machine multiplies at its best, in single-precision operations per second."""
    random = np.random.default_rng(0)
    left, right = (random.standard_normal((MATRIX, MATRIX), np.float32) for _ in range(2))
    out = np.empty_like(left)
    best = float("inf")
    for _ in range(rounds + 1):
        started = time.perf_counter()
        np.matmul(left, right, out=out)
        best = min(best, time.perf_counter() - started)
    return 2 * MATRIX**3 / best


def network_rate(separator: Separator, stages: list[Stage]) -> float:
    """Return the operations per second that the network reached in its stage.

    It is 0 where the stage was not timed, and without torch, which counts the operations.
    """
    if not is_installed("torch"):
        return 0.0
    factor = next((stage.factor for stage in stages if stage.name == "network"), 0.0)
    return factor * (model_flops(model_info(separator.path)) or 0.0)


class _Work:
    """The steps that any model has."""

    def __init__(self, separator: Separator, mixture: np.ndarray, rate: int, channels: int):
        self.separator = separator
        self.channels = min(2, channels)
        self.mixture = np.ascontiguousarray(mixture[: self.channels], np.float32)
        resampler = Resampler(self.channels, rate, separator.sample_rate)
        resampled = np.concatenate([resampler.push(self.mixture), resampler.flush()], axis=1)
        self.mixture_at_model_rate = resampled
        self.rate = rate

    def resample(self) -> list[np.ndarray]:
        resampler = Resampler(self.channels, OTHER_RATE, self.separator.sample_rate)
        return [resampler.push(self.mixture), resampler.flush()]

    def encode(self, scratch: pathlib.Path) -> None:
        with contextlib.ExitStack() as stack:
            sinks = [stack.enter_context(self._sink(scratch / name)) for name in ("first.wav", "second.wav")]
            for at in range(0, self.mixture.shape[1], BLOCK_SAMPLES):
                block = self.mixture[:, at : at + BLOCK_SAMPLES]
                for sink, stem in zip(sinks, exact_accompaniment(block, block * np.float32(0.5), 16), strict=True):
                    sink.write(stem)
            for sink in sinks:
                sink.finish()

    def _sink(self, path: pathlib.Path) -> Sink:
        form = FORMATS["wav"]
        return Sink(path, form, sample_rate=self.rate, channels=self.channels, subtype="PCM_16", bitrate=0)


class _Masking:
    """The steps of a network on spectrograms, each on what the step before it gave."""

    def __init__(self, backend: MaskBackend, front_end: FrontEndConfig, core: int, mixture: np.ndarray):
        self.backend = backend
        self.front_end = front_end
        self.core = core
        self.mixture = mixture
        self.spectrum = np.concatenate(self.analyse(), axis=2)

    def analyse(self) -> list[np.ndarray]:
        forward = Stft(self.front_end, len(self.mixture))
        step = STFT_FRAMES * self.front_end.hop
        pieces = (self.mixture[:, at : at + step] for at in range(0, self.mixture.shape[1], step))
        return [*(forward.push(piece) for piece in pieces), forward.flush()]

    def network(self) -> None:
        backend = self.backend
        pending: collections.deque[concurrent.futures.Future[np.ndarray]] = collections.deque()
        for at in range(0, self.spectrum.shape[2], self.core):
            chunk = self.spectrum[:, :, at : at + self.core]
            padded = np.pad(chunk, ((0, 0), (0, 0), (0, -chunk.shape[2] % backend.shape.stride)))
            if len(pending) == backend.parallel_calls:
                pending.popleft().result()
            spectra = to_network(padded, backend.shape.channels)
            pending.append(backend.start(functools.partial(backend.masks, spectra, 0, chunk.shape[2])))
        for masks in pending:
            masks.result()

    def synthesise(self) -> list[np.ndarray]:
        inverse = InverseStft(self.front_end, len(self.mixture))
        steps = range(0, self.spectrum.shape[2], STFT_FRAMES)
        return [inverse.push(self.spectrum[:, :, at : at + STFT_FRAMES]) for at in steps]


def _decoded(song: pathlib.Path) -> list[np.ndarray]:
    with open_source(song) as source:
        return list(source.blocks())
