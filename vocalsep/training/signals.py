"""Signals that ask a run to end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class Signals:
    """While it is entered, a first SIGINT or SIGTERM lets the current step finish; a second one goes its usual way.

    Parameters
    ----------
    asked : callable
        Called at each; returns whether it had been called before.
    """

    def __init__(self, asked: Callable[[], bool]):
        self.asked = asked
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._ask)

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked():
            before = self.before[number]
            if callable(before):
                before(number, frame)
            else:
                raise KeyboardInterrupt
