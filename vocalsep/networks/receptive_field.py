"""How far a network hears: the frames of its input that can change one frame of its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

# The frames that a step needs of its input for the frames (first, last) of its output.
Span = tuple[int, int]


class Step(Protocol):
    """A layer, or several of one kind."""

    def needs(self, span: Span) -> Span:
        """Return the input's frames that the output's frames from first to last depend on."""


class Same(Step):
    """A layer, or several, without a change of size, that hear `reach` frames to either side."""

    def __init__(self, reach: int):
        self.reach = reach

    def needs(self, span: Span) -> Span:
        """Return the input's frames that the output's frames from first to last depend on."""
        return span[0] - self.reach, span[1] + self.reach


class Down(Step):
    """A convolution or pooling with stride 2."""

    def __init__(self, kernel: int, padding: int):
        self.kernel, self.padding = kernel, padding

    def needs(self, span: Span) -> Span:
        """Return the input's frames that the output's frames from first to last depend on."""
        return 2 * span[0] - self.padding, 2 * span[1] - self.padding + self.kernel - 1


class Up(Step):
    """A transposed convolution with stride 2."""

    def __init__(self, kernel: int, padding: int):
        self.kernel, self.padding = kernel, padding

    def needs(self, span: Span) -> Span:
        """Return the input's frames that the output's frames from first to last depend on."""
        return -((self.kernel - 1 - self.padding - span[0]) // 2), (span[1] + self.padding) // 2


def context(steps: Sequence[Step], stride: int) -> int:
    """Return the most frames to either side that one frame depends on, for the worst place on the sampling grid.

    Parameters
    ----------
    steps : sequence
        From the output back to the input, along the path that hears most.
    stride : int
        Frames after which the grid repeats.
    """
    most = 0
    for frame in range(stride):
        span = (frame, frame)
        for step in steps:
            span = step.needs(span)
        most = max(most, frame - span[0], span[1] - frame)
    return most
