"""Streams for a model, whether it works on spectrograms, waveforms or segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..dsp.front_end import FrontEndConfig
from ..errors import UsageError
from ..system.cancellation import Cancellation
from .backend import VOCALS, Backend, MaskBackend, SegmentBackend, WaveBackend
from .mask_stream import MaskStream
from .mixture_buffer import WEIGHT_HOP
from .one_sided import OneSidedDetector
from .segment_stream import SegmentStream
from .wave_stream import WaveStream

# Half a minute at the default rate: longer chunks need more memory, shorter ones compute more context twice.
CORE_FRAMES = 1280


class Stream:
    """A stream of one channel or one stereo pair through a network.

    Parameters
    ----------
    stream : MaskStream, WaveStream or SegmentStream
    detector : OneSidedDetector, optional
        Computes the side weights of a stereo pair, for a network of two channels.
    """

    def __init__(self, stream: MaskStream | WaveStream | SegmentStream, detector: OneSidedDetector | None):
        self._stream = stream
        self._detector = detector
        self.close = stream.close

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready."""
        if self._detector is None:
            return self._stream.push(samples)
        return self._stream.push(*self._detector.push(samples))

    def flush(self) -> np.ndarray:
        """Return the remaining samples, so that the vocals have as many samples as the mixture."""
        if self._detector is None:
            return self._stream.flush()
        return np.concatenate([self._stream.push(*self._detector.flush()), self._stream.flush()], axis=1)


class Streams:
    """Opens streams through one network.

    Parameters
    ----------
    backend : Backend
    sample_rate : int
        Of the model, in Hz.
    front_end : FrontEndConfig, optional
        Of a network on spectrograms.
    core_frames : int, optional
        Frames of a spectrogram network's chunks without their context; by default about half a minute.
    overlap : float, optional
        Of a spectrogram network, seconds of context before and after each chunk, by default its whole receptive field;
        of a network on segments, the share of each that overlaps with the next, by default the model's own.
    hard : bool
        Hard masks, see `MaskStream`.

    Raises
    ------
    UsageError
        An option is invalid for this network.
    """

    def __init__(
        self,
        backend: Backend,
        sample_rate: int,
        front_end: FrontEndConfig | None = None,
        *,
        core_frames: int | None = None,
        overlap: float | None = None,
        hard: bool = False,
    ):
        self.backend = backend
        self.sample_rate = sample_rate
        self.hard = hard
        # Of a network on spectrograms, frames of a chunk and of its context; of one on segments, samples between two.
        self.core = self.context = self.hop = 0
        given = {"core_frames": core_frames, "hard masks": hard or None, "overlap": overlap}
        if isinstance(backend, SegmentBackend):
            self.hop = _hop(backend, given.pop("overlap"))
            _refuse(given, "segments")
        elif isinstance(backend, WaveBackend):
            _refuse(given, "waveforms")
        else:
            if front_end is None:
                raise TypeError("a network on spectrograms has a front end")
            self.front_end = front_end
            stride = backend.shape.stride
            self.core = -(-CORE_FRAMES // stride) * stride if core_frames is None else core_frames
            if self.core < stride or self.core % stride:
                raise UsageError(f"core_frames must be a multiple of {stride}, not {core_frames}")
            self.context = self._context(backend, overlap)

    def open(
        self,
        channels: int,
        wanted: tuple[int, int] | None = None,
        sources: Sequence[str] = (VOCALS,),
        cancellation: Cancellation | None = None,
    ) -> Stream:
        """Open a stream of 1 or 2 channels at the model's rate.

        Parameters
        ----------
        channels : int
        wanted : tuple of int, optional
            First sample and end of what is needed. The rest may be silence, see `MaskStream`.
        sources : sequence of str
            What the stream gives, (sources * channels, samples): only a network on segments has more than the vocals.
        cancellation : Cancellation, optional
            See `MaskStream`.
        """
        stream: MaskStream | WaveStream | SegmentStream
        hop = WEIGHT_HOP
        if isinstance(self.backend, SegmentBackend):
            stream = SegmentStream(self.backend, channels, self.hop, sources, wanted, cancellation)
        elif isinstance(self.backend, WaveBackend):
            stream = WaveStream(self.backend, channels, wanted, cancellation)
        else:
            stream = MaskStream(
                self.backend,
                self.front_end,
                channels,
                self.core,
                self.context,
                hard=self.hard,
                wanted=wanted,
                cancellation=cancellation,
            )
            hop = self.front_end.hop
        # A network of one channel separates each side by itself anyway.
        paired = channels == self.backend.shape.channels == 2
        return Stream(stream, OneSidedDetector(self.sample_rate, hop) if paired else None)

    def _context(self, backend: MaskBackend, overlap: float | None) -> int:
        frames: float = backend.shape.context
        if overlap is not None:
            if not overlap >= 0:
                raise UsageError(f"overlap must be 0 or more seconds, not {overlap}")
            frames = min(frames, overlap * self.sample_rate / self.front_end.hop)
        return int(-(-frames // backend.shape.stride) * backend.shape.stride)


def _hop(backend: SegmentBackend, overlap: float | None) -> int:
    """Return the samples from segment to segment for an overlap, by default the model's own; raises UsageError."""
    if overlap is None:
        return backend.shape.hop
    if not 0 <= overlap < 1:
        raise UsageError(f"overlap of this model is a share of a segment, from 0 to less than 1, not {overlap:g}")
    return max(1, int((1 - overlap) * backend.shape.samples))


def _refuse(options: Mapping[str, object], works_on: str) -> None:
    """Raise UsageError for an option that was given."""
    for option, value in options.items():
        if value is not None:
            raise UsageError(f"{option}: this model works on {works_on} and has no such option")
