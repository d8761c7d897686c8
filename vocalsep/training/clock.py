"""Where a run's time goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

Drawn = TypeVar("Drawn")


class Clock:
    """Time spent training, waiting for data, and neither.

    Parameters
    ----------
    before : float
        Seconds of the run's earlier sessions.
    """

    def __init__(self, before: float):
        self.before = before
        self.start = time.monotonic()
        self.idle = 0.0
        self.waited = 0.0
        self.steps = 0

    def waiting(self, stream: Iterator[Drawn]) -> Iterator[Drawn]:
        """Pass batches through and count the time that they take to come, but for the first: workers have to start."""
        while True:
            asked = time.monotonic()
            batch = next(stream, None)
            if self.steps == 0:
                self.before += time.monotonic() - self.start
                self.start = time.monotonic()
            else:
                self.waited += time.monotonic() - asked
            if batch is None:
                return
            self.steps += 1
            yield batch

    def paused(self) -> _Pause:
        """While entered, time does not count as training."""
        return _Pause(self)

    def total(self) -> float:
        """Seconds since the run began, over all sessions."""
        return self.before + time.monotonic() - self.start

    def busy(self) -> float:
        """Seconds of this session that were spent on steps."""
        return max(1e-9, time.monotonic() - self.start - self.idle)

    def wait_share(self) -> float:
        """Share of the time of this session's steps that went by waiting for data."""
        return self.waited / self.busy()

    def rate(self) -> float:
        """Steps a second in this session."""
        return self.steps / self.busy()


class _Pause:
    def __init__(self, clock: Clock):
        self.clock = clock

    def __enter__(self) -> None:
        self.since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.clock.idle += time.monotonic() - self.since
