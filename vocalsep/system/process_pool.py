"""Processes of a pool that are interrupted with the program that began them, and tidy up before they end."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .parent_watchdog import exit_with_parent
from .signal_safety import defer_signal

if TYPE_CHECKING:
    from types import FrameType

INTERRUPTIONS = {signal.SIGINT, signal.SIGTERM}


class Interruption:
    """A handler of SIGINT that interrupts only work, and that once; no work is begun after it.

    An idle process that died of it instead would have the pool terminate those that are still tidying up.
    """

    def __init__(self) -> None:
        self.working = self.asked = False
        self.floor: FrameType | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal, as a handler does; raises KeyboardInterrupt amid work."""
        if self.working and not self.asked and defer_signal(number, frame, self.floor):
            return
        first, self.asked = not self.asked, True
        if self.working and first:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self.floor = sys._getframe(1)
        self.working = True
        if self.asked:
            self.working = False
            raise KeyboardInterrupt

    def __exit__(self, *exception: object) -> None:
        self.working = False
        self.floor = None

    def end(self) -> None:
        """From another thread: interrupt what is being worked on, and wait until that has been tidied up."""
        os.kill(os.getpid(), signal.SIGINT)
        while self.working:
            time.sleep(0.02)


@functools.cache
def interruption() -> Interruption:
    """Return this process's own; entered while it works."""
    return Interruption()


def ready() -> None:
    """Let a process that was begun in `without_interruptions` hear what was held back, and watch over its parent."""
    signal.signal(signal.SIGINT, interruption())
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
    exit_with_parent(interruption().end)


@contextlib.contextmanager
def without_interruptions() -> Iterator[None]:
    """Hold signals to stop back, from processes begun meanwhile too: amid its imports, one would tell of it."""
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def pool(
    processes: int, initializer: Callable[..., None] = ready, arguments: tuple[object, ...] = ()
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Give a pool of processes; where what is done with it fails, all are interrupted. In the end all have ended.

    Parameters
    ----------
    processes : int
    initializer : callable
        Calls `ready` in each process; work is submitted in `without_interruptions`.
    arguments : tuple
        For it.
    """
    context = multiprocessing.get_context("spawn")
    begun = concurrent.futures.ProcessPoolExecutor(processes, context, initializer, arguments)
    try:
        yield begun
    except BaseException:
        # A second interruption would leave the pool half shut, and the program waiting for it.
        with without_interruptions():
            for process in multiprocessing.active_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGINT)
            begun.shutdown(cancel_futures=True)
        raise
    begun.shutdown()
