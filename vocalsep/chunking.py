"""Cut an endless run of frames into chunks whose network outputs fit together without seams.

Every chunk is a core with context to either side. Only the core's masks are used; the context is there so that the
network hears, for each core frame, all that it would hear in the whole song. With full context the masks do not
depend on where the cuts are, so there is nothing to fade.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import torch
from torch import Tensor


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Frames for one run of the network.

    Parameters
    ----------
    spectrum : Tensor (channels, all_bins, frames)
        Core and context; the number of frames is a multiple of the network's stride.
    start, stop : int
        The core's place among those frames.
    """

    spectrum: Tensor
    start: int
    stop: int


class Chunker:
    """Collect frames and give them out as chunks, as early as their context is known.

    Parameters
    ----------
    core, context : int
        Frames of each chunk's core, and of the context to either side; multiples of `stride`.
    stride : int
        The network's coarsest step in frames. Chunks start on multiples of it, so that all of them meet the same
        sampling grid.
    """

    def __init__(self, core: int, context: int, stride: int):
        if core < stride or core % stride or context % stride:
            raise ValueError(f"core {core} and context {context} must be multiples of the stride {stride}")
        self.core = core
        self.context = context
        self.stride = stride
        self._pieces: list[Tensor] = []
        self._first = 0  # index in the song of the first frame held
        self._held = 0
        self._next = 0  # index in the song of the next core

    def push(self, frames: Tensor) -> Iterator[Chunk]:
        """Take frames (channels, all_bins, frames); yield the chunks that are now complete."""
        if frames.shape[2]:
            self._pieces.append(frames)
            self._held += frames.shape[2]
        while self._first + self._held >= self._next + self.core + self.context:
            yield self._cut(self._next + self.core)

    def flush(self) -> Iterator[Chunk]:
        """Yield the chunks that remain; silence follows up to the next multiple of the stride."""
        end = self._first + self._held
        while self._next < end:
            yield self._cut(min(self._next + self.core, end))

    def _cut(self, core_end: int) -> Chunk:
        held = torch.cat(self._pieces, dim=2)
        self._pieces.clear()
        begin = max(0, self._next - self.context)
        wanted = min(core_end + self.context, self._first + self._held)
        spectrum = held[:, :, begin - self._first : wanted - self._first]
        spectrum = torch.nn.functional.pad(spectrum, (0, -spectrum.shape[2] % self.stride))
        chunk = Chunk(spectrum, self._next - begin, core_end - begin)
        self._next = core_end
        keep = max(0, self._next - self.context)
        # A copy, so that the frames before it can be freed.
        rest = held[:, :, keep - self._first :].clone()
        self._pieces, self._first, self._held = [rest], keep, rest.shape[2]
        return chunk
