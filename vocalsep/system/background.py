"""Work in other threads: an iterator that runs ahead of its consumer, single calls, and threads that stand back."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Follows the last item in the queue, with the error that ended the iterator early."""

    def __init__(self, error: BaseException | None = None):
        self.error = error


def prefetch(
    items: Iterator[Item], max_items: int, cancel: Callable[[], None] | None = None
) -> Generator[Item, None, None]:
    """Run an iterator in a thread of its own, and yield its items.

    Closing this generator ends the thread after the current item, and closes the iterator; so use it in
    ``contextlib.closing``.

    Parameters
    ----------
    items : iterator
        What it raises, this raises too.
    max_items : int
        Items that may wait in the queue.
    cancel : callable, optional
        Called when this generator is closed, so that the current item need not be waited for.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(max_items)
    stopped = threading.Event()

    def work() -> None:
        try:
            for item in items:
                waiting.put(item)
                if stopped.is_set():
                    break
            end = _End()
        except BaseException as error:
            end = _End(error)
        finally:
            if isinstance(items, Generator):
                items.close()
        waiting.put(end)

    # A daemon, so that a program that ends does not wait for it.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        if cancel is not None:
            cancel()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                waiting.get(timeout=0.01)
        thread.join()


def run_in_thread(function: Callable[[], Item]) -> concurrent.futures.Future[Item]:
    """Call a function in a thread of its own; its result or exception becomes the future's."""
    future: concurrent.futures.Future[Item] = concurrent.futures.Future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    # No daemon, so that a program that ends waits for it: libraries at work crash when Python is gone.
    threading.Thread(target=run).start()
    return future


def run_here(function: Callable[[], Item]) -> concurrent.futures.Future[Item]:
    """Call a function in this thread, before this returns; its result or exception becomes the future's."""
    future: concurrent.futures.Future[Item] = concurrent.futures.Future()
    try:
        future.set_result(function())
    except Exception as error:
        future.set_exception(error)
    return future


def lower_priority(niceness: int) -> None:
    """Let other threads go before this one and those that it starts, where the system has priorities of threads.

    Parameters
    ----------
    niceness : int
        How far it stands back on a busy processor, 0 to 19.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
