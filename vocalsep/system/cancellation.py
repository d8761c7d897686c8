"""Ending computations early that run in other threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class CancelledError(Exception):
    """A computation was ended before it had a result, because nobody needs it any more."""


class Cancellation:
    """Ends the computations that were given it, from any thread; those that begin afterwards end at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._ends: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """End the computations that are running, and all later ones."""
        with self._lock:
            self._cancelled = True
            for end in self._ends:
                end()

    def check(self) -> None:
        """Raise CancelledError if it is cancelled."""
        if self._cancelled:
            raise CancelledError

    @contextlib.contextmanager
    def ended_by(self, end: Callable[[], None]) -> Iterator[None]:
        """Call a function, which must not wait, when it is cancelled while this context is open.

        Raises
        ------
        CancelledError
            It is cancelled, before the context is opened or inside it; what was raised inside is lost.
        """
        with self._lock:
            self.check()
            self._ends.append(end)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._ends.remove(end)
