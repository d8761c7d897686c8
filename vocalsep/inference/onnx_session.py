"""Sessions of ONNX Runtime: opening graphs that may come from anywhere, and computing them."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ModelError, VocalsepError
from ..model_files.onnx_metadata import read_operators
from ..model_files.store import ADD_HINT
from ..system.cancellation import Cancellation, CancelledError

if TYPE_CHECKING:
    import onnxruntime

LARGEST_FILE = 1 << 30
# Key of a tensor that names another file with its values. ONNX Runtime reads such files, also for a graph from memory:
# then from the working folder, in older releases from anywhere. No model file has the key.
EXTERNAL_DATA_KEY = "location"
# The operator that repeats a part of a graph until a condition, which nothing bounds.
LOOP = "Loop"
# Environment variable that disables ONNX Runtime's telemetry, and its list of programs in the user's cache.
DISABLE_TELEMETRY = "ORT_DISABLE_TELEMETRY"
# Log severity of ONNX Runtime: only fatal errors.
FATAL = 4


@contextlib.contextmanager
def graph_errors(path: pathlib.Path) -> Iterator[None]:
    """Turn what goes wrong while a graph is opened into a ModelError about its file.

    Raises
    ------
    ModelError
        The file is missing, damaged or no graph.
    VocalsepError
        ONNX Runtime cannot be loaded.
    """
    os.environ.setdefault(DISABLE_TELEMETRY, "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise VocalsepError(f"ONNX Runtime cannot be loaded ({error})", hint="install vocalsep again") from None
    # Sessions have a log severity of their own, see `_session`.
    onnxruntime.set_default_logger_severity(FATAL)
    try:
        yield
    except FileNotFoundError:
        raise ModelError("no such model file", path=path) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path) from None
    except ModelError as error:
        raise error.about(path) from None
    except Exception:  # ONNX Runtime has an exception class for each of its status codes, none of them public.
        raise ModelError(
            "damaged, or not an exported vocalsep model",
            path=path,
            hint=f"`vocalsep export` writes such files; {ADD_HINT}",
        ) from None


class Graph:
    """A graph in memory, for sessions that compute it; open it inside `graph_errors`."""

    def __init__(self, path: pathlib.Path):
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"too large for a model, which has at most {LARGEST_FILE >> 20} MB")
        self._data = path.read_bytes()
        if EXTERNAL_DATA_KEY.encode() in self._data:
            raise ModelError("has values in other files, which no vocalsep model has")
        # Names of operators stand in the file as they are: where the bytes are missing, nothing else needs to be read.
        if LOOP.encode() in self._data and LOOP in read_operators(io.BytesIO(self._data)):
            raise ModelError("has a loop, which might never end and which no vocalsep model has")

    @functools.cached_property
    def plain(self) -> onnxruntime.InferenceSession:
        """A session without optimization, to check the graph's inputs.

        The optimizer aborts the process if the first layers cannot take them.
        """
        import onnxruntime

        return _session(self._data, 1, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)

    def optimized(self, threads: int) -> onnxruntime.InferenceSession:
        """Return the session that computes the graph, in place of the plain one, with so many threads a call."""
        import onnxruntime

        vars(self).pop("plain", None)
        return _session(self._data, threads, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)


def fits(shape: Sequence[object], expected: Sequence[int | None]) -> bool:
    """Return whether dimensions of a graph, some of which have no fixed size but a name, can be those expected."""
    return len(shape) == len(expected) and all(
        not isinstance(size, int) or size == right for size, right in zip(shape, expected, strict=True)
    )


def compute(
    session: onnxruntime.InferenceSession,
    inputs: Sequence[np.ndarray],
    expected: Sequence[tuple[int, ...]],
    cancellation: Cancellation | None = None,
) -> list[np.ndarray]:
    """Compute a graph's outputs.

    Raises
    ------
    ModelError
        They are not float32 arrays of the shapes `expected`.
    CancelledError
        `cancellation` has ended it, within one layer of the network.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = FATAL

    def end() -> None:
        options.terminate = True

    # By position, because the names differ between releases.
    named = {each.name: value for each, value in zip(session.get_inputs(), inputs, strict=True)}
    try:
        with (cancellation or Cancellation()).ended_by(end):
            outputs = session.run(None, named, options)
    except CancelledError:
        raise
    except Exception as error:  # As in `graph_errors`.
        raise ModelError(f"the model's graph cannot be computed: {error}") from None
    for output, shape in zip(outputs, expected, strict=True):
        if not isinstance(output, np.ndarray) or output.shape != shape or output.dtype != np.float32:
            raise ModelError("the model's graph returns something else than its metadata declares")
    return list(outputs)


def _session(data: bytes, threads: int, optimization: object) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    # Spinning idle threads would slow down decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # A buffer that is kept for outputs of one size, early and late in the graph, is lost to all between: with both, the
    # 0.9 GB of HT-Demucs become 5.
    options.enable_mem_pattern = options.enable_mem_reuse = False
    options.graph_optimization_level = optimization
    # A fallback would print, and try the same provider again.
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)
