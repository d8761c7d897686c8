"""Separation of a stream by a network that takes segments of one length, each as a whole; segments overlap."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from ..system.cancellation import Cancellation
from .backend import ACCOMPANIMENT, VOCALS, SegmentBackend
from .channels import from_network
from .mixture_buffer import MixtureBuffer, is_one_sided, network_input
from .one_sided import restore_vocals

# Windows that end in zero would leave samples without weight where no other segment overlaps.
LEAST_WEIGHT = 1e-6


@dataclasses.dataclass(frozen=True)
class Segment:
    """One segment of a song.

    Parameters
    ----------
    start : int
        Index in the song of the first sample that is used of it; may be negative.
    samples : int
        How many samples are used.
    left : int
        Samples of the network's input before them.
    inputs : int
        Samples of the network's input.
    """

    start: int
    samples: int
    left: int
    inputs: int

    @property
    def stop(self) -> int:
        """Index in the song of the end of what is used."""
        return self.start + self.samples


class SegmentStream:
    """Sources of one channel or one stereo pair at the model's rate, block by block.

    Segments follow each other from the start of the song, one hop apart. Where they overlap, the result is their mean
    with the weights of the model's window.

    Parameters
    ----------
    backend : SegmentBackend
    channels : int
        1 or 2.
    hop : int
        Samples from segment to segment.
    names : sequence of str
        Sources to compute: some of the model's, and the vocals, which any model gives.
    wanted : tuple of int, optional
        First sample and end of what is needed of the sources. The rest may be silence, which saves most of its
        computation.
    cancellation : Cancellation, optional
        See `MaskStream`.
    """

    def __init__(
        self,
        backend: SegmentBackend,
        channels: int,
        hop: int,
        names: Sequence[str] = (VOCALS,),
        wanted: tuple[int, int] | None = None,
        cancellation: Cancellation | None = None,
    ):
        self.backend = backend
        self.channels = channels
        self.hop = hop
        self.names = tuple(names)
        self.wanted = wanted
        self.shape = backend.shape
        self._buffer = MixtureBuffer(channels)
        self._cancellation = cancellation or Cancellation()
        self._next = -self.shape.before  # start of the next segment
        self._weights = weights(self.shape.window, self.shape.used)
        # Segments that are being computed, the oldest first; None if they are not needed.
        self._pending: collections.deque[tuple[Segment, concurrent.futures.Future[np.ndarray] | None]] = (
            collections.deque()
        )
        # Weighted sum of the segments so far, with the sum of their weights in its last row, from sample `_done` on.
        self._sum = np.zeros((len(self.names) * channels + 1, 0), np.float32)
        self._done = 0

    def push(self, samples: np.ndarray, side_weights: np.ndarray | None = None) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the samples that are ready.

        `side_weights`: see `MixtureBuffer.push`. The result is (names * channels, samples), source by source.
        """
        self._buffer.push(samples, side_weights)
        out = []
        length = self.shape.samples
        while self._buffer.end >= self._next - self._left + length:
            out += self._start(Segment(self._next, self.shape.used, self._left, length))
            self._next += self.hop
            # A last segment that is shorter is computed with what surrounds it.
            self._buffer.drop_before(min(self._next, self._buffer.end - length) - length)
        while self._pending and _is_done(self._pending[0][1]):
            out += self._finish()
        return self._concatenate(out)

    def flush(self) -> np.ndarray:
        """Return the remaining samples, so that the sources have as many samples as the mixture."""
        out = []
        for segment in self._last_segments():
            out += self._start(segment)
        while self._pending:
            out += self._finish()
        return self._concatenate([*out, self._ready(self._buffer.end)])

    def close(self) -> None:
        """End computations that are still running."""
        self._cancellation.cancel()
        concurrent.futures.wait([sources for _, sources in self._pending if sources is not None])

    def _last_segments(self) -> list[Segment]:
        """Return the segments that begin inside the song and reach beyond its end."""
        end, length, used = self._buffer.end, self.shape.samples, self.shape.used
        starts = range(self._next, end, self.hop)
        if self.shape.ending == "silence":
            return [Segment(start, used, self._left, length) for start in starts]
        if self.shape.ending == "padded":
            whole = length - 2 * self.shape.before
            stop = (end // whole + 1) * whole + self.shape.before
            return [Segment(start, min(used, stop - start), self._left, length) for start in starts]
        if self.shape.ending == "shifted":
            # What is used of some may end with the song, and only their context beyond it.
            segments = [Segment(start, used, self._left, length) for start in starts if start + used <= end]
            beyond = [start for start in starts if start + used > end]
            if beyond and not (beyond[0] > -self.shape.before and beyond[0] - self.hop + used == end):
                segments.append(Segment(max(-self.shape.before, end - used), used, self._left, length))
            return segments
        parts = [(start, min(used, end - start)) for start in starts]
        if self.shape.ending == "short":
            return [Segment(start, part, self._left, part + self.shape.context) for start, part in parts]
        return [Segment(start, part, (length - part) // 2, length) for start, part in parts]

    @property
    def _left(self) -> int:
        """Samples of a whole segment's input before those of its output that are used."""
        return self.shape.context // 2

    def _concatenate(self, out: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.zeros((len(self._sum) - 1, 0), np.float32), *out], axis=1)

    def _start(self, segment: Segment) -> list[np.ndarray]:
        """Start to compute a segment; finish the oldest one first if too many are being computed."""
        full = len(self._pending) == self.backend.parallel_calls
        if full and (sources := self._pending[0][1]) is not None:
            concurrent.futures.wait([sources])
        self._pending.append(
            (segment, self.backend.start(self._sources(segment)) if self._is_wanted(segment) else None)
        )
        return self._finish() if full else []

    def _is_wanted(self, segment: Segment) -> bool:
        return self.wanted is None or (segment.start < self.wanted[1] and segment.stop > self.wanted[0])

    def _sources(self, segment: Segment) -> Callable[[], np.ndarray]:
        """Return a function that computes the sources (names * channels, samples) of a segment."""
        mixture, side_weights = self._buffer.part(segment.start - segment.left, segment.inputs)
        used = slice(segment.left, segment.left + segment.samples)

        def compute() -> np.ndarray:
            self._cancellation.check()
            estimates = self._estimates(network_input(mixture, side_weights, self.shape.channels))
            sources = []
            for index in range(len(self.names)):
                source = from_network(estimates[:, index], self.channels)
                if is_one_sided(side_weights):
                    source = restore_vocals(source, side_weights)
                sources.append(source[:, used])
            return np.concatenate(sources)

        return compute

    def _estimates(self, inputs: np.ndarray) -> np.ndarray:
        """Return the sources (batch, names, channels, samples) of a batch of the network's inputs."""
        if VOCALS not in self.names or VOCALS in self.shape.sources:
            return self.backend.sources(inputs, self.names, self._cancellation)
        names = [ACCOMPANIMENT if name == VOCALS else name for name in self.names]
        estimates = self.backend.sources(inputs, names, self._cancellation)
        at = names.index(ACCOMPANIMENT)
        estimates[:, at] = inputs - estimates[:, at]
        return estimates

    def _finish(self) -> list[np.ndarray]:
        """Add the oldest segment to the sum; return the samples to which no other segment will be added."""
        segment, future = self._pending.popleft()
        missing = segment.stop - self._done - self._sum.shape[1]
        self._sum = np.pad(self._sum, ((0, 0), (0, max(0, missing))))
        own = slice(max(0, self._done - segment.start), segment.samples)
        at = slice(max(0, segment.start - self._done), segment.stop - self._done)
        weighted = self._window(segment)[own]
        self._sum[-1, at] += weighted
        if future is not None:
            self._sum[:-1, at] += weighted * future.result()[:, own]
        return [self._ready(self._safe_end(segment))]

    def _window(self, segment: Segment) -> np.ndarray:
        """Return the weights of the samples that are used of a segment."""
        if self.shape.ending == "padded" and segment.samples < self.shape.used:
            return weights(self.shape.window, segment.samples)
        return self._weights[: segment.samples]

    def _safe_end(self, segment: Segment) -> int:
        """Return the index in the song of the first sample to which another segment after this one may be added."""
        # A last segment that is shifted back ends after this one, so it cannot begin before it.
        return segment.start if self.shape.ending == "shifted" else segment.start + self.hop

    def _ready(self, end: int) -> np.ndarray:
        """Return the means of the samples before `end`, and drop them from the sum."""
        count = max(0, min(end, self._buffer.end) - self._done)
        sums, self._sum = self._sum[:, :count], self._sum[:, count:].copy()
        self._done += count
        means: np.ndarray = sums[:-1] / sums[-1]
        return means


def weights(window: str, samples: int) -> np.ndarray:
    """Return the weights of the samples of a segment, (samples,), float32, above 0 and at most 1.

    Parameters
    ----------
    window : str
        ``triangle`` as in Demucs, ``hann`` and ``hamming`` with equal ends, or ``flat``.
    samples : int
    """
    if window == "flat":
        return np.ones(samples, np.float32)
    if window == "triangle":
        shape = np.minimum(np.arange(1, samples + 1), np.arange(samples, 0, -1)) / ((samples + 1) // 2)
    else:
        shape = np.hanning(samples) if window == "hann" else np.hamming(samples)
    return np.clip(shape, LEAST_WEIGHT, 1).astype(np.float32)


def _is_done(sources: concurrent.futures.Future[np.ndarray] | None) -> bool:
    return sources is None or sources.done()
