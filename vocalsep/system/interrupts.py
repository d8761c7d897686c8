"""Ctrl-C: the first interrupts, and those of the impatient do not disturb the tidying up after it."""

from __future__ import annotations

import signal
import time
from types import FrameType

from .signal_safety import defer_signal

# The exit code.
INTERRUPTED = 130
# Tidying up takes as long as the chunk at hand; whoever asks again after this much more is not kept.
PATIENCE_S = 15.0


class Interrupts:
    """A handler of SIGINT and SIGTERM that raises KeyboardInterrupt, and then holds still for a while.

    Parameters
    ----------
    floor : FrameType, optional
        Where the program runs its commands: imports above it are not interrupted.
    """

    def __init__(self, floor: FrameType | None) -> None:
        self.floor = floor
        self.since: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal, as a handler does."""
        now = time.monotonic()
        if self.since is not None and now - self.since < PATIENCE_S:
            return
        if defer_signal(number, frame, self.floor):
            return
        self.since = now
        raise KeyboardInterrupt

    def install(self) -> None:
        """Take these signals from now on; a polite kill tidies up as Ctrl-C does."""
        signal.signal(signal.SIGINT, self)
        signal.signal(signal.SIGTERM, self)

    def leave(self) -> None:
        """Where one has come, let none disturb the end of the program: the interpreter would die of it meanwhile."""
        if self.since is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
