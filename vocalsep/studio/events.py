"""News of songs for all pages that listen."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

# A page that does not read for so long has gone; it will ask for everything when it comes back.
MOST_WAITING = 1000
HEARTBEAT_S = 15.0


class Events:
    """Carries events from any thread to any number of listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[str | None], asyncio.AbstractEventLoop] = {}

    def tell(self, kind: str, said: Any) -> None:
        """Give an event to all listeners."""
        with self._lock:
            listeners = list(self._listeners.items())
        if listeners:
            # Put into words once for all of them.
            event = as_text(kind, said)
            for queue, loop in listeners:
                loop.call_soon_threadsafe(_offer, queue, event)

    def close(self) -> None:
        """Let all listeners end."""
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            loop.call_soon_threadsafe(_offer, queue, None)

    async def listen(self) -> AsyncIterator[str | None]:
        """Yield events as they come, and None now and then when there are none: that shows who has gone."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
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
                self._listeners.pop(queue, None)


def as_text(kind: str, said: Any) -> str:
    """Return a server-sent event."""
    return f"event: {kind}\ndata: {json.dumps(said)}\n\n"


def _offer(queue: asyncio.Queue[str | None], event: str | None) -> None:
    if queue.full():
        # The oldest is the least true.
        queue.get_nowait()
    queue.put_nowait(event)
