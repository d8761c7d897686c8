"""Divide a stream of frames into chunks whose network outputs join without seams.

Every chunk is a core with context to either side. Only the core's masks are used; the context covers the receptive
field of the network. With full context the masks do not depend on the chunks, so that no cross-fade is needed.
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
        First frame and end of the core among those frames.
    first : int
        Index in the song of the first frame.
    """

    spectrum: np.ndarray
    start: int
    stop: int
    first: int


class Chunker:
    """Collects frames and returns them as chunks, as soon as their context is known.

    Parameters
    ----------
    channels, bins : int
        Size of the spectra.
    core, context : int
        Frames of each chunk's core, and of the context to either side; multiples of `stride`.
    stride : int
        The network's coarsest step in frames. Chunks start on multiples of it, so that all of them have the same phase.
    """

    def __init__(self, channels: int, bins: int, core: int, context: int, stride: int):
        if core < stride or core % stride or context % stride:
            raise ValueError(f"core {core} and context {context} must be multiples of the stride {stride}")
        self.core = core
        self.context = context
        self.stride = stride
        self._frames = self._empty(channels, bins)
        self._first = 0  # index in the song of the first frame in the buffer
        self._count = 0
        self._next = 0  # index in the song of the next core

    def push(self, frames: np.ndarray) -> Iterator[Chunk]:
        """Take frames (channels, bins, frames); yield the chunks that are now complete."""
        position = 0
        while position < frames.shape[2]:
            count = min(frames.shape[2] - position, self._frames.shape[1] - self._count)
            self._frames[:, self._count : self._count + count] = frames[:, :, position : position + count].transpose(
                0, 2, 1
            )
            self._count += count
            position += count
            while self._first + self._count >= self._next + self.core + self.context:
                yield self._cut(self._next + self.core)
                self._drop_old()

    def flush(self) -> Iterator[Chunk]:
        """Yield the remaining chunks, padded with silence to a multiple of the stride."""
        end = self._first + self._count
        while self._next < end:
            yield self._cut(min(self._next + self.core, end))
            self._drop_old()

    def _cut(self, core_end: int) -> Chunk:
        begin = max(0, self._next - self.context)
        end = min(core_end + self.context, self._first + self._count)
        first, last = begin - self._first, end - self._first
        silence = -(last - first) % self.stride
        self._frames[:, last : last + silence] = 0
        frames = self._frames[:, first : last + silence].transpose(0, 2, 1)
        chunk = Chunk(frames, self._next - begin, core_end - begin, begin)
        self._next = core_end
        return chunk

    def _drop_old(self) -> None:
        """Copy the frames that further chunks need to a new buffer; the last chunk is a view of the old one."""
        keep = max(0, self._next - self.context)
        dropped = keep - self._first
        if dropped:
            left = self._count - dropped
            old, self._frames = self._frames, self._empty(self._frames.shape[0], self._frames.shape[2])
            self._frames[:, :left] = old[:, dropped : self._count]
            self._first, self._count = keep, left

    def _empty(self, channels: int, bins: int) -> np.ndarray:
        # Frame by frame, as the STFT returns them. Memory that is never written costs nothing.
        return np.empty((channels, self.core + 2 * self.context, bins), np.complex64)
