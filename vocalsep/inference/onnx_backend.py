"""Networks computed by ONNX Runtime from files that `vocalsep export` wrote. No torch is needed for it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import whole_number
from ..dsp.front_end import FrontEndConfig
from ..errors import ModelError, UsageError
from .backend import Backend, MaskBackend, MaskShape, WaveBackend, WaveShape, shape_from_dict

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "vocalsep"
MASK_INPUTS, WAVE_INPUTS = ("before", "heard", "after"), ("heard",)
# Two chunks by one thread each take a fifth less time than one after the other by two; more would take more memory.
AT_ONCE = 2
# Frames whose magnitudes are taken at a time: they lie in another order there than here.
FRAMES_AT_A_TIME = 64
LARGEST_FILE = 1 << 30
# Under this key a tensor of ONNX says which other file its values are in. ONNX Runtime reads such files, also for a
# graph from memory: then from the working folder, in older releases from anywhere. No exported model has the key.
OTHER_FILES = "location"
# With this, ONNX Runtime tells nobody of the programs that it runs in, and keeps no list of them in the user's cache.
QUIET = "ORT_DISABLE_TELEMETRY"
# The severity from which ONNX Runtime speaks: only what is fatal.
SILENT = 4


class OnnxMasks(MaskBackend):
    """A network on spectrograms: its graph makes masks of magnitudes."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: MaskShape, bins: int, at_once: int):
        self.shape = shape
        self.session = session
        self.bins = bins
        self.at_once = at_once

    def masks(self, spectra: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return masks, see `MaskBackend.masks`."""
        parts = [
            _magnitudes(spectra[:, :, : self.bins, part], self.shape.mid_side)
            for part in (slice(start), slice(start, stop), slice(stop, None))
        ]
        made = (*spectra.shape[:2], self.bins, stop - start)
        return _run(self.session, dict(zip(MASK_INPUTS, parts, strict=True)), made)


class OnnxWaves(WaveBackend):
    """A network on waveforms."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: WaveShape):
        self.shape = shape
        self.session = session

    def vocals(self, mixtures: np.ndarray) -> np.ndarray:
        """Return vocals, see `WaveBackend.vocals`."""
        heard = np.ascontiguousarray(mixtures, np.float32)
        return _run(self.session, {WAVE_INPUTS[0]: heard}, (*mixtures.shape[:2], self.shape.tile))


@dataclasses.dataclass(frozen=True)
class OnnxModel:
    """An opened file.

    Parameters
    ----------
    backend : Backend
    front_end : FrontEndConfig
    said : dict
        The model's configuration and card, as its safetensors file has them.
    threads : int
        How many the session uses.
    """

    backend: Backend
    front_end: FrontEndConfig
    said: dict[str, Any]
    threads: int


def load_onnx(path: pathlib.Path, threads: int | None) -> OnnxModel:
    """Open an exported model.

    Parameters
    ----------
    path : pathlib.Path
    threads : int, optional
        By default as many as there are cores.

    Raises
    ------
    ModelError
        The file is missing, damaged, was not written by `vocalsep export`, or wants other files to be read.
    UsageError
        ONNX Runtime is not installed.
    """
    os.environ.setdefault(QUIET, "1")
    try:
        import onnxruntime
    except ImportError:
        raise UsageError("ONNX Runtime is not installed; pip install 'vocalsep[onnx]'") from None
    count = threads or os.cpu_count() or 1
    # It has a voice for sessions, and one for all else.
    onnxruntime.set_default_logger_severity(SILENT)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: too large for a model, which has at most {LARGEST_FILE >> 20} MB")
        data = path.read_bytes()
        if OTHER_FILES.encode() in data:
            raise ModelError(f"{path}: has values in other files, which no exported vocalsep model has")
        # Its optimizer ends the whole process over an input that the graph's first layers cannot take.
        plain = _session(data, 1, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        said = json.loads(plain.get_modelmeta().custom_metadata_map[METADATA_KEY])
        shape = shape_from_dict(said["shape"])
        front_end = FrontEndConfig(**said["config"]["front_end"])
        whole_number("parameters", said["parameters"], 0, LARGEST_FILE)
        _check_ends(plain, shape, front_end.bins)
        del plain
        at_once = 1 if isinstance(shape, WaveShape) else min(AT_ONCE, count)
        session = _session(data, -(-count // at_once), onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except ModelError as error:
        raise ModelError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except Exception:  # ONNX Runtime has an exception class for each of its status codes, none of them public.
        raise ModelError(
            f"{path}: damaged, or not an exported vocalsep model; `vocalsep export` writes such files"
        ) from None
    if isinstance(shape, WaveShape):
        return OnnxModel(OnnxWaves(session, shape), front_end, said, count)
    return OnnxModel(OnnxMasks(session, shape, front_end.bins, at_once), front_end, said, count)


def _session(data: bytes, threads: int, optimization: Any) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    # Idle threads that go on asking for work take the processor from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.graph_optimization_level = optimization
    # A fallback would print, and try the same again.
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def _check_ends(session: onnxruntime.InferenceSession, shape: MaskShape | WaveShape, bins: int) -> None:
    """Raise ModelError unless the graph has one output, and its inputs any batch and the shapes that are said."""
    names: tuple[str, ...] = WAVE_INPUTS if isinstance(shape, WaveShape) else MASK_INPUTS
    sizes = (shape.heard,) if isinstance(shape, WaveShape) else (bins, None)
    inputs = session.get_inputs()
    if tuple(each.name for each in inputs) != names or len(session.get_outputs()) != 1:
        raise ModelError("not an exported vocalsep model (its graph has other inputs or outputs)")
    inputs_channels = 2 * shape.channels if isinstance(shape, MaskShape) and shape.mid_side else shape.channels
    wanted = (None, inputs_channels, *sizes)
    for each in inputs:
        # What is not fixed has a name instead of a number.
        if len(each.shape) != len(wanted) or any(
            isinstance(size, int) and size != right for size, right in zip(each.shape, wanted, strict=True)
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


def _run(session: onnxruntime.InferenceSession, heard: dict[str, np.ndarray], wanted: tuple[int, ...]) -> np.ndarray:
    """Return what a graph makes of its inputs; raises ModelError where that is no array of the shape `wanted`."""
    try:
        found = session.run(None, heard)[0]
    except Exception as error:  # As in `load_onnx`.
        raise ModelError(f"the model's graph cannot be computed: {error}") from None
    if not isinstance(found, np.ndarray) or found.shape != wanted or found.dtype != np.float32:
        raise ModelError("the model's graph makes something else than its metadata says")
    return found
