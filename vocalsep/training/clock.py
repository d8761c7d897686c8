"""Measure how long a run trains, and how long it waits for data."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TypeVar

Batch = TypeVar("Batch")


class Clock:
    """Measures the time spent on steps, on waiting for data, and on pauses.

    Parameters
    ----------
    earlier : float
        Seconds of the run's earlier sessions.
    """

    def __init__(self, earlier: float):
        self.earlier = earlier
        self.start = time.monotonic()
        self.idle = 0.0
        self.waited = 0.0
        self.steps = 0

    def count_waits(self, stream: Iterator[Batch]) -> Iterator[Batch]:
        """Yield batches and measure the wait for each, except the first, for which the workers have to start."""
        while True:
            requested = time.monotonic()
            batch = next(stream, None)
            if self.steps == 0:
                self.earlier += time.monotonic() - self.start
                self.start = time.monotonic()
            else:
                self.waited += time.monotonic() - requested
            if batch is None:
                return
            self.steps += 1
            yield batch

    def paused(self) -> _Pause:
        """Return a context whose time does not count as training."""
        return _Pause(self)

    def total(self) -> float:
        """Return the seconds of the run, over all sessions."""
        return self.earlier + time.monotonic() - self.start

    def busy(self) -> float:
        """Return the seconds of this session that were spent on steps."""
        return max(1e-9, time.monotonic() - self.start - self.idle)

    def wait_share(self) -> float:
        """Return the share of this session's time that was spent waiting for data."""
        return self.waited / self.busy()

    def rate(self) -> float:
        """Return the steps per second in this session."""
        return self.steps / self.busy()


class _Pause:
    def __init__(self, clock: Clock):
        self.clock = clock

    def __enter__(self) -> None:
        self.since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.clock.idle += time.monotonic() - self.since
