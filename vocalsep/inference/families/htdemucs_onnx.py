"""HT-Demucs (Rouard, Massa and Défossez, ICASSP 2023) as an ONNX graph, computed by ONNX Runtime.

The graph has two inputs, the samples of a segment and the real and imaginary parts of its spectrum, and two outputs,
the spectra of the sources and what is added to them as samples. The transforms around it are here, as in the program
that the network was trained by: https://github.com/facebookresearch/demucs.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...checks import LONGEST_TILE, number, whole_number
from ...dsp.front_end import LARGEST_FFT, FrontEndConfig
from ...dsp.streaming_stft import InverseStft, Stft
from ...errors import ModelError
from ...system.cancellation import Cancellation
from ..backend import SegmentBackend, SegmentShape
from ..onnx_session import compute, fits
from .onnx_segments import start
from .table import FamilyConfig, Running, Runtime

if TYPE_CHECKING:
    import onnxruntime

# The transforms have four windows to a sample.
HOPS = 4
# Channels of the network; the spectrum has a real and an imaginary part for each.
CHANNELS = 2


@dataclasses.dataclass(frozen=True)
class Config:
    """What the graph takes and gives; the default values are those of the published network.

    Parameters
    ----------
    sources : tuple of str
        In the order of the graph's outputs.
    sample_rate : int
        Hz.
    samples : int
        Samples of a segment.
    n_fft : int
        Window length of the spectrum in samples, a multiple of 8; the hop is a quarter of it.
    overlap : float
        Share of a segment that overlaps with the next.
    """

    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    sample_rate: int = 44100
    samples: int = 343980
    n_fft: int = 4096
    overlap: float = 0.25

    def __post_init__(self) -> None:
        whole_number("sample_rate", self.sample_rate, 1000, 384000)
        whole_number("n_fft", self.n_fft, 16, LARGEST_FFT)
        whole_number("samples", self.samples, self.n_fft, LONGEST_TILE)
        number("overlap", self.overlap, 0, 0.9)
        if self.n_fft % (2 * HOPS):
            raise ModelError(f"n_fft must be a multiple of {2 * HOPS}, not {self.n_fft}")
        object.__setattr__(self, "sources", self.shape.sources)

    @property
    def shape(self) -> SegmentShape:
        """The shape of the network."""
        return SegmentShape(CHANNELS, self.samples, int((1 - self.overlap) * self.samples), self.sources)

    @property
    def spectrum_shape(self) -> tuple[int, ...]:
        """Real and imaginary parts of each channel, bins and frames of a segment's spectrum."""
        return 2 * CHANNELS, self.n_fft // 2, -(-self.samples * HOPS // self.n_fft)


def open_backend(path: pathlib.Path, config: FamilyConfig, runtime: Runtime) -> Running:
    """Open a graph, see `table.FamilyModule`."""
    if not isinstance(config, Config):
        raise TypeError(f"{type(config).__name__} is the configuration of another family")
    return start(
        path,
        runtime,
        lambda session: _check_interface(session, config),
        lambda session, calls: HtDemucsGraph(session, config, calls),
    )


class HtDemucsGraph(SegmentBackend):
    """An opened graph and the transforms around it."""

    def __init__(self, session: onnxruntime.InferenceSession, config: Config, parallel_calls: int):
        self.session = session
        self.config = config
        self.shape = config.shape
        self.parallel_calls = parallel_calls
        self.front_end = FrontEndConfig(config.sample_rate, config.n_fft, config.n_fft // HOPS, config.n_fft // 2)

    def sources(
        self, mixtures: np.ndarray, names: Sequence[str], cancellation: Cancellation | None = None
    ) -> np.ndarray:
        """Return sources, see `SegmentBackend.sources`."""
        indices = [self.shape.sources.index(name) for name in names]
        return np.stack([self._sources(mixture, indices, cancellation) for mixture in mixtures])

    def _sources(self, mixture: np.ndarray, indices: list[int], cancellation: Cancellation | None) -> np.ndarray:
        """Return sources (len(indices), channels, samples) of one mixture (channels, samples)."""
        count, spectrum = len(self.shape.sources), self.config.spectrum_shape
        inputs = [np.ascontiguousarray(mixture[None], np.float32), self._spectrum(mixture)[None]]
        expected = [(1, count, *spectrum), (1, count, CHANNELS, self.shape.samples)]
        outputs = compute(self.session, inputs, expected, cancellation)
        spectra, added = (output[0, indices] for output in outputs)
        return self._samples(spectra) + added

    @property
    def _margin(self) -> int:
        """Samples before a segment in its first window."""
        return 3 * self.front_end.hop // 2

    def _spectrum(self, mixture: np.ndarray) -> np.ndarray:
        """Return the spectrum of a segment (channels, samples) without its top bin, (parts, bins, frames)."""
        parts, bins, frames = self.config.spectrum_shape
        after = self._margin + frames * self.front_end.hop - mixture.shape[1]
        padded = np.pad(mixture, ((0, 0), (self._margin, after)), mode="reflect")
        # Frames before these reach outside the padded segment.
        spectrum = Stft(self.front_end, CHANNELS).push(padded.astype(np.float32))[:, :bins, HOPS - 1 :]
        planes = np.stack([spectrum.real, spectrum.imag], axis=1) / np.float32(self.config.n_fft**0.5)
        return planes.reshape(parts, bins, frames)

    def _samples(self, spectra: np.ndarray) -> np.ndarray:
        """Return samples (sources, channels, samples) of spectra (sources, parts, bins, frames)."""
        sources, _, bins, frames = spectra.shape
        planes = spectra.reshape(sources * CHANNELS, 2, bins, frames)
        spectrum = np.zeros((len(planes), frames, bins + 1), np.complex64)
        spectrum.real[:, :, :bins] = planes[:, 0].transpose(0, 2, 1)
        spectrum.imag[:, :, :bins] = planes[:, 1].transpose(0, 2, 1)
        spectrum *= np.float32(self.config.n_fft**0.5)
        inverse = InverseStft(self.front_end, len(planes))
        parts = [
            inverse.push_silence(HOPS - 1),
            inverse.push(spectrum.transpose(0, 2, 1)),
            inverse.push_silence(HOPS // 2),
        ]
        samples = np.concatenate(parts, axis=1)[:, self._margin : self._margin + self.shape.samples]
        return samples.reshape(sources, CHANNELS, -1)


def _check_interface(session: onnxruntime.InferenceSession, config: Config) -> None:
    """Raise ModelError unless a graph has the inputs and outputs that a configuration says."""
    count, wave = len(config.sources), (CHANNELS, config.samples)
    inputs = ((1, *wave), (1, *config.spectrum_shape))
    outputs = ((1, count, *config.spectrum_shape), (1, count, *wave))
    for ends, shapes in ((session.get_inputs(), inputs), (session.get_outputs(), outputs)):
        if len(ends) != len(shapes) or not all(fits(end.shape, shape) for end, shape in zip(ends, shapes, strict=True)):
            raise ModelError("not a graph of HT-Demucs of this configuration (it has other inputs or outputs)")
