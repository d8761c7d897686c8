"""Process pools whose workers are interrupted with the main program, clean up, and end with it even if it is killed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .signals import defer_signal

if TYPE_CHECKING:
    from types import FrameType

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}


class WorkerInterruptHandler:
    """Handler of SIGINT in a worker process: interrupts a task, once, and lets no other task start after it.

    As a context manager, it surrounds each task. An idle worker ignores the signal: if it died, the pool would
    terminate the workers that are still cleaning up.
    """

    def __init__(self) -> None:
        self.working = self.interrupted = False
        self.entry_frame: FrameType | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; raises KeyboardInterrupt during a task."""
        if self.working and not self.interrupted and defer_signal(number, frame, self.entry_frame):
            return
        first, self.interrupted = not self.interrupted, True
        if self.working and first:
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        self.entry_frame = sys._getframe(1)
        self.working = True
        if self.interrupted:
            self.working = False
            raise KeyboardInterrupt

    def __exit__(self, *exception: object) -> None:
        self.working = False
        self.entry_frame = None

    def stop(self) -> None:
        """Interrupt the current task from another thread, and wait until it has cleaned up."""
        os.kill(os.getpid(), signal.SIGINT)
        while self.working:
            time.sleep(0.02)


@functools.cache
def interruptible() -> WorkerInterruptHandler:
    """Return the handler of this process; ``with interruptible():`` surrounds each task."""
    return WorkerInterruptHandler()


def init_worker() -> None:
    """Prepare a worker process that was started in `blocked_signals`: handle signals, and end with the parent."""
    signal.signal(signal.SIGINT, interruptible())
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    exit_with_parent(interruptible().stop)


def exit_with_parent(clean_up: Callable[[], None] | None = None) -> None:
    """End this process, which `multiprocessing` started, when its parent ends.

    Workers of a pool would otherwise wait without end for tasks from a parent that was killed, and keep their memory.

    Parameters
    ----------
    clean_up : callable, optional
        Called before this process ends, in a thread of its own.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        try:
            if clean_up is not None:
                clean_up()
        finally:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextlib.contextmanager
def blocked_signals() -> Iterator[None]:
    """Block SIGINT and SIGTERM here and in processes started meanwhile, which print a traceback during imports."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def process_pool(
    processes: int, initializer: Callable[..., None] = init_worker, arguments: tuple[object, ...] = ()
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Open a pool of worker processes; an exception in the body interrupts them. On exit all have ended.

    Parameters
    ----------
    processes : int
    initializer : callable
        Calls `init_worker` in each process. Submit tasks in `blocked_signals`.
    arguments : tuple
        Arguments of `initializer`.
    """
    context = multiprocessing.get_context("spawn")
    executor = concurrent.futures.ProcessPoolExecutor(processes, context, initializer, arguments)
    try:
        yield executor
    except BaseException:
        # A second signal would leave the pool half shut, and the program waiting for it.
        with blocked_signals():
            for process in multiprocessing.active_children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid or 0, signal.SIGINT)
            executor.shutdown(cancel_futures=True)
        raise
    executor.shutdown()
