"""Server-sent events about songs, for every page that listens."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

# A page that leaves so many events unread is gone; it asks for all songs when it comes back.
MAX_UNREAD = 1000
HEARTBEAT_S = 15.0


class EventStream:
    """Sends events from any thread to any number of subscribers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}

    def publish(self, kind: str, data: Any) -> None:
        """Send an event to all subscribers.

        Parameters
        ----------
        kind : str
            The event's name.
        data : object
            What JSON can hold.
        """
        with self._lock:
            subscribers = list(self._subscribers.items())
        if subscribers:
            event = format_event(kind, data)
            for queue, loop in subscribers:
                loop.call_soon_threadsafe(_put, queue, event)

    def close(self) -> None:
        """End the iteration of all subscribers."""
        with self._lock:
            subscribers = list(self._subscribers.items())
        for queue, loop in subscribers:
            loop.call_soon_threadsafe(_put, queue, None)

    async def subscribe(self) -> AsyncIterator[str | None]:
        """Yield events as they are published, and None after `HEARTBEAT_S` without one.

        Writing a heartbeat to the connection shows whether the subscriber is still there.
        """
        queue: asyncio.Queue[str | None] = asyncio.Queue(MAX_UNREAD)
        with self._lock:
            self._subscribers[queue] = asyncio.get_running_loop()
        try:
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), HEARTBEAT_S)
                except asyncio.TimeoutError:
                    yield None
                    continue
                if event is None:
                    return
                yield event
        finally:
            with self._lock:
                self._subscribers.pop(queue, None)


def format_event(kind: str, data: Any) -> str:
    """Return the text of a server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _put(queue: asyncio.Queue[str | None], event: str | None) -> None:
    if queue.full():
        # Later events describe the songs as they are now, so the oldest one can be dropped.
        queue.get_nowait()
    queue.put_nowait(event)
