"""A queue of samples."""

from __future__ import annotations

import collections

import numpy as np


class SampleQueue:
    """Samples that arrive in blocks and are taken in others.

    Attributes
    ----------
    samples : int
        Samples in the queue.
    parts : deque of ndarray (channels, samples)
        The blocks that hold them, none of them empty.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.parts: collections.deque[np.ndarray] = collections.deque()

    def put(self, part: np.ndarray) -> None:
        """Append a block (channels, samples); it is not copied."""
        if part.shape[1]:
            self.parts.append(part)
            self.samples += part.shape[1]

    def take(self, count: int) -> np.ndarray:
        """Remove and return the first `count` samples, (channels, count); the queue must hold at least one."""
        self.samples -= count
        blocks = []
        while count:
            part = self.parts.popleft()
            if part.shape[1] > count:
                self.parts.appendleft(part[:, count:])
            blocks.append(part[:, :count])
            count -= blocks[-1].shape[1]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
