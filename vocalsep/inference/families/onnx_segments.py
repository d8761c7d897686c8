"""Networks on segments that ONNX Runtime computes, from graphs of other authors."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...errors import UsageError
from ..backend import SegmentBackend
from ..onnx_session import Graph, graph_errors
from ..threads import Threads
from .table import Running, Runtime

if TYPE_CHECKING:
    import onnxruntime


def start(
    path: pathlib.Path,
    runtime: Runtime,
    check: Callable[[onnxruntime.InferenceSession], None],
    backend: Callable[[onnxruntime.InferenceSession, int], SegmentBackend],
) -> Running:
    """Return the running backend of a graph.

    Parameters
    ----------
    path : pathlib.Path
    runtime : Runtime
    check : callable
        Raises ModelError unless the graph has the inputs and outputs of its configuration.
    backend : callable
        Makes the backend of a session and the number of calls in parallel.

    Raises
    ------
    ModelError
        The file is damaged, or its graph is another.
    UsageError
        ONNX Runtime has no such device or precision here.
    """
    if runtime.device not in ("auto", "cpu") or runtime.precision != "float32":
        raise UsageError("ONNX Runtime computes this model on the CPU in float32 only", path=path)
    threads = Threads(runtime.threads)
    with graph_errors(path):
        graph = Graph(path)
        check(graph.plain)
        session = graph.optimized(threads.per_call)
    return Running(backend(session, threads.calls), f"by ONNX Runtime, {threads.count} threads", "cpu")
