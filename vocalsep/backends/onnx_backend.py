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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ModelError(f"{path}: too large for a model")
        # From memory, a graph cannot name other files to be read. Its fallback would print, and try the same again.
        session = onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"], enable_fallback=0
        )
        said = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
        shape = shape_from_dict(said["shape"])
        front_end = FrontEndConfig(**said["config"]["front_end"])
        whole_number("parameters", said["parameters"], 0, LARGEST_FILE)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such model file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except ModelError as error:
        raise ModelError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
    except Exception:  # ONNX Runtime has an exception class for each of its status codes, none of them public.
        raise ModelError(f"{path}: damaged, or not an exported vocalsep model") from None
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise ModelError(f"{path}: not an exported vocalsep model (its graph has other inputs or outputs)")
    if isinstance(shape, WaveShape):
        return OnnxModel(OnnxWaves(session, shape), front_end, said, count)
    return OnnxModel(OnnxMasks(session, shape, front_end.bins), front_end, said, count)


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
