"""Where no signal may interrupt: Python code that C libraries call back, and modules that are being imported.

From the one an exception has nowhere to go, and would be printed and lost; the other would leave C++ libraries half
begun, which then end the whole process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

AGAIN_S = 0.02
# The file name of the frames that import.
IMPORTING = "<frozen importlib._bootstrap>"
Function = TypeVar("Function", bound=Callable[..., Any])
_codes: set[CodeType] = set()


def called_from_c(function: Function) -> Function:
    """Mark a function that a C library calls."""
    _codes.add(function.__code__)
    return function


def defer_signal(number: int, frame: FrameType | None, floor: FrameType | None = None) -> bool:
    """Whether a signal comes at such a place, so that its handler must not raise; then it will soon come again.

    Parameters
    ----------
    number : int
        Of the signal.
    frame : FrameType or None
        Where it came, as handlers are told.
    floor : FrameType, optional
        Who installed the handler: imports that it was itself called from do not count. Without it no imports do.
    """
    while frame is not None and frame is not floor:
        if frame.f_code in _codes or (floor is not None and frame.f_code.co_filename == IMPORTING):
            again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
            return True
        frame = frame.f_back
    return False
