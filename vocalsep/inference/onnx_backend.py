"""Backend that computes networks with ONNX Runtime, from files that `vocalsep export` wrote. It needs no torch."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import whole_number
from ..dsp.front_end import FrontEndConfig
from ..errors import ModelError
from ..model_files.onnx_metadata import read_metadata
from ..system.cancellation import Cancellation
from .backend import Backend, MaskBackend, MaskShape, SegmentShape, WaveBackend, WaveShape, shape_from_dict
from .onnx_session import LARGEST_FILE, Graph, compute, fits, graph_errors
from .threads import PARALLEL_CALLS, Threads

if TYPE_CHECKING:
    import onnxruntime

METADATA_KEY = "vocalsep"
MASK_INPUTS, WAVE_INPUTS, OUTPUT = ("context_before", "input", "context_after"), ("input",), "output"
# Names of the inputs in files that earlier versions exported.
FORMER_MASK_INPUTS, FORMER_WAVE_INPUTS = ("before", "heard", "after"), ("heard",)
# Frames whose magnitudes are computed at a time: a block of them stays in the cache while its layout changes.
FRAMES_AT_A_TIME = 64
NOT_EXPORTED = "not an exported vocalsep model"


class OnnxMasks(MaskBackend):
    """A network on spectrograms, whose graph maps magnitudes to masks."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: MaskShape, bins: int, parallel_calls: int):
        self.shape = shape
        self.session = session
        self.bins = bins
        self.parallel_calls = parallel_calls

    def masks(self, spectra: np.ndarray, start: int, stop: int, cancellation: Cancellation | None = None) -> np.ndarray:
        """Return masks, see `MaskBackend.masks`."""
        parts = [
            _magnitudes(spectra[:, :, : self.bins, part], self.shape.mid_side)
            for part in (slice(start), slice(start, stop), slice(stop, None))
        ]
        expected = (*spectra.shape[:2], self.bins, stop - start)
        return compute(self.session, parts, [expected], cancellation)[0]


class OnnxWaves(WaveBackend):
    """A network on waveforms."""

    def __init__(self, session: onnxruntime.InferenceSession, shape: WaveShape):
        self.shape = shape
        self.session = session

    def vocals(self, mixtures: np.ndarray, cancellation: Cancellation | None = None) -> np.ndarray:
        """Return vocals, see `WaveBackend.vocals`."""
        inputs = np.ascontiguousarray(mixtures, np.float32)
        expected = (*mixtures.shape[:2], self.shape.tile)
        return compute(self.session, [inputs], [expected], cancellation)[0]


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


def load_onnx(path: pathlib.Path, threads: int | None, verified: bool = False) -> OnnxModel:
    """Open an exported model.

    Parameters
    ----------
    path : pathlib.Path
    threads : int, optional
        By default one for each core.
    verified : bool
        The file is known by its checksum: its graph is not checked.

    Raises
    ------
    ModelError
        The file is missing or damaged, was not written by `vocalsep export`, or refers to other files.
    VocalsepError
        ONNX Runtime cannot be loaded.
    """
    with graph_errors(path):
        graph = Graph(path)
        entries = read_metadata(path) if verified else graph.plain.get_modelmeta().custom_metadata_map
        metadata = json.loads(entries[METADATA_KEY])
        shape = shape_from_dict(metadata["shape"])
        if isinstance(shape, SegmentShape):
            raise ModelError(NOT_EXPORTED)
        front_end = FrontEndConfig(**metadata["config"]["front_end"])
        whole_number("parameters", metadata["parameters"], 0, LARGEST_FILE)
        if not verified:
            _check_interface(graph.plain, shape, front_end.bins)
        shared = Threads(threads, 1 if isinstance(shape, WaveShape) else PARALLEL_CALLS)
        session = graph.optimized(shared.per_call)
    if isinstance(shape, WaveShape):
        return OnnxModel(OnnxWaves(session, shape), front_end, metadata, shared.count)
    return OnnxModel(OnnxMasks(session, shape, front_end.bins, shared.calls), front_end, metadata, shared.count)


def _check_interface(session: onnxruntime.InferenceSession, shape: MaskShape | WaveShape, bins: int) -> None:
    """Raise ModelError unless the graph has one output, and inputs of the names and shapes in its metadata."""
    current, former = (
        (WAVE_INPUTS, FORMER_WAVE_INPUTS) if isinstance(shape, WaveShape) else (MASK_INPUTS, FORMER_MASK_INPUTS)
    )
    sizes = (shape.input_samples,) if isinstance(shape, WaveShape) else (bins, None)
    inputs = session.get_inputs()
    if tuple(each.name for each in inputs) not in (current, former) or len(session.get_outputs()) != 1:
        raise ModelError(f"{NOT_EXPORTED} (its graph has other inputs or outputs)")
    inputs_channels = 2 * shape.channels if isinstance(shape, MaskShape) and shape.mid_side else shape.channels
    if not all(fits(each.shape, (None, inputs_channels, *sizes)) for each in inputs):
        raise ModelError(f"{NOT_EXPORTED} (its graph has inputs of other shapes)")


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
