"""Python code that C libraries call back: an exception has nowhere to go from there, and would be printed and lost."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeVar

AGAIN_S = 0.02
Function = TypeVar("Function", bound=Callable[..., Any])
_codes: set[CodeType] = set()


def called_from_c(function: Function) -> Function:
    """Mark a function that a C library calls."""
    _codes.add(function.__code__)
    return function


def put_off(number: int, frame: FrameType | None) -> bool:
    """Whether a signal comes amid such a function, so that its handler must not raise; then it will soon come again."""
    while frame is not None and frame.f_code not in _codes:
        frame = frame.f_back
    if frame is None:
        return False
    again = threading.Timer(AGAIN_S, os.kill, (os.getpid(), number))
    again.daemon = True
    again.start()
    return True
