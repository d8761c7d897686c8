"""From a model to streams that it works on, whatever goes in and out of it."""

from __future__ import annotations

import numpy as np

from ..dsp.front_end import FrontEndConfig
from ..errors import UsageError
from .backend import Backend, MaskBackend, WaveBackend
from .mask_stream import MaskStream
from .one_sided import Sides
from .wave_stream import LEAN_HOP, WaveStream

# Half a minute at the default rate: more would need more memory, less would hear more context twice.
CORE_FRAMES = 1280


class Stream:
    """A stream of one network, of one channel or one stereo pair.

    Parameters
    ----------
    stream : MaskStream or WaveStream
    sides : Sides, optional
        Finds how the pair leans, for a network that hears both sides together.
    """

    def __init__(self, stream: MaskStream | WaveStream, sides: Sides | None):
        self._stream = stream
        self._sides = sides
        self.close = stream.close

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take mixture samples (channels, samples), float32; return the vocals' samples that are ready."""
        return self._stream.push(samples) if self._sides is None else self._stream.push(*self._sides.push(samples))

    def flush(self) -> np.ndarray:
        """Return the vocals' last samples: all together are as many as the mixture's."""
        if self._sides is None:
            return self._stream.flush()
        return np.concatenate([self._stream.push(*self._sides.flush()), self._stream.flush()], axis=1)


class Streams:
    """How one network separates streams.

    Parameters
    ----------
    backend : Backend
    front_end : FrontEndConfig
    core_frames : int, optional
        Frames of a spectrogram network's chunks without their context; by default about half a minute.
    overlap : float, optional
        Seconds that each chunk hears beyond either end; by default all that the network can hear.
    hard : bool
        Hard masks, see `MaskStream`.

    Raises
    ------
    UsageError
        An option makes no sense for this network.
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
            for option, given in (("core_frames", core_frames), ("overlap", overlap), ("hard masks", hard or None)):
                if given is not None:
                    raise UsageError(f"{option}: this model works on waveforms and has no such thing")
            self.core = self.context = 0
            return
        stride = backend.shape.stride
        self.core = -(-CORE_FRAMES // stride) * stride if core_frames is None else core_frames
        if self.core < stride or self.core % stride:
            raise UsageError(f"core_frames must be a multiple of {stride}, not {core_frames}")
        self.context = self._context(backend, overlap)

    def open(self, channels: int, wanted: tuple[int, int] | None = None) -> Stream:
        """Return a stream of 1 or 2 channels at the model's rate, that takes and gives samples block by block.

        Of vocals that are not `wanted`, see `MaskStream`, there is silence.
        """
        stream: MaskStream | WaveStream
        if isinstance(self.backend, WaveBackend):
            stream, hop = WaveStream(self.backend, channels, wanted), LEAN_HOP
        else:
            stream = MaskStream(
                self.backend, self.front_end, channels, self.core, self.context, hard=self.hard, wanted=wanted
            )
            hop = self.front_end.hop
        # A network of one channel is given each side by itself anyway.
        paired = channels == self.backend.shape.channels == 2
        return Stream(stream, Sides(self.front_end.sample_rate, hop) if paired else None)

    def _context(self, backend: MaskBackend, overlap: float | None) -> int:
        frames: float = backend.shape.context
        if overlap is not None:
            if not overlap >= 0:
                raise UsageError(f"overlap must be 0 or more seconds, not {overlap}")
            frames = min(frames, overlap * self.front_end.sample_rate / self.front_end.hop)
        return int(-(-frames // backend.shape.stride) * backend.shape.stride)
