"""Receptive fields: the input frames of a network that can change one frame of its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

# First and last frame.
Span = tuple[int, int]


class Step(Protocol):
    """A layer, or several of the same kind."""

    def needs(self, span: Span) -> Span:
        """Return the first and last input frame that an output span depends on."""


class Same(Step):
    """A layer, or several, that keep the number of frames; each output frame depends on `radius` to either side."""

    def __init__(self, radius: int):
        self.radius = radius

    def needs(self, span: Span) -> Span:
        """Return the first and last input frame that an output span depends on."""
        return span[0] - self.radius, span[1] + self.radius


class Down(Step):
    """A convolution or pooling with stride 2."""

    def __init__(self, kernel: int, padding: int):
        self.kernel, self.padding = kernel, padding

    def needs(self, span: Span) -> Span:
        """Return the first and last input frame that an output span depends on."""
        return 2 * span[0] - self.padding, 2 * span[1] - self.padding + self.kernel - 1


class Up(Step):
    """A transposed convolution with stride 2."""

    def __init__(self, kernel: int, padding: int):
        self.kernel, self.padding = kernel, padding

    def needs(self, span: Span) -> Span:
        """Return the first and last input frame that an output span depends on."""
        return -((self.kernel - 1 - self.padding - span[0]) // 2), (span[1] + self.padding) // 2


def context(steps: Sequence[Step], stride: int) -> int:
    """Return the largest number of frames to either side that one frame depends on, over all phases of the stride.

    Parameters
    ----------
    steps : sequence
        Layers from the output back to the input, along the path with the largest receptive field.
    stride : int
        Frames after which the dependency pattern repeats.
    """
    most = 0
    for frame in range(stride):
        span = (frame, frame)
        for step in steps:
            span = step.needs(span)
        most = max(most, frame - span[0], span[1] - frame)
    return most
