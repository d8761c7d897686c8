"""Threads: stages of a pipeline, each a bounded number of items ahead of the next, and single calls."""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Stands behind the last item, with the error that ended it early."""

    def __init__(self, error: BaseException | None = None):
        self.error = error


def prefetch(items: Iterator[Item], most: int) -> Generator[Item, None, None]:
    """Run an iterator in a thread of its own, and yield what it yields.

    Where this generator is closed, the thread ends after the item that it is at, and closes the iterator; so use it
    in a ``contextlib.closing``.

    Parameters
    ----------
    items : iterator
        What it raises, this raises too.
    most : int
        Items that may wait to be taken.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(most)
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

    # A program that is told to end does not wait for it.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while not isinstance(item := waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        while thread.is_alive():
            with contextlib.suppress(queue.Empty):
                waiting.get(timeout=0.01)
        thread.join()


def run_in_thread(work: Callable[[], Item]) -> concurrent.futures.Future[Item]:
    """Call something in a thread of its own; what it returns or raises is the future's result."""
    begun: concurrent.futures.Future[Item] = concurrent.futures.Future()

    def run() -> None:
        try:
            found = work()
        except BaseException as error:
            begun.set_exception(error)
        else:
            begun.set_result(found)

    # A program that ends waits for it: libraries that are at work crash when Python is gone.
    threading.Thread(target=run).start()
    return begun
