"""Backend that computes networks with ONNX Runtime, from files that `vocalsep export` wrote. It needs no torch."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import whole_number
from ..dsp.front_end import FrontEndConfig
from ..errors import ModelError, VocalsepError
from .backend import Backend, MaskBackend, MaskShape, WaveBackend, WaveShape, shape_from_dict

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "vocalsep"
MASK_INPUTS, WAVE_INPUTS, OUTPUT = ("context_before", "input", "context_after"), ("input",), "output"
# Names of the inputs in files that earlier versions exported.
FORMER_MASK_INPUTS, FORMER_WAVE_INPUTS = ("before", "heard", "after"), ("heard",)
# Two chunks in parallel with one thread each take a fifth less time than in sequence with two threads. More would need
# more memory.
PARALLEL_CALLS = 2
# Frames whose magnitudes are computed at a time: a block of them stays in the cache while its layout changes.
FRAMES_AT_A_TIME = 64
LARGEST_FILE = 1 << 30
# Key of a tensor that names another file with its values. ONNX Runtime reads such files, also for a graph from memory:
# then from the working folder, in older releases from anywhere. No exported model has the key.
EXTERNAL_DATA_KEY = "location"
# Environment variable that disables ONNX Runtime's telemetry, and its list of programs in the user's cache.
DISABLE_TELEMETRY = "ORT_DISABLE_TELEMETRY"
# Log severity of ONNX Runtime: only fatal errors.
FATAL = 4


class OnnxMasks(MaskBackend):
    """A network on spectrograms, whose graph maps magnitudes to masks."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: MaskShape, bins: int, parallel_calls: int):
        self.shape = shape
        self.session = session
        self.bins = bins
        self.parallel_calls = parallel_calls

    def masks(self, spectra: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return masks, see `MaskBackend.masks`."""
        parts = [
            _magnitudes(spectra[:, :, : self.bins, part], self.shape.mid_side)
            for part in (slice(start), slice(start, stop), slice(stop, None))
        ]
        expected = (*spectra.shape[:2], self.bins, stop - start)
        return _run(self.session, parts, expected)


class OnnxWaves(WaveBackend):
    """A network on waveforms."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: WaveShape):
        self.shape = shape
        self.session = session

    def vocals(self, mixtures: np.ndarray) -> np.ndarray:
        """Return vocals, see `WaveBackend.vocals`."""
        inputs = np.ascontiguousarray(mixtures, np.float32)
        return _run(self.session, [inputs], (*mixtures.shape[:2], self.shape.tile))


@dataclasses.dataclass(frozen=True)
class OnnxModel:
    """An opened ONNX file.

    Parameters
    ----------
    backend : Backend
    front_end : FrontEndConfig
    metadata : dict
        The model's configuration and card, as in its safetensors file.
    threads : int
        Number of threads of the session.
    """

    backend: Backend
    front_end: FrontEndConfig
    metadata: dict[str, Any]
    threads: int


def load_onnx(path: pathlib.Path, threads: int | None) -> OnnxModel:
    """Open an exported model.

    Parameters
    ----------
    path : pathlib.Path
    threads : int, optional
        By default one for each core.

    Raises
    ------
    ModelError
        The file is missing or damaged, was not written by `vocalsep export`, or refers to other files.
    VocalsepError
        ONNX Runtime cannot be loaded.
    """
    os.environ.setdefault(DISABLE_TELEMETRY, "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise VocalsepError(f"ONNX Runtime cannot be loaded ({error})", hint="install vocalsep again") from None
    count = threads or os.cpu_count() or 1
    # Sessions have a log severity of their own, see `_session`.
    onnxruntime.set_default_logger_severity(FATAL)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"too large for a model, which has at most {LARGEST_FILE >> 20} MB", path=path)
        data = path.read_bytes()
        if EXTERNAL_DATA_KEY.encode() in data:
            raise ModelError("has values in other files, which no exported vocalsep model has", path=path)
        # Its optimizer aborts the process if the first layers cannot take the input: check the inputs without it.
        plain = _session(data, 1, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        metadata = json.loads(plain.get_modelmeta().custom_metadata_map[METADATA_KEY])
        shape = shape_from_dict(metadata["shape"])
        front_end = FrontEndConfig(**metadata["config"]["front_end"])
        whole_number("parameters", metadata["parameters"], 0, LARGEST_FILE)
        _check_interface(plain, shape, front_end.bins)
        del plain
        parallel = 1 if isinstance(shape, WaveShape) else min(PARALLEL_CALLS, count)
        session = _session(data, -(-count // parallel), onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    except FileNotFoundError:
        raise ModelError("no such model file", path=path) from None
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path) from None
    except ModelError as error:
        raise error.about(path) from None
    except Exception:  # ONNX Runtime has an exception class for each of its status codes, none of them public.
        raise ModelError(
            "damaged, or not an exported vocalsep model", path=path, hint="`vocalsep export` writes such files"
        ) from None
    if isinstance(shape, WaveShape):
        return OnnxModel(OnnxWaves(session, shape), front_end, metadata, count)
    return OnnxModel(OnnxMasks(session, shape, front_end.bins, parallel), front_end, metadata, count)


def _session(data: bytes, threads: int, optimization: Any) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = FATAL
    # Spinning idle threads would slow down decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = optimization
    # A fallback would print, and try the same provider again.
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def _check_interface(session: onnxruntime.InferenceSession, shape: MaskShape | WaveShape, bins: int) -> None:
    """Raise ModelError unless the graph has one output, and inputs of the names and shapes in its metadata."""
    current, former = (
        (WAVE_INPUTS, FORMER_WAVE_INPUTS) if isinstance(shape, WaveShape) else (MASK_INPUTS, FORMER_MASK_INPUTS)
    )
    sizes = (shape.input_samples,) if isinstance(shape, WaveShape) else (bins, None)
    inputs = session.get_inputs()
    if tuple(each.name for each in inputs) not in (current, former) or len(session.get_outputs()) != 1:
        raise ModelError("not an exported vocalsep model (its graph has other inputs or outputs)")
    inputs_channels = 2 * shape.channels if isinstance(shape, MaskShape) and shape.mid_side else shape.channels
    expected = (None, inputs_channels, *sizes)
    for each in inputs:
        # Dimensions that are not fixed have a name instead of a number.
        if len(each.shape) != len(expected) or any(
            isinstance(size, int) and size != right for size, right in zip(each.shape, expected, strict=True)
        ):
            raise ModelError("not an exported vocalsep model (its graph has inputs of other shapes)")


def _magnitudes(spectra: np.ndarray, mid_side: bool) -> np.ndarray:
    batch, channels, bins, frames = spectra.shape
    magnitudes = np.empty((batch, 2 * channels if mid_side else channels, bins, frames), np.float32)
    for start in range(0, frames, FRAMES_AT_A_TIME):
        part = slice(start, start + FRAMES_AT_A_TIME)
        np.abs(spectra[..., part], out=magnitudes[:, :channels, :, part])
        if mid_side:
            left, right = spectra[:, 0, :, part], spectra[:, 1, :, part]
            np.abs((left + right) / 2, out=magnitudes[:, 2, :, part])
            np.abs((left - right) / 2, out=magnitudes[:, 3, :, part])
    return magnitudes


def _run(session: onnxruntime.InferenceSession, inputs: list[np.ndarray], expected: tuple[int, ...]) -> np.ndarray:
    """Compute a graph's output; raises ModelError unless it is a float32 array of the shape `expected`."""
    # By position, because the names differ between releases.
    named = {each.name: value for each, value in zip(session.get_inputs(), inputs, strict=True)}
    try:
        output = session.run(None, named)[0]
    except Exception as error:  # As in `load_onnx`.
        raise ModelError(f"the model's graph cannot be computed: {error}") from None
    if not isinstance(output, np.ndarray) or output.shape != expected or output.dtype != np.float32:
        raise ModelError("the model's graph returns something else than its metadata declares")
    return output
