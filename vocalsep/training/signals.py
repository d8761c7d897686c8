"""Signals that stop a run."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class StopSignals:
    """A context in which the first SIGINT or SIGTERM requests a stop; the next one has its usual effect.

    Parameters
    ----------
    request_stop : callable
        Called at each signal; returns whether a stop had been requested before.
    """

    def __init__(self, request_stop: Callable[[], bool]):
        self.request_stop = request_stop
        self.handlers: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.handlers[number] = signal.signal(number, self._handle)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.request_stop():
            handler = self.handlers[number]
            if callable(handler):
                handler(number, frame)
            else:
                raise KeyboardInterrupt
