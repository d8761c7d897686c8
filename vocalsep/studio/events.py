"""Server-sent events for every page that listens, and who listens."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

# A page that leaves so many events unread is gone; it asks for all songs when it comes back.
MAX_UNREAD = 1000
# Events that are kept for pages whose connection broke.
MAX_KEPT = 1000
HEARTBEAT_S = 15.0
# A page that is reloaded, or whose connection broke, comes back within this time.
ABSENCE_S = 20.0


class Subscription:
    """The events that one page has not read yet.

    Parameters
    ----------
    unread : list of str
        Events to begin with.
    """

    def __init__(self, unread: list[str]):
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[str | None] = asyncio.Queue(MAX_UNREAD)
        for event in unread[-MAX_UNREAD:]:
            self._queue.put_nowait(event)

    def add(self, event: str | None) -> None:
        """Add an event, or None as the end; safe to call from any thread."""
        # A server that has stopped has no page left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._put, event)

    async def next(self) -> str | None:
        """Return the next event, a heartbeat after `HEARTBEAT_S` without one, or None at the end.

        Writing a heartbeat to the connection shows whether the page is still there.
        """
        try:
            return await asyncio.wait_for(self._queue.get(), HEARTBEAT_S)
        except asyncio.TimeoutError:
            return ": heartbeat\n\n"

    def _put(self, event: str | None) -> None:
        if self._queue.full():
            # Later events describe the songs as they are now, so the oldest one can be dropped.
            self._queue.get_nowait()
        self._queue.put_nowait(event)


class EventStream:
    """Sends events from any thread to any number of pages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._session = secrets.token_hex(4)
        self._number = 0
        self._recent: deque[tuple[int, str]] = deque(maxlen=MAX_KEPT)
        self._closed = False

    def publish(self, kind: str, data: Any) -> None:
        """Send an event to all pages.

        Parameters
        ----------
        kind : str
            The event's name.
        data : object
            What JSON can hold.
        """
        with self._lock:
            self._number += 1
            event = f"id: {self._session}-{self._number}\n{format_event(kind, data)}"
            self._recent.append((self._number, event))
            for subscription in self._subscriptions:
                subscription.add(event)

    def close(self) -> None:
        """End all subscriptions, those of the future too."""
        with self._lock:
            self._closed = True
            for subscription in self._subscriptions:
                subscription.add(None)

    @contextlib.contextmanager
    def subscription(self, last_event_id: str = "") -> Iterator[tuple[Subscription, bool]]:
        """Subscribe for the length of the ``with``.

        Parameters
        ----------
        last_event_id : str
            The last event that the page has read, as its browser tells after a broken connection.

        Yields
        ------
        subscription : Subscription
        resumed : bool
            Whether it begins with what the page missed. If not, the page needs to be told everything.
        """
        with self._lock:
            missed = self._missed(last_event_id)
            subscription = Subscription(missed or [])
            self._subscriptions.add(subscription)
            if self._closed:
                subscription.add(None)
        try:
            yield subscription, missed is not None
        finally:
            with self._lock:
                self._subscriptions.discard(subscription)

    def _missed(self, last_event_id: str) -> list[str] | None:
        """Return the events after one, or None where they are not all known."""
        session, _, number = last_event_id.partition("-")
        if session != self._session or not (number.isdecimal() and number.isascii()) or len(number) > 18:
            return None
        last = int(number)
        oldest = self._recent[0][0] if self._recent else self._number + 1
        if not oldest - 1 <= last <= self._number:
            return None
        return [event for one, event in self._recent if one > last]


class Clients:
    """Who has an event stream open, so that work for a page that left can end.

    Parameters
    ----------
    on_left : callable
        Called with a client whose last stream has been closed for `ABSENCE_S`.
    """

    def __init__(self, on_left: Callable[[str], None]):
        self.on_left = on_left
        self._streams: Counter[str] = Counter()

    @contextlib.contextmanager
    def present(self, client: str) -> Iterator[None]:
        """Count a stream of a client for the length of the ``with``; in the server's event loop only."""
        self._streams[client] += 1
        try:
            yield
        finally:
            self._streams[client] -= 1
            if not self._streams[client]:
                del self._streams[client]
                asyncio.get_running_loop().call_later(ABSENCE_S, self._check_left, client)

    def _check_left(self, client: str) -> None:
        if client not in self._streams:
            self.on_left(client)


def format_event(kind: str, data: Any) -> str:
    """Return the text of a server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"
