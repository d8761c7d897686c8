"""The threads of a process from which opened models are computed with torch.

Each thread from which torch computes gets OpenMP threads of its own. As soon as a process has more of them than cores,
GNU's OpenMP lets them sleep between any two operations, and small networks take two to three times as long. So there is
a pool of few threads that stay, and none of the others computes for longer than it takes to open a model.
"""

from __future__ import annotations

import concurrent.futures
import functools
import threading

import torch

from .threads import Threads


def torch_executor(threads: Threads) -> concurrent.futures.Executor:
    """Return what calls functions in so many threads, each of which computes with its share of the cores."""
    return _executor(threads.calls, threads.per_call)


@functools.cache
def _executor(calls: int, per_call: int) -> concurrent.futures.Executor:
    before = torch.get_num_threads()
    executor = concurrent.futures.ThreadPoolExecutor(calls, "torch", _begin, (per_call,))
    # It starts no more threads than it has work for.
    barrier = threading.Barrier(calls)
    concurrent.futures.wait([executor.submit(barrier.wait) for _ in range(calls)])
    # For threads to come: the last number that any thread set is also the process's.
    torch.set_num_threads(before)
    return executor


def _begin(threads: int) -> None:
    # Asked first, because a thread gets the process's number when it first asks.
    torch.get_num_threads()
    torch.set_num_threads(threads)
