"""Networks computed by ONNX Runtime from files that `vocalsep export` wrote. No torch is needed for it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..bounds import whole_number
from ..config import FrontEndConfig
from ..errors import ModelError, UsageError
from .backend import Backend, MaskBackend, MaskShape, WaveBackend, WaveShape, shape_from_dict

if TYPE_CHECKING:
    import onnxruntime

SUFFIX = ".onnx"
METADATA_KEY = "vocalsep"
LARGEST_FILE = 1 << 30
# The severity from which ONNX Runtime speaks: only what is fatal.
SILENT = 4


class OnnxMasks(MaskBackend):
    """A network on spectrograms: its graph makes masks of magnitudes."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: MaskShape, bins: int):
        self.shape = shape
        self.session = session
        self.bins = bins

    def masks(self, spectra: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Return masks, see `MaskBackend.masks`."""
        heard = np.abs(spectra[:, :, : self.bins])
        masks = _run(self.session, heard, heard.shape)
        return masks[..., start:stop]


class OnnxWaves(WaveBackend):
    """A network on waveforms."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: WaveShape):
        self.shape = shape
        self.session = session

    def vocals(self, mixtures: np.ndarray) -> np.ndarray:
        """Return vocals, see `WaveBackend.vocals`."""
        return _run(self.session, mixtures, (*mixtures.shape[:2], self.shape.tile))


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
        The file is missing, damaged, or was not written by `vocalsep export`.
    UsageError
        ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UsageError("ONNX Runtime is not installed; pip install 'vocalsep[onnx]'") from None
    count = threads or os.cpu_count() or 1
    # It has a voice for sessions, and one for all else.
    onnxruntime.set_default_logger_severity(SILENT)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: too large for a model")
        # From memory, a graph cannot name other files to be read.
        data = path.read_bytes()
        # Its optimizer ends the whole process over an input that the graph's first layers cannot take.
        plain = _session(data, 1, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
        said = json.loads(plain.get_modelmeta().custom_metadata_map[METADATA_KEY])
        shape = shape_from_dict(said["shape"])
        front_end = FrontEndConfig(**said["config"]["front_end"])
        whole_number("parameters", said["parameters"], 0, LARGEST_FILE)
        _check_ends(plain, shape, front_end.bins)
        del plain
        session = _session(data, count, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except ModelError as error:
        raise ModelError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except Exception:  # ONNX Runtime has an exception class for each of its status codes, none of them public.
        raise ModelError(f"{path}: damaged, or not an exported vocalsep model") from None
    if isinstance(shape, WaveShape):
        return OnnxModel(OnnxWaves(session, shape), front_end, said, count)
    return OnnxModel(OnnxMasks(session, shape, front_end.bins), front_end, said, count)


def _session(data: bytes, threads: int, optimization: Any) -> onnxruntime.InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    options.graph_optimization_level = optimization
    # A fallback would print, and try the same again.
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"], enable_fallback=0)


def _check_ends(session: onnxruntime.InferenceSession, shape: MaskShape | WaveShape, bins: int) -> None:
    """Raise ModelError unless the graph has one output, and one input of any batch and of the shape that is said."""
    inputs = session.get_inputs()
    wanted = (shape.heard,) if isinstance(shape, WaveShape) else (bins, None)
    # What is not fixed has a name instead of a number.
    if (
        len(inputs) != 1
        or len(session.get_outputs()) != 1
        or len(inputs[0].shape) != 2 + len(wanted)
        or any(
            isinstance(size, int) and size != right
            for size, right in zip(inputs[0].shape, (None, shape.channels, *wanted), strict=True)
        )
    ):
        raise ModelError("not an exported vocalsep model (its graph has other inputs or outputs)")


def _run(session: onnxruntime.InferenceSession, heard: np.ndarray, wanted: tuple[int, ...]) -> np.ndarray:
    """Return what a graph makes of its input; raises ModelError where that is no array of the shape `wanted`."""
    name = session.get_inputs()[0].name
    try:
        found = session.run(None, {name: np.ascontiguousarray(heard, np.float32)})[0]
    except Exception as error:  # As in `load_onnx`.
        raise ModelError(f"the model's graph cannot be computed: {error}") from None
    if not isinstance(found, np.ndarray) or found.shape != wanted or found.dtype != np.float32:
        raise ModelError("the model's graph makes something else than its metadata says")
    return found
