"""Streams for a model, whether it works on spectrograms or waveforms."""

from __future__ import annotations

import numpy as np

from ..dsp.front_end import FrontEndConfig
from ..errors import UsageError
from .backend import Backend, MaskBackend, WaveBackend
from .mask_stream import MaskStream
from .one_sided import OneSidedDetector
from .wave_stream import WEIGHT_HOP, WaveStream

# Half a minute at the default rate: longer chunks need more memory, shorter ones compute more context twice.
CORE_FRAMES = 1280


class Stream:
    """A stream of one channel or one stereo pair through a network.

    Parameters
    ----------
    stream : MaskStream or WaveStream
    detector : OneSidedDetector, optional
        Computes the side weights of a stereo pair, for a network of two channels.
    """

    def __init__(self, stream: MaskStream | WaveStream, detector: OneSidedDetector | None):
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
    front_end : FrontEndConfig
    core_frames : int, optional
        Frames of a spectrogram network's chunks without their context; by default about half a minute.
    overlap : float, optional
        Seconds of context before and after each chunk; by default the whole receptive field of the network.
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
        front_end: FrontEndConfig,
        *,
        core_frames: int | None = None,
        overlap: float | None = None,
        hard: bool = False,
    ):
        self.backend = backend
        self.front_end = front_end
        self.hard = hard
        if isinstance(backend, WaveBackend):
            for option, value in (("core_frames", core_frames), ("overlap", overlap), ("hard masks", hard or None)):
                if value is not None:
                    raise UsageError(f"{option}: this model works on waveforms and has no such option")
            self.core = self.context = 0
            return
        stride = backend.shape.stride
        self.core = -(-CORE_FRAMES // stride) * stride if core_frames is None else core_frames
        if self.core < stride or self.core % stride:
            raise UsageError(f"core_frames must be a multiple of {stride}, not {core_frames}")
        self.context = self._context(backend, overlap)

    def open(self, channels: int, wanted: tuple[int, int] | None = None) -> Stream:
        """Open a stream of 1 or 2 channels at the model's rate.

        Outside the `wanted` range of samples, the vocals may be silence, see `MaskStream`.
        """
        stream: MaskStream | WaveStream
        if isinstance(self.backend, WaveBackend):
            stream, hop = WaveStream(self.backend, channels, wanted), WEIGHT_HOP
        else:
            stream = MaskStream(
                self.backend, self.front_end, channels, self.core, self.context, hard=self.hard, wanted=wanted
            )
            hop = self.front_end.hop
        # A network of one channel separates each side by itself anyway.
        paired = channels == self.backend.shape.channels == 2
        return Stream(stream, OneSidedDetector(self.front_end.sample_rate, hop) if paired else None)

    def _context(self, backend: MaskBackend, overlap: float | None) -> int:
        frames: float = backend.shape.context
        if overlap is not None:
            if not overlap >= 0:
                raise UsageError(f"overlap must be 0 or more seconds, not {overlap}")
            frames = min(frames, overlap * self.front_end.sample_rate / self.front_end.hop)
        return int(-(-frames // backend.shape.stride) * backend.shape.stride)
