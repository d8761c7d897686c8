"""MDX-Net: U-Nets on complex spectra, one for each stem, as ONNX graphs.

M. Kim, W. Choi, J. Chung, D. Lee, S. Jung: "KUIELab-MDX-Net: A two-stream neural network for music demixing", 2021; the
graph is the network between two transforms. What is around it follows the programs that people run such files with.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...checks import number, whole_number
from ...dsp.segment_stft import centred_istft, centred_stft
from ...errors import ModelError
from ...system.cancellation import Cancellation
from ..backend import ACCOMPANIMENT, VOCALS, SegmentBackend, SegmentShape
from ..onnx_session import compute, fits
from .onnx_segments import start
from .table import FamilyConfig, Running, Runtime

if TYPE_CHECKING:
    import onnxruntime

SAMPLE_RATE = 44100
HOP = 1024
CHANNELS = 2
# Real and imaginary part of left and right.
PLANES = 2 * CHANNELS
# The networks were trained without the lowest bins.
SILENT_BINS = 3
# Share of a segment that overlaps the next one.
OVERLAP = 0.25


@dataclasses.dataclass(frozen=True)
class Config:
    """Transform and stem of a network.

    Parameters
    ----------
    n_fft : int
        Samples of a window.
    bins, frames : int
        Of the graph's input; higher bins are silent in the result.
    source : str
        What the graph gives: ``vocals`` or ``accompaniment``.
    compensation : float
        Factor of the accompaniment before the rest becomes the vocals: networks give slightly too little.
    """

    n_fft: int
    bins: int
    frames: int
    source: str = VOCALS
    compensation: float = 1.0

    def __post_init__(self) -> None:
        whole_number("n_fft", self.n_fft, 2 * HOP, 1 << 16)
        whole_number("bins", self.bins, 1, self.n_fft // 2 + 1)
        whole_number("frames", self.frames, 2, 1 << 13)
        number("compensation", self.compensation, 0.5, 2)
        if self.n_fft % 2 or self.samples <= 2 * self.n_fft:
            raise ModelError(f"a segment of {self.frames} frames is too short for windows of {self.n_fft} samples")
        if self.source not in (VOCALS, ACCOMPANIMENT):
            raise ModelError(f"source must be {VOCALS} or {ACCOMPANIMENT}, not {self.source!r}")

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return SAMPLE_RATE

    @property
    def samples(self) -> int:
        """Samples of a segment."""
        return (self.frames - 1) * HOP

    @property
    def shape(self) -> SegmentShape:
        """Segments of all frames; a quarter of each overlaps the next."""
        hop = int((1 - OVERLAP) * self.samples)
        return SegmentShape(
            CHANNELS, self.samples, hop, (self.source,), window="hann", ending="padded", before=self.n_fft // 2
        )


class MdxNet(SegmentBackend):
    """An MDX-Net graph in ONNX Runtime."""

    def __init__(self, session: onnxruntime.InferenceSession, config: Config, parallel_calls: int):
        self.session = session
        self.config = config
        self.shape = config.shape
        self.parallel_calls = parallel_calls

    def sources(
        self, mixtures: np.ndarray, names: Sequence[str], cancellation: Cancellation | None = None
    ) -> np.ndarray:
        """Return sources, see `SegmentBackend.sources`."""
        config = self.config
        spectra = centred_stft(mixtures, config.n_fft, HOP)[:, :, : config.bins]
        batch, channels, bins, frames = spectra.shape
        planes = np.empty((batch, channels, 2, bins, frames), np.float32)
        planes[:, :, 0], planes[:, :, 1] = spectra.real, spectra.imag
        planes[:, :, :, :SILENT_BINS] = 0
        inputs = planes.reshape(batch, PLANES, bins, frames)
        estimates = compute(self.session, [inputs], [inputs.shape], cancellation)[0].reshape(planes.shape)
        whole = np.zeros((batch, channels, config.n_fft // 2 + 1, frames), np.complex64)
        whole.real[:, :, :bins], whole.imag[:, :, :bins] = estimates[:, :, 0], estimates[:, :, 1]
        signal = centred_istft(whole, HOP)
        if config.source == ACCOMPANIMENT:
            signal *= np.float32(config.compensation)
        return np.repeat(signal[:, None], len(names), axis=1)


def open_backend(path: pathlib.Path, config: FamilyConfig, runtime: Runtime) -> Running:
    """Open a graph, see `table.FamilyModule`."""
    if not isinstance(config, Config):
        raise TypeError(f"{type(config).__name__} is the configuration of another family")
    return start(
        path,
        runtime,
        lambda session: _check_interface(session, config),
        lambda session, calls: MdxNet(session, config, calls),
    )


def _check_interface(session: onnxruntime.InferenceSession, config: Config) -> None:
    """Raise ModelError unless a graph has the input and output that a configuration says."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    expected = (1, PLANES, config.bins, config.frames)
    if len(inputs) != 1 or len(outputs) != 1 or not fits(inputs[0].shape, expected):
        raise ModelError("not an MDX-Net graph of this configuration (it has other inputs or outputs)")
