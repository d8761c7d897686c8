"""Ctrl-C and polite kills: one exception in the main thread, and never where an exception would be lost or do harm.

A signal is deferred in Python code that C libraries call back, where an exception would be printed and lost, where one
would part what belongs together, and while a module is being imported: C++ libraries that are left half initialised end
the whole process.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

# Exit code of an interrupted program.
INTERRUPTED = 130
# Cleaning up takes as long as the current chunk. Repeated signals are ignored for so long, and then interrupt again.
REPEATS_IGNORED_S = 15.0
RETRY_S = 0.02
# File name of the frames that import modules.
IMPORT_MACHINERY = "<frozen importlib._bootstrap>"
Function = TypeVar("Function", bound=Callable[..., Any])
_uninterrupted_codes: set[CodeType] = set()


def uninterrupted(function: Function) -> Function:
    """Mark a short function, such as one that a C library calls: no signal raises an exception in it."""
    _uninterrupted_codes.add(function.__code__)
    return function


def defer_signal(number: int, frame: FrameType | None, entry_frame: FrameType | None = None) -> bool:
    """Send a signal again a little later if its handler must not raise an exception where it came.

    Parameters
    ----------
    number : int
        The signal.
    frame : FrameType or None
        The frame that was interrupted, as Python passes it to signal handlers.
    entry_frame : FrameType, optional
        The frame that installed the handler: imports that it was itself called from do not count. Without it, no
        imports do.

    Returns
    -------
    bool
        Whether the signal was deferred.
    """
    while frame is not None and frame is not entry_frame:
        importing = entry_frame is not None and frame.f_code.co_filename == IMPORT_MACHINERY
        if importing or frame.f_code in _uninterrupted_codes:
            retry = threading.Timer(RETRY_S, os.kill, (os.getpid(), number))
            retry.daemon = True
            retry.start()
            return True
        frame = frame.f_back
    return False


class InterruptHandler:
    """Handler of SIGINT and SIGTERM that raises KeyboardInterrupt once, and ignores repeats while files are cleaned up.

    Parameters
    ----------
    entry_frame : FrameType, optional
        Where the program runs its commands, see `defer_signal`.
    """

    def __init__(self, entry_frame: FrameType | None) -> None:
        self.entry_frame = entry_frame
        self.interrupted_at: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal; raises KeyboardInterrupt."""
        now = time.monotonic()
        if self.interrupted_at is not None and now - self.interrupted_at < REPEATS_IGNORED_S:
            return
        if defer_signal(number, frame, self.entry_frame):
            return
        self.interrupted_at = now
        raise KeyboardInterrupt

    def install(self) -> None:
        """Handle SIGINT and SIGTERM from now on: both clean up."""
        signal.signal(signal.SIGINT, self)
        signal.signal(signal.SIGTERM, self)

    def finish(self) -> None:
        """Ignore further signals after an interrupt: one during its exit would crash the interpreter."""
        if self.interrupted_at is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
