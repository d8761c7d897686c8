"""How the threads of a model are shared."""

from __future__ import annotations

import os

# Two calls in parallel with one thread each take a fifth less time than in sequence with two threads, with ONNX Runtime
# and with torch. More would need more memory.
PARALLEL_CALLS = 2


class Threads:
    """How the threads of a model are shared by calls in parallel.

    Parameters
    ----------
    count : int, optional
        By default one for each core.
    most_calls : int
        As many calls in parallel, or fewer.

    Attributes
    ----------
    count, calls, per_call : int
        Threads in all, calls in parallel, and threads of each.
    """

    def __init__(self, count: int | None, most_calls: int = PARALLEL_CALLS):
        self.count = count or os.cpu_count() or 1
        self.calls = min(most_calls, self.count)
        self.per_call = -(-self.count // self.calls)
