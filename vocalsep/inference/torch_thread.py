"""The one thread in which a process computes opened models with torch.

Each thread from which torch computes gets OpenMP threads of its own. As soon as a process has more of them than cores,
GNU's OpenMP lets them sleep between any two operations, and small networks take two to three times as long.
"""

from __future__ import annotations

import concurrent.futures
import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def start_in_torch_thread(function: Callable[[], Result]) -> concurrent.futures.Future[Result]:
    """Call a function in the torch thread, after those that were started before it."""
    return _executor().submit(function)


def in_torch_thread(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function so that it runs in the torch thread while its caller waits."""

    @functools.wraps(function)
    def call(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        if threading.get_ident() == _thread():
            return function(*arguments, **options)
        return _executor().submit(function, *arguments, **options).result()

    return call


@functools.cache
def _executor() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="torch")


@functools.cache
def _thread() -> int:
    return _executor().submit(threading.get_ident).result()
