"""Cut an endless run of frames into chunks whose network outputs fit together without seams.

Every chunk is a core with context to either side. Only the core's masks are used; the context is there so that the
network hears, for each core frame, all that it would hear in the whole song. With full context the masks do not
depend on where the cuts are, so there is nothing to fade.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Frames for one run of the network.

    Parameters
    ----------
    spectrum : ndarray (channels, all_bins, frames)
        Core and context; the number of frames is a multiple of the network's stride.
    start, stop : int
        The core's place among those frames.
    first : int
        Index in the song of the first of them.
    """

    spectrum: np.ndarray
    start: int
    stop: int
    first: int


class Chunker:
    """Collect frames and give them out as chunks, as early as their context is known.

    Parameters
    ----------
    channels, bins : int
        Of the spectra.
    core, context : int
        Frames of each chunk's core, and of the context to either side; multiples of `stride`.
    stride : int
        The network's coarsest step in frames. Chunks start on multiples of it, so that all of them meet the same
        sampling grid.
    """

    def __init__(self, channels: int, bins: int, core: int, context: int, stride: int):
        if core < stride or core % stride or context % stride:
            raise ValueError(f"core {core} and context {context} must be multiples of the stride {stride}")
        self.core = core
        self.context = context
        self.stride = stride
        self._frames = self._empty(channels, bins)
        self._first = 0  # index in the song of the first frame held
        self._held = 0
        self._next = 0  # index in the song of the next core

    def push(self, frames: np.ndarray) -> Iterator[Chunk]:
        """Take frames (channels, bins, frames); yield the chunks that are now complete."""
        at = 0
        while at < frames.shape[2]:
            count = min(frames.shape[2] - at, self._frames.shape[1] - self._held)
            self._frames[:, self._held : self._held + count] = frames[:, :, at : at + count].transpose(0, 2, 1)
            self._held += count
            at += count
            while self._first + self._held >= self._next + self.core + self.context:
                yield self._cut(self._next + self.core)
                self._forget()

    def flush(self) -> Iterator[Chunk]:
        """Yield the chunks that remain; silence follows up to the next multiple of the stride."""
        end = self._first + self._held
        while self._next < end:
            yield self._cut(min(self._next + self.core, end))
            self._forget()

    def _cut(self, core_end: int) -> Chunk:
        begin = max(0, self._next - self.context)
        wanted = min(core_end + self.context, self._first + self._held)
        first, last = begin - self._first, wanted - self._first
        silence = -(last - first) % self.stride
        self._frames[:, last : last + silence] = 0
        frames = self._frames[:, first : last + silence].transpose(0, 2, 1)
        chunk = Chunk(frames, self._next - begin, core_end - begin, begin)
        self._next = core_end
        return chunk

    def _forget(self) -> None:
        """Go on in new memory, with the frames that further chunks will hear: the chunk keeps the old."""
        keep = max(0, self._next - self.context)
        dropped = keep - self._first
        if dropped:
            left = self._held - dropped
            old, self._frames = self._frames, self._empty(self._frames.shape[0], self._frames.shape[2])
            self._frames[:, :left] = old[:, dropped : self._held]
            self._first, self._held = keep, left

    def _empty(self, channels: int, bins: int) -> np.ndarray:
        # Frame by frame, as transforms make them; memory that is never touched costs nothing.
        return np.empty((channels, self.core + 2 * self.context, bins), np.complex64)
