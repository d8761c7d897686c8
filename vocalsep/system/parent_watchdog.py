"""Processes that end with the one that began them, even where that was killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable


def exit_with_parent(tidy: Callable[[], None] | None = None) -> None:
    """In a process that `multiprocessing` began: watch over its parent, and end when that has.

    A pool's processes would wait for ever for work from it, and hold on to their memory.

    Parameters
    ----------
    tidy : callable, optional
        Called before this process ends, in a thread of its own.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        try:
            if tidy is not None:
                tidy()
        finally:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
